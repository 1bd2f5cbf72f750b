//! A fleet's whole life: three groups in turn, with busy sessions that hold the former ones.

use aws_sdk_autoscaling::types::LifecycleState;
use serde_json::json;

use super::{GROUPS, fleets, ill, parked, serving, settings};
use crate::rollback::long_bake;
use crate::scene::{ENVIRONMENTS, Scene, hasty};
use crate::take_over::taken_over;

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_busy_sessions_hold_outlive_a_rejection_a_rollback_and_a_take_over() {
    let scene = fleets().await;
    let [a, b, c] = GROUPS;
    let witness = scene.cloud.witness();
    let (a_found, b_found) = (settings(&scene, a).await, settings(&scene, b).await);
    // Given b that serves, and a that a busy session holds
    let mut on_a = scene.busy("on-a").await;
    let first = scene.deploy(&hasty()).await;
    scene.retires(first.name(), ENVIRONMENTS[0]).await;
    let served = serving(&b_found, &a_found, &b_found.version);
    assert_eq!(settings(&scene, b).await, served);
    let mut on_b = scene.busy("on-b").await;
    // When a release is rejected
    let c_found = settings(&scene, c).await;
    let sick = scene.cloud.add_version("stand-in --health 503").await;
    sick.expect("a version");
    let input = json!({"green": {"healthySeconds": 10}});
    let rejected = scene.deploy(&input).await;
    scene.fails_with(&rejected, "GreenRejected").await;
    let c_parked = parked(&c_found, rejected.name(), ENVIRONMENTS[2]);
    assert_eq!(settings(&scene, c).await, c_parked);
    assert_eq!(settings(&scene, b).await, served);
    // And the next one is rolled back
    let good = scene.cloud.add_version("").await.expect("a version");
    let back = scene.deploy(&long_bake()).await;
    scene.passes(&back, "CheckDrained", 1).await;
    let wish = scene.deploy(&json!({"rollBack": back.name()})).await;
    scene.ends_well(&wish).await;
    scene.fails_with(&back, "RolledBack").await;
    let c_parked = parked(&c_parked, back.name(), ENVIRONMENTS[2]);
    assert_eq!(settings(&scene, c).await, c_parked);
    assert_eq!(settings(&scene, b).await, served);
    scene.all_still_busy([&on_a, &on_b]);
    // And one that stopped while it baked is taken over and goes on
    let mut input = hasty();
    input["bake"]["seconds"] = json!(8);
    let stopped = scene.deploy(&input).await;
    scene.passes(&stopped, "DrainIdle", 1).await;
    stopped.stop().await.expect("it is stopped");
    let on = taken_over(&scene, &stopped, "continue").await;
    scene.retires(stopped.name(), ENVIRONMENTS[1]).await;
    // Then c serves with what b had, and both sessions go on
    let wanted = serving(&c_parked, &served, &good.to_string());
    assert_eq!(settings(&scene, c).await, wanted);
    scene.all_still_busy([&on_a, &on_b]);
    // And each group is parked as it was found when its session has ended
    on_a.leave();
    scene.ends_well(&first).await;
    let wanted = parked(&a_found, first.name(), ENVIRONMENTS[0]);
    assert_eq!(settings(&scene, a).await, wanted);
    scene.all_still_busy([&on_b]);
    on_b.leave();
    scene.ends_well(&on).await;
    let wanted = parked(&served, stopped.name(), ENVIRONMENTS[1]);
    assert_eq!(settings(&scene, b).await, wanted);
    let deployments = [first.name(), stopped.name()];
    scene.minimum_held(witness, &deployments).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn greens_group_heals_and_scales_while_a_busy_session_holds_blue() {
    let scene = fleets().await;
    let [a, b, _] = GROUPS;
    let found = settings(&scene, a).await;
    let mut busy = scene.busy("busy").await;
    let execution = scene.deploy(&hasty()).await;
    scene.retires(execution.name(), ENVIRONMENTS[0]).await;
    // When a server of green fails its health check, one that carries nobody's request
    let in_use = scene.in_use().await;
    let running = scene.running(ENVIRONMENTS[1]).await;
    let sick = running.into_iter().find(|it| !in_use.contains(it));
    let sick = sick.expect("a server");
    ill(&scene, &sick).await;
    // Then its group replaces it
    serve(&scene, b, 3, &sick).await;
    // And it grows when it is told to
    let growing = scene
        .cloud
        .clients()
        .auto_scaling
        .update_auto_scaling_group();
    let growing = growing.auto_scaling_group_name(b);
    let grown = growing.max_size(4).desired_capacity(4).send().await;
    grown.expect("it is changed");
    serve(&scene, b, 4, &sick).await;
    // And blue drains on
    assert!(scene.lives(&busy.server));
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.ends_well(&execution).await;
    let wanted = parked(&found, execution.name(), ENVIRONMENTS[0]);
    assert_eq!(settings(&scene, a).await, wanted);
    assert_eq!(settings(&scene, b).await.members, 4);
    scene.ends().await;
}

/// Then so many members of the group are in service, this one not among them.
async fn serve(scene: &Scene, group: &str, members: usize, gone: &str) {
    scene
        .then("the group to be whole", || async {
            let group = scene.cloud.scaling_group_now(group).await?;
            let serving = group.instances().iter().filter(|it| {
                it.lifecycle_state() == Some(&LifecycleState::InService)
                    && it.instance_id() != Some(gone)
            });
            let serving = serving.count();
            Ok(if serving == members {
                Ok(())
            } else {
                Err(format!("{serving} in service"))
            })
        })
        .await;
}
