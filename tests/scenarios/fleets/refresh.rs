//! An instance refresh that somebody starts on a group that is being emptied.

use aws_sdk_autoscaling::types::{
    InstanceRefreshStatus, LifecycleState, RefreshPreferences, ScaleInProtectedInstances,
};

use super::{GROUPS, fleets, parked, resumed, settings};
use crate::scene::{ENVIRONMENTS, Scene, hasty};
use crate::sessions::Seen;

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_starts_in_mid_drain_replaces_nobody_and_after_an_apply_nobody_that_is_busy()
{
    let scene = fleets().await;
    let before = settings(&scene, GROUPS[0]).await;
    let mut busy = scene.busy("busy").await;
    let execution = scene.deploy(&hasty()).await;
    scene.passes(&execution, "TerminateBlue", 1).await;
    // When somebody starts a refresh of blue's group, of protected members too
    started(&scene).await;
    let went_on = scene.cloud.refresh_goes_on(GROUPS[0]).await;
    went_on.expect("a refresh");
    // Then it waits
    assert_eq!(status(&scene).await, InstanceRefreshStatus::Pending);
    let state = state_of(&scene, &busy.server).await;
    assert_eq!(state, Some(LifecycleState::InService));
    // When applies resume all processes until it ends the busy server
    scene
        .then("the refresh to end the busy server", || async {
            resumed(&scene).await;
            scene.cloud.refresh_goes_on(GROUPS[0]).await?;
            let state = state_of(&scene, &busy.server).await;
            Ok(match state {
                Some(LifecycleState::TerminatingWait) => Ok(()),
                other => Err(format!("{other:?}")),
            })
        })
        .await;
    // Then the deployment says so, and the session goes on
    scene.only_a_hook_keeps(&execution, &busy.server).await;
    assert_eq!(busy.seen(), Seen::Asked);
    assert!(scene.lives(&busy.server));
    // When its user leaves, what the refresh launched ends like the others, and the group is parked
    busy.leave();
    scene.promoted(&execution).await;
    let wanted = parked(&before, execution.name(), ENVIRONMENTS[0]);
    assert_eq!(settings(&scene, GROUPS[0]).await, wanted);
    // And what is left of the refresh, if anything, finds nobody and launches nobody
    if status(&scene).await != InstanceRefreshStatus::Successful {
        let went_on = scene.cloud.refresh_goes_on(GROUPS[0]).await;
        went_on.expect("a refresh");
    }
    assert_eq!(status(&scene).await, InstanceRefreshStatus::Successful);
    assert_eq!(settings(&scene, GROUPS[0]).await, wanted);
    scene.ends().await;
}

async fn started(scene: &Scene) {
    let preferences = RefreshPreferences::builder()
        .scale_in_protected_instances(ScaleInProtectedInstances::Refresh)
        .build();
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let starting = auto_scaling.start_instance_refresh();
    let starting = starting.auto_scaling_group_name(GROUPS[0]);
    let started = starting.preferences(preferences).send().await;
    started.expect("it starts");
}

/// How the refresh of blue's group stands.
async fn status(scene: &Scene) -> InstanceRefreshStatus {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let described = auto_scaling.describe_instance_refreshes();
    let described = described.auto_scaling_group_name(GROUPS[0]).send().await;
    let described = described.expect("its refreshes");
    let newest = described.instance_refreshes().first();
    let status = newest.and_then(|it| it.status()).cloned();
    status.expect("a refresh")
}

/// Where a member of blue's group is on its way.
async fn state_of(scene: &Scene, instance: &str) -> Option<LifecycleState> {
    let group = scene.cloud.scaling_group_now(GROUPS[0]).await;
    let group = group.expect("a group");
    let mut members = group.instances().iter();
    let member = members.find(|it| it.instance_id() == Some(instance))?;
    member.lifecycle_state().cloned()
}
