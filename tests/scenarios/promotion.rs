//! The deployments that end well.

use serde_json::json;

use crate::scene::{Scene, hasty};
use crate::sessions::Seen;

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_are_handed_over_and_blue_is_replaced() {
    // Given three blue servers with idle sessions of clients that only answer pings
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(9).await;
    // When a deployment runs
    let execution = scene.deploy(&hasty()).await;
    // Then every one of them is closed with 1012, blue is gone and green serves
    scene.all_handed_over(&idle).await;
    scene.promoted(&execution).await;
    // And its users find green
    for name in ["idle-0", "back-again"] {
        let session = crate::sessions::Session::open(scene.cloud.listener(), name).await;
        assert!(
            !scene.blue().contains(&session.server),
            "{} is blue",
            session.server
        );
        assert_eq!(session.seen(), Seen::Open);
    }
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_stays_busy_outlives_any_number_of_passes() {
    // Given one busy session among idle ones
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(3).await;
    let mut busy = scene.busy("busy").await;
    let in_use = scene.in_use().await;
    assert!(
        in_use.contains(&busy.server) && in_use.len() <= 2,
        "{in_use:?}"
    );
    // When a deployment drains blue, pass after pass
    let execution = scene.deploy(&hasty()).await;
    scene.all_handed_over(&idle).await;
    scene.passes(&execution, "TerminateBlue", 5).await;
    // Then the servers that nothing depends on are gone, the others live, and so does the session
    assert_eq!(scene.running("tunnel-a").await, in_use);
    assert!(scene.lives(&busy.server));
    assert_eq!(busy.seen(), Seen::Asked);
    let check = scene.last_check(&execution).await.expect("a check");
    let waiting = check["outlook"]["waitingFor"].to_string();
    assert!(
        waiting.contains(" busy ") && in_use.iter().any(|instance| waiting.contains(instance)),
        "{waiting}"
    );
    // When its user leaves, the deployment ends
    busy.leave();
    scene.promoted(&execution).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_deployment_goes_into_the_next_environment() {
    // Given a service that has been deployed once
    let scene = Scene::of_three_blue_servers().await;
    let first = scene.deploy(&hasty()).await;
    scene.promoted(&first).await;
    let serving = scene.running("tunnel-b").await;
    // When it is deployed again
    let session = crate::sessions::Session::open(scene.cloud.listener(), "second").await;
    let second = scene.deploy(&hasty()).await;
    let standing = second.ended(crate::scene::LIMIT).await.expect("it ends");
    // Then the next environment in turn serves, and the epoch has grown: by a claim and a detaching each
    assert_eq!(standing.error, None, "{}", standing.describe(None));
    scene.released("Promoted").await;
    scene.serves_alone("tunnel-c").await;
    assert_eq!(scene.running("tunnel-c").await.len(), serving.len());
    assert_eq!(session.seen(), Seen::Closed(1012));
    assert_eq!(scene.record().await.epoch, 4);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_the_plan_and_touches_nothing() {
    let scene = Scene::of_three_blue_servers().await;
    let execution = scene
        .deploy(&json!({"dryRun": true, "green": {"count": 4}}))
        .await;
    let standing = execution.ended(crate::scene::LIMIT).await.expect("it ends");
    // The emulator ignores a Succeed state's Output and hands out the document; the definition checks evaluate it.
    let document = standing.output.expect("the document");
    let plan = &document["plan"]["recorded"];
    assert_eq!(plan["green"]["count"], 4);
    assert_eq!(plan["blue"]["name"], "tunnel-a");
    scene.untouched().await;
    scene.ends().await;
}
