//! Two deployments of one service.

use serde_json::json;

use crate::scene::{Scene, hasty};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_deployment_is_refused_while_one_runs_and_names_it() {
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    let mut input = hasty();
    input["bake"]["seconds"] = json!(20);
    let first = scene.deploy(&input).await;
    first
        .entered("CheckDrained", crate::scene::LIMIT)
        .await
        .expect("the first bakes");
    // When a second one starts
    let second = scene.deploy(&hasty()).await;
    // Then it fails at once and names the first, which goes on undisturbed
    let cause = scene.fails_with(&second, "DeploymentInProgress").await;
    assert!(
        cause.contains(first.name()) && cause.contains("RUNNING"),
        "{cause}"
    );
    busy.leave();
    scene.promoted(&first).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deployments_in_the_same_moment_make_one_winner() {
    let scene = Scene::of_three_blue_servers().await;
    let input = hasty();
    let (one, other) = tokio::join!(scene.deploy(&input), scene.deploy(&input));
    let limit = crate::scene::LIMIT;
    let (first, second) = (
        one.ended(limit).await.expect("it ends"),
        other.ended(limit).await.expect("it ends"),
    );
    let errors: Vec<_> = [&first, &second]
        .iter()
        .filter_map(|standing| standing.error.clone())
        .collect();
    assert_eq!(
        errors,
        ["DeploymentInProgress"],
        "{} / {}",
        first.describe(None),
        second.describe(None)
    );
    let winner = if first.error.is_none() { &one } else { &other };
    scene.promoted(winner).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_ended_before_the_switch_is_superseded_and_its_green_cleared() {
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(3).await;
    // Given a deployment that was stopped while its green was starting
    let bad = scene
        .cloud
        .add_version("stand-in --health 503")
        .await
        .expect("a version");
    let stopped = scene
        .deploy(&json!({"green": {"launchTemplateVersion": bad.to_string()}}))
        .await;
    scene.passes(&stopped, "LaunchGreen", 2).await;
    stopped.stop().await.expect("it is stopped");
    let left = scene.running("tunnel-b").await;
    assert_eq!(left.len(), 3);
    // When the next one starts (the wait for the former owner's functions cut short)
    let emulators = scene.cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.05).await.expect("scaled");
    let mut input = hasty();
    input["green"] = json!({"launchTemplateVersion": "1"});
    let next = scene.deploy(&input).await;
    next.entered("EndGreen", crate::scene::LIMIT)
        .await
        .expect("it clears green");
    emulators.set_wait_scale(1.0).await.expect("scaled");
    // Then the stopped one's instances are gone, and the next one is promoted under a higher epoch
    scene.all_handed_over(&idle).await;
    scene.promoted(&next).await;
    assert!(left.iter().all(|instance| !scene.lives(instance)));
    // A claim, one in its place, and the detaching at the end
    assert_eq!(scene.record().await.epoch, 3);
    scene.ends().await;
}
