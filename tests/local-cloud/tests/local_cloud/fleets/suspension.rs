//! Suspended processes really are.

use aws_sdk_autoscaling::types::SuspendedProcess;

use super::*;

pub(super) async fn nobody_is_launched_while_launch_is_suspended(cloud: &LocalCloud) {
    let group = Group::made(cloud, "no-launch", 1).await;
    group.suspend(&["Launch"]).await;
    let suspended = group.now().await.suspended_processes.unwrap();
    let name = suspended[0].process_name();
    let reason = suspended
        .first()
        .and_then(SuspendedProcess::suspension_reason);
    assert_eq!((name, suspended.len()), (Some("Launch"), 1));
    assert!(
        reason.unwrap().starts_with("User suspended at "),
        "{reason:?}"
    );
    group.desire(2).await;
    assert_eq!(group.members().await.len(), 1);
    // An unhealthy member ends all the same, and is replaced later
    let sick = group.members().await.remove(0);
    cloud.unhealthy(&sick).await.unwrap();
    assert_eq!(group.members().await, Vec::<String>::new());
    group.resume(&["Launch"]).await;
    assert_eq!(group.members().await.len(), 2);
    assert_eq!(group.now().await.suspended_processes(), []);
    group.gone().await;
}

pub(super) async fn nobody_ends_while_terminate_is_suspended(cloud: &LocalCloud) {
    let group = Group::made(cloud, "no-terminate", 2).await;
    let members = group.members().await;
    group.suspend(&["Terminate"]).await;
    group.desire(1).await;
    cloud.unhealthy(&members[1]).await.unwrap();
    assert_eq!(group.members().await, members);
    assert_eq!(group.targets().await.len(), 2);
    // What is owed: the unhealthy one, which leaves as many as are desired
    group.resume(&["Terminate"]).await;
    assert_eq!(group.members().await, members[..1]);
    group.gone().await;
}

/// AWS registers later neither those who were launched meanwhile, nor does this.
pub(super) async fn nobody_is_registered_while_add_to_load_balancer_is(cloud: &LocalCloud) {
    let group = Group::made(cloud, "no-targets", 1).await;
    let members = group.members().await;
    group.suspend(&["AddToLoadBalancer"]).await;
    group.desire(2).await;
    assert_eq!(group.members().await.len(), 2);
    assert_eq!(group.targets().await, members);
    group.resume(&[]).await;
    assert_eq!(group.targets().await, members);
    group.desire(3).await;
    assert_eq!(group.targets().await.len(), 2);
    group.gone().await;
}

pub(super) async fn alarms_hours_and_zones_are_suspended(cloud: &LocalCloud) {
    // Given a group that a policy lets grow by one, and an action sets to three
    let group = Group::made(cloud, "by-itself", 1).await;
    let policy = group.client().put_scaling_policy();
    let policy = policy.auto_scaling_group_name(group.name).policy_name("up");
    let policy = policy.policy_type("SimpleScaling");
    let policy = policy.adjustment_type("ChangeInCapacity");
    policy.scaling_adjustment(1).send().await.unwrap();
    let action = group.client().put_scheduled_update_group_action();
    let action = action.auto_scaling_group_name(group.name);
    let action = action.scheduled_action_name("morning");
    let action = action.recurrence("0 8 * * *").min_size(3);
    action.desired_capacity(3).send().await.unwrap();
    // When the processes are suspended, nothing comes of alarm, hour and balance
    let members = group.members().await;
    let processes = ["AlarmNotification", "ScheduledActions", "AZRebalance"];
    group.suspend(&processes).await;
    cloud.alarm_scales(group.name, "up").await.unwrap();
    cloud.hour_comes(group.name, "morning").await.unwrap();
    cloud.zones_are_balanced(group.name).await.unwrap();
    assert_eq!(group.members().await, members);
    // When they are resumed, it does, and nothing is made up for
    group.resume(&processes).await;
    assert_eq!(group.members().await, members);
    cloud.zones_are_balanced(group.name).await.unwrap();
    let others = group.members().await;
    assert_eq!((others.len(), others == members), (1, false));
    cloud.alarm_scales(group.name, "up").await.unwrap();
    assert_eq!(group.members().await.len(), 2);
    cloud.hour_comes(group.name, "morning").await.unwrap();
    let now = group.now().await;
    let sizes = (now.min_size(), now.desired_capacity());
    assert_eq!((sizes, now.instances().len()), ((Some(3), Some(3)), 3));
    group.gone().await;
}
