//! Redrive is the retry: of a deployment whose function dies just before each of its effects on a group, and just after it.
//!
//! The function is killed in its call, which AWS never saw, or has done. Its Task is not tried again: the execution fails,
//! and is redriven.

use std::collections::BTreeSet;

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::alarms::State;
use ebbtide_local_cloud::faults::AwsFault;
use ebbtide_local_cloud::options::Options;
use ebbtide_local_cloud::variant::Variant;
use serde_json::{Value, json};

use super::{
    GROUPS, PARKED, blue_is_as_before_and_green_parked, both, fleets_with, ill,
    only_those_in_use_are_left, parked, resumed, serving, settings,
};
use crate::rollback::long_bake;
use crate::scaling::unprotect_one;
use crate::scene::{ENVIRONMENTS, LIMIT, Scene, hasty};
use crate::sessions::Seen;

/// A function, and a call of it that changes a group.
type Effect = (&'static str, &'static str);

/// Green's group is woken, gets back what parking took, and loses the note of it.
const WAKE: [Effect; 3] = [
    ("launch-green", "UpdateAutoScalingGroup"),
    ("launch-green", "ResumeProcesses"),
    ("launch-green", "DeleteTags"),
];

/// Blue is held: noted, suspended, hooked, protected.
const HOLD: [Effect; 4] = [
    ("hold-blue", "CreateOrUpdateTags"),
    ("hold-blue", "SuspendProcesses"),
    ("hold-blue", "PutLifecycleHook"),
    ("hold-blue", "SetInstanceProtection"),
];

/// The end of a member that something else is ending is held up for longer.
const HOLD_UP: [Effect; 1] = [("hold-blue", "RecordLifecycleActionHeartbeat")];

/// Blue is let go, and then the notes on its group and on its members.
const LET_GO: [Effect; 5] = [
    ("hold-blue", "ResumeProcesses"),
    ("hold-blue", "SetInstanceProtection"),
    ("hold-blue", "DeleteLifecycleHook"),
    ("hold-blue", "DeleteTags"),
    ("hold-blue", "DeleteTags"),
];

/// A server that has sealed ends: the smallest size is lowered, its group ends it, the hook lets it go.
const END: [Effect; 3] = [
    ("terminate-blue", "UpdateAutoScalingGroup"),
    ("terminate-blue", "TerminateInstanceInAutoScalingGroup"),
    ("terminate-blue", "CompleteLifecycleAction"),
];

/// A group that was held is parked: the sizes first, the hook last.
const PARK: [Effect; 4] = [
    ("terminate-blue", "UpdateAutoScalingGroup"),
    ("terminate-blue", "ResumeProcesses"),
    ("terminate-blue", "CreateOrUpdateTags"),
    ("terminate-blue", "DeleteLifecycleHook"),
];

/// A group that never served is parked: the sizes first, then its members end, then what could wake it is suspended.
const REJECT: [Effect; 4] = [
    ("terminate-blue", "UpdateAutoScalingGroup"),
    ("terminate-blue", "TerminateInstanceInAutoScalingGroup"),
    ("terminate-blue", "CreateOrUpdateTags"),
    ("terminate-blue", "SuspendProcesses"),
];

/// The next call of each of these will be kept back, and the one after it answered to nobody.
fn lose(scene: &Scene, effects: &[Effect]) {
    let aws = scene.cloud.aws_faults().expect("a proxy before AWS");
    for (_, action) in effects {
        for fault in [AwsFault::Held, AwsFault::ReplyHeld] {
            aws.on(action, fault, 1);
        }
    }
}

/// When a deployment starts whose Tasks are not tried again.
async fn deployed(scene: &Scene, input: &Value) -> Execution {
    let definition = scene.cloud.definition().await.expect("the definition");
    let whole = Variant::of(definition);
    let once = |variant: Variant, task: &String| variant.tried_once(task);
    let variant = whole.tasks().iter().fold(whole, once);
    let started = scene.cloud.start_variant(&variant, None, input).await;
    started.expect("it starts")
}

/// When its function dies before each of these effects and after it, and it is redriven each time but the last.
async fn lost(scene: &Scene, mut execution: Execution, effects: &[Effect]) -> Execution {
    let aws = scene.cloud.aws_faults().expect("a proxy before AWS");
    for (index, (function, action)) in effects.iter().enumerate() {
        for done in [0, 1] {
            let before = aws.forwarded(action);
            if index + done > 0 {
                execution = scene.redriven(&execution).await;
            }
            let held = aws.held(action, LIMIT).await;
            let held = held.unwrap_or_else(|error| panic!("{function} {action}: {error}"));
            let killed = scene.cloud.kill_function(function);
            killed.expect("it is killed");
            drop(held);
            assert_eq!(aws.forwarded(action) - before, done, "{action}");
            let failed = execution.ended(LIMIT).await.expect("it ends");
            let told = failed.describe(None);
            assert_eq!(failed.status, ExecutionStatus::Failed, "{told}");
        }
    }
    execution
}

async fn fleets() -> Scene {
    fleets_with(Options {
        faults: true,
        ..Options::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_of_a_group_survives_the_loss_of_each_effect_before_it_is_done_and_after() {
    let scene = fleets().await;
    let busy = scene.busy("busy").await;
    let release = scene.cloud.add_version("stand-in --health 503").await;
    release.expect("a version");
    let before = both(&scene).await;
    // When a release that never becomes healthy is deployed, and each of its effects on green's group is lost
    lose(&scene, &WAKE[..1]);
    lose(&scene, &REJECT);
    let input = json!({"green": {"healthySeconds": 10}});
    let execution = deployed(&scene, &input).await;
    let execution = lost(&scene, execution, &WAKE[..1]).await;
    let execution = scene.redriven(&execution).await;
    let execution = lost(&scene, execution, &REJECT).await;
    let execution = scene.redriven(&execution).await;
    // Then it ends as it would have
    scene.fails_with(&execution, "GreenRejected").await;
    blue_is_as_before_and_green_parked(&scene, &before, execution.name()).await;
    assert_eq!(busy.seen(), Seen::Asked);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_of_a_group_survives_the_loss_of_each_effect_before_it_is_done_and_after() {
    let scene = fleets().await;
    let busy = scene.busy("busy").await;
    scene.quiet_alarm("errors").await;
    unprotect_one(&scene, GROUPS[0]).await;
    let before = both(&scene).await;
    // When each effect of holding blue is lost
    lose(&scene, &HOLD);
    let mut input = long_bake();
    input["bake"]["alarms"] = json!(["errors"]);
    let execution = deployed(&scene, &input).await;
    let execution = lost(&scene, execution, &HOLD).await;
    let execution = scene.redriven(&execution).await;
    scene.passes(&execution, "CheckDrained", 1).await;
    // And each of letting it go, as an alarm fires
    lose(&scene, &LET_GO);
    let fires = scene.cloud.set_alarm("errors", State::Alarm).await;
    fires.expect("it fires");
    let execution = lost(&scene, execution, &LET_GO).await;
    let execution = scene.redriven(&execution).await;
    // Then it is rolled back, and both groups are as they were, apart from what parking needs
    scene.fails_with(&execution, "RolledBack").await;
    assert_eq!(busy.seen(), Seen::Asked);
    blue_is_as_before_and_green_parked(&scene, &before, execution.name()).await;
    scene.serves_as_before("RolledBack").await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_of_a_group_survives_the_loss_of_each_effect_before_it_is_done_and_after() {
    // Given a green that a deployment has parked
    let scene = fleets().await;
    let version = scene.cloud.add_version("").await.expect("a version");
    let before = both(&scene).await;
    parked_by_another(&scene).await;
    let wanted = parked(&before[1], "another", ENVIRONMENTS[1]);
    assert_eq!(settings(&scene, GROUPS[1]).await, wanted);
    let mut busy = scene.busy("busy").await;
    let in_use = scene.in_use().await;
    let witness = scene.cloud.witness();
    // When each effect of waking it is lost, and each of the end of a server of blue's that nobody uses
    lose(&scene, &WAKE);
    let execution = deployed(&scene, &hasty()).await;
    let execution = lost(&scene, execution, &WAKE).await;
    lose(&scene, &END);
    let execution = scene.redriven(&execution).await;
    let execution = lost(&scene, execution, &END).await;
    // And each of holding up the end of those in use, which fail their health checks once an apply has resumed all processes
    resumed(&scene).await;
    for instance in &in_use {
        ill(&scene, instance).await;
    }
    lose(&scene, &HOLD_UP);
    let execution = scene.redriven(&execution).await;
    let execution = lost(&scene, execution, &HOLD_UP).await;
    let execution = scene.redriven(&execution).await;
    only_those_in_use_are_left(&scene, in_use.len()).await;
    assert_eq!(busy.seen(), Seen::Asked);
    // And each of parking, as the last user leaves
    lose(&scene, &PARK);
    busy.leave();
    let execution = lost(&scene, execution, &PARK).await;
    let execution = scene.redriven(&execution).await;
    // Then it is promoted as if nothing had happened
    scene.promoted(&execution).await;
    let wanted = serving(&before[1], &before[0], &version.to_string());
    assert_eq!(settings(&scene, GROUPS[1]).await, wanted);
    let wanted = parked(&before[0], execution.name(), ENVIRONMENTS[0]);
    assert_eq!(settings(&scene, GROUPS[0]).await, wanted);
    let seen = witness.testimony().await.expect("a testimony");
    crate::scene::action_was_right(&seen);
    scene.ends().await;
}

/// Given that a deployment called `another` has parked the group that is green next.
async fn parked_by_another(scene: &Scene) {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let suspending = auto_scaling.suspend_processes();
    let suspending = suspending.auto_scaling_group_name(GROUPS[1]);
    let suspending = suspending.set_scaling_processes(Some(PARKED.map(str::to_owned).into()));
    suspending.send().await.expect("they are suspended");
    let note = aws_sdk_autoscaling::types::Tag::builder()
        .resource_id(GROUPS[1])
        .resource_type("auto-scaling-group")
        .key("ebbtide:suspended")
        .value(format!("another {} {}", ENVIRONMENTS[1], PARKED.join(" ")))
        .propagate_at_launch(false);
    let noting = auto_scaling.create_or_update_tags().tags(note.build());
    noting.send().await.expect("it is noted");
}

#[test]
fn every_call_that_a_function_may_change_a_group_by_is_lost_in_some_scenario() {
    let template = include_str!("../../../template.yaml");
    let named = template.split("autoscaling:").skip(1);
    let may: BTreeSet<&str> = named
        .filter_map(|text| text.split(|it: char| !it.is_alphanumeric()).next())
        .filter(|action| !action.is_empty() && !action.starts_with("Describe"))
        .collect();
    let scenarios: [&[Effect]; 7] = [&WAKE, &HOLD, &HOLD_UP, &LET_GO, &END, &PARK, &REJECT];
    let lost = scenarios.concat().into_iter().map(|(_, action)| action);
    assert_eq!(lost.collect::<BTreeSet<_>>(), may);
}
