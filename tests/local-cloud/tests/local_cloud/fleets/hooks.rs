//! Lifecycle hooks that hold.

use std::time::Duration;

use super::*;

const ENDING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";
const HEARTBEAT: i32 = 300;

async fn put(group: &Group<'_>, name: &str, transition: &str, default: &str) {
    let call = group.client().put_lifecycle_hook();
    let call = call.auto_scaling_group_name(group.name);
    let call = call.lifecycle_hook_name(name);
    let call = call.lifecycle_transition(transition);
    let call = call.heartbeat_timeout(HEARTBEAT).default_result(default);
    call.send().await.unwrap();
}

async fn complete(
    group: &Group<'_>,
    hook: &str,
    instance: &str,
    result: &str,
) -> Result<(), String> {
    let call = group.client().complete_lifecycle_action();
    let call = call.auto_scaling_group_name(group.name);
    let call = call.lifecycle_hook_name(hook).instance_id(instance);
    let call = call.lifecycle_action_result(result);
    call.send().await.map(|_| ()).map_err(|error| code(&error))
}

pub(super) async fn a_termination_hook_holds_a_deregistered_member(cloud: &LocalCloud) {
    // Given a protected group with two hooks
    let group = Group::made(cloud, "held", 2).await;
    put(&group, "one", ENDING, "CONTINUE").await;
    put(&group, "two", ENDING, "CONTINUE").await;
    let call = group.client().describe_lifecycle_hooks();
    let call = call.auto_scaling_group_name(group.name);
    let described = call.send().await.unwrap();
    let hook = &described.lifecycle_hooks()[0];
    assert_eq!(hook.heartbeat_timeout(), Some(HEARTBEAT));
    assert_eq!(hook.global_timeout(), Some(100 * HEARTBEAT));
    assert_eq!(hook.notification_target_arn(), None);
    // When a member ends with its place
    let members = group.members().await;
    group.terminate(&members[0], true).await;
    // Then it is deregistered, runs, and counts no longer
    assert_eq!(group.states().await, ["Terminating:Wait", "InService"]);
    assert_eq!(group.targets().await, members[1..]);
    assert!(group.runs(&members[0]).await);
    assert_eq!(group.activities().await[0].0, "MidLifecycleAction");
    // When one that is unhealthy is replaced, it is held as well, and its successor is not
    cloud.unhealthy(&members[1]).await.unwrap();
    let states = ["Terminating:Wait", "Terminating:Wait", "InService"];
    assert_eq!(group.states().await, states);
    // Then both hooks have to let go of it, each once
    complete(&group, "one", &members[0], "CONTINUE")
        .await
        .unwrap();
    assert!(group.runs(&members[0]).await);
    let again = complete(&group, "one", &members[0], "CONTINUE").await;
    assert_eq!(again, Err("ValidationError".to_owned()));
    complete(&group, "two", &members[0], "CONTINUE")
        .await
        .unwrap();
    assert!(!group.runs(&members[0]).await);
    assert_eq!(group.members().await[0], members[1]);
    // ABANDON lets go of it for all
    complete(&group, "two", &members[1], "ABANDON")
        .await
        .unwrap();
    assert_eq!(group.states().await, ["InService"]);
    group.gone().await;
}

pub(super) async fn a_heartbeat_goes_by_and_the_default_result_counts(cloud: &LocalCloud) {
    let group = Group::made(cloud, "heartbeat", 1).await;
    put(&group, "hook", ENDING, "CONTINUE").await;
    let member = group.members().await.remove(0);
    group.desire(0).await;
    let almost = Duration::from_secs(299);
    cloud.hooks_wait(almost).await.unwrap();
    assert_eq!(group.states().await, ["Terminating:Wait"]);
    let beat = group.client().record_lifecycle_action_heartbeat();
    let beat = beat.auto_scaling_group_name(group.name);
    let beat = beat.lifecycle_hook_name("hook").instance_id(&member);
    beat.send().await.unwrap();
    cloud.hooks_wait(almost).await.unwrap();
    assert_eq!(group.states().await, ["Terminating:Wait"]);
    cloud.hooks_wait(Duration::from_secs(1)).await.unwrap();
    assert_eq!(group.members().await, Vec::<String>::new());
    assert!(!group.runs(&member).await);
    group.gone().await;
}

pub(super) async fn a_launching_hook_holds_before_registration(cloud: &LocalCloud) {
    let hook = scaling::LifecycleHookSpecification::builder()
        .lifecycle_hook_name("hook")
        .lifecycle_transition(LAUNCHING)
        .build();
    let with_a_hook = Group::made_with(cloud, "launching", 1, |making| {
        making.lifecycle_hook_specification_list(hook)
    });
    let group = with_a_hook.await;
    assert_eq!(group.states().await, ["Pending:Wait"]);
    assert_eq!(group.targets().await, Vec::<String>::new());
    // Who is abandoned is replaced
    let first = group.members().await.remove(0);
    complete(&group, "hook", &first, "ABANDON").await.unwrap();
    assert!(!group.runs(&first).await);
    assert_eq!(group.states().await, ["Pending:Wait"]);
    let second = group.members().await.remove(0);
    complete(&group, "hook", &second, "CONTINUE").await.unwrap();
    assert_eq!(group.states().await, ["InService"]);
    assert_eq!(group.targets().await, [second]);
    group.gone().await;
}

pub(super) async fn an_abandoned_member_is_retained(cloud: &LocalCloud) {
    let triggers = scaling::RetentionTriggers::builder();
    let triggers = triggers.terminate_hook_abandon(scaling::RetentionAction::Retain);
    let policy = scaling::InstanceLifecyclePolicy::builder();
    let policy = policy.retention_triggers(triggers.build()).build();
    let retaining = Group::made_with(cloud, "retaining", 1, |making| {
        making.instance_lifecycle_policy(policy)
    });
    let group = retaining.await;
    put(&group, "hook", ENDING, "ABANDON").await;
    let member = group.members().await.remove(0);
    group.desire(0).await;
    cloud.hooks_wait(Duration::from_secs(300)).await.unwrap();
    assert_eq!(group.states().await, ["Terminating:Retained"]);
    assert!(group.runs(&member).await);
    group.terminate(&member, false).await;
    assert_eq!(group.members().await, Vec::<String>::new());
    assert!(!group.runs(&member).await);
    group.gone().await;
}

pub(super) async fn what_a_deleted_hook_held_goes_on(cloud: &LocalCloud) {
    let group = Group::made(cloud, "deleted-hook", 1).await;
    put(&group, "hook", ENDING, "ABANDON").await;
    group.desire(0).await;
    assert_eq!(group.states().await, ["Terminating:Wait"]);
    let call = group.client().delete_lifecycle_hook();
    let call = call.auto_scaling_group_name(group.name);
    call.lifecycle_hook_name("hook").send().await.unwrap();
    assert_eq!(group.members().await, Vec::<String>::new());
    group.gone().await;
}
