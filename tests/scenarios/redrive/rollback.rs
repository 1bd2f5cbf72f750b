//! The road back, broken at every Task, with a blue server that hangs for a part of it.

use ebbtide_local_cloud::alarms::State;
use ebbtide_rules::record::Phase;
use serde_json::json;

use super::roads::{ROLLBACK, breaking, loses_the_reply_of, walked};
use crate::scene::{Scene, action_was_right};

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_survives_the_failure_of_each_task_and_a_blue_server_that_hangs_meanwhile() {
    // Given a quiet alarm, a busy session on blue, and a blue server that neither that session nor its request needs
    let scene = Scene::of_three_blue_servers().await;
    let (cloud, host) = (&scene.cloud, scene.cloud.host());
    scene.quiet_alarm("errors").await;
    let on_blue = scene.busy("on-blue").await;
    let witness = cloud.witness();
    let in_use = scene.in_use().await;
    let unused = |instance: &&String| !in_use.contains(*instance);
    let hanging = scene.blue().iter().find(unused).expect("one of three");
    let emulators = cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.3).await.expect("scaled");
    // When every Task on the road fails; in the bake somebody gets busy on green, that server hangs and the alarm fires
    let input = json!({
        "bake": {"seconds": 600, "alarms": ["errors"]},
        "drain": {"settleSeconds": 1, "pollSeconds": 2},
        "minimumHealthyPercent": 50,
    });
    let mut fragile = breaking(&scene, ROLLBACK, "fragile", &input).await;
    loses_the_reply_of(&mut fragile, "DecidePass").await;
    let front = scene.record().await.front.expect("it holds the front");
    assert_eq!(front.phase, Phase::Switched);
    let mut on_green = scene.busy("on-green").await;
    host.stop(hanging).expect("it hangs");
    cloud
        .set_alarm("errors", State::Alarm)
        .await
        .expect("it fires");
    // And the server answers again once blue serves
    loses_the_reply_of(&mut fragile, "ResumeBlueAgain").await;
    let weights = cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(100), Some(0), None]);
    host.resume(hanging).expect("it goes on");
    loses_the_reply_of(&mut fragile, "TerminateBlue").await;
    scene.all_still_busy([&on_blue, &on_green]);
    assert!(scene.lives(&on_green.server));
    on_green.leave();
    let broken = walked(fragile, ROLLBACK).await;
    // Then blue serves as before, all of it, green is gone, and nobody busy has noticed on either side
    scene.fails_with(&broken.last, "RolledBack").await;
    scene.serves_as_before("RolledBack").await;
    scene.all_still_busy([&on_blue]);
    let record = scene.record().await;
    assert_eq!(
        record.epoch, 3,
        "one claim, one rollback, the detaching: {record:?}"
    );
    let seen = witness.testimony().await.expect("a testimony");
    assert!(seen.fewest_with_weight >= Some(2), "{seen:?}");
    action_was_right(&seen);
    assert_eq!(seen.most_running.get("fragile"), Some(&3), "{seen:?}");
    scene.ends().await;
}
