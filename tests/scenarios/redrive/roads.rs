//! The roads through the state machine: the Tasks that fail on each, together all that there are, and the steps that
//! walk one.

use std::collections::BTreeSet;

use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::breaking::{Breaking, Broken, Failure};
use ebbtide_local_cloud::variant::Variant;
use serde_json::Value;

use crate::scene::{LIMIT, Scene};

/// Some Tasks that are reached on one road.
pub(super) type Road = &'static [&'static str];

/// From the plan to blue's end.
pub(super) const PROMOTION: Road = &[
    "PlanDeployment",
    "TestBlue",
    "AskBlue",
    "ClaimService",
    "AttachGreen",
    "LaunchGreen",
    "TestGreen",
    "AskGreen",
    "RecordSwitch",
    "HoldRetiring",
    "SwitchTargetGroup",
    "AskService",
    "DrainIdle",
    "CheckDrained",
    "DecidePass",
    "TerminateBlue",
    "ReleaseService",
    "DetachRetired",
];

/// A green that never had weight ends.
pub(super) const REJECTION: Road = &["EndGreen", "LetBlueBe", "DetachGreen", "ReleaseFront"];

/// What another deployment left before the switch is cleared, and then everything is planned again.
pub(super) const SUPERSEDING: Road = &[
    "PlanDeployment",
    "ClaimService",
    "EndGreen",
    "LetBlueBe",
    "DetachGreen",
    "ReleaseFront",
];

/// Nothing but reading.
pub(super) const DRY_RUN: Road = &["PlanDeployment", "TestBlue", "AskBlue", "ClaimService"];

/// An alarm sends a deployment back while one of blue's servers hangs.
pub(super) const ROLLBACK: Road = &[
    "DecidePass",
    "ResumeBlue",
    "SwitchBack",
    "LetBlueGo",
    "HoldRetiring",
    "ResumeBlueAgain",
    "TerminateBlue",
    "ReleaseService",
    "DetachRetired",
];

/// An operator's wish to roll back: an execution of its own.
pub(super) const WISH: Road = &["PlanDeployment", "ClaimService"];

/// Another execution rolls back what has stopped.
pub(super) const TAKEN_BACK: Road = &[
    "PlanDeployment",
    "ClaimService",
    "HoldRetiring",
    "DecidePass",
    "ResumeBlue",
    "SwitchBack",
    "LetBlueGo",
];

/// Another execution goes on with what has stopped while it drained.
pub(super) const TAKEN_ON: Road = &["ClaimService", "HoldRetiring", "DecidePass"];

/// The drain is handed to another execution.
pub(super) const DETACHED: Road = &["DecidePass", "ContinueDrain"];

/// That other execution, whose release's reply is lost until the next deployment has claimed the service.
pub(super) const ADOPTED: Road = &[
    "AdoptDrain",
    "HoldRetiring",
    "DrainIdle",
    "CheckDrained",
    "DecidePass",
    "TerminateBlue",
    "ReleaseService",
    "DetachRetired",
];

/// All of them, each with a scenario that asserts that it was walked.
const ROADS: [Road; 10] = [
    PROMOTION,
    REJECTION,
    SUPERSEDING,
    DRY_RUN,
    ROLLBACK,
    WISH,
    TAKEN_BACK,
    TAKEN_ON,
    DETACHED,
    ADOPTED,
];

/// A definition whose long Waits are short: for what a former execution left under way, and for green to boot.
pub(super) async fn without_long_waits(scene: &Scene) -> Variant {
    let definition = scene.cloud.definition().await.expect("the definition");
    Variant::of(definition)
        .wait_seconds("WaitOutOwner", 3)
        .wait_seconds("WaitForGreenToEnd", 1)
        .wait_seconds("WaitForGreen", 1)
}

/// When a deployment with this name starts, whose Tasks will all fail before their effect and after it.
pub(super) async fn breaking_all<'a>(
    scene: &'a Scene,
    name: Option<&str>,
    input: &Value,
) -> Breaking<'a> {
    let whole = without_long_waits(scene).await;
    let tasks = whole.tasks();
    let started = Breaking::start(&scene.cloud, whole, &tasks, name, input, LIMIT);
    started.await.expect("it starts")
}

/// When a deployment with this name starts, in which the Tasks of a road will fail before their effect and after it.
pub(super) async fn breaking<'a>(
    scene: &'a Scene,
    road: Road,
    name: &str,
    input: &Value,
) -> Breaking<'a> {
    let whole = without_long_waits(scene).await;
    let started = Breaking::start(&scene.cloud, whole, road, Some(name), input, LIMIT);
    started.await.expect("it starts")
}

/// When an execution that failed before it did anything is started again from its recorded input, as the very same one,
/// with the Tasks of a road failing before their effect and after it.
pub(super) async fn breaking_again<'a>(
    scene: &'a Scene,
    road: Road,
    execution: &Execution,
    input: &Value,
) -> Breaking<'a> {
    let whole = without_long_waits(scene).await.known_as(execution.arn());
    let name = Some(execution.name());
    let started = Breaking::start(&scene.cloud, whole, road, name, input, LIMIT);
    started.await.expect("it starts")
}

/// When it has been redriven after one failure after another, this one included: `task` has had its effect, its reply is
/// lost.
pub(super) async fn loses_the_reply_of(breaking: &mut Breaking<'_>, task: &str) {
    let lost = Failure {
        task: task.to_owned(),
        took_effect: true,
    };
    loop {
        match breaking.next_failure().await.expect("it fails on purpose") {
            Some(failure) if failure == lost => return,
            Some(_) => {}
            None => {
                let end = breaking.describe().await.expect("it has ended");
                panic!("it ended without {task}: {end}")
            }
        }
    }
}

/// When it has been redriven to the end; then every Task of the road had failed before its effect and after it.
pub(super) async fn walked(breaking: Breaking<'_>, road: Road) -> Broken {
    let broken = breaking.ended().await.expect("redriven to the end");
    let missing: Vec<_> = road
        .iter()
        .filter(|task| !broken.tasks.iter().any(|failed| failed == *task))
        .collect();
    let (failed, standing) = (&broken.tasks, broken.standing.describe(None));
    assert!(
        missing.is_empty(),
        "{missing:?} not in {failed:?}: {standing}"
    );
    broken
}

/// Then every Task that was entered had failed before its effect and after it.
pub(super) async fn spared_none(broken: &Broken) {
    let tasks: BTreeSet<String> = broken.tasks.iter().cloned().collect();
    assert_eq!(broken.entered().await.expect("the histories"), tasks);
    assert_eq!(broken.executions.len(), 1 + 2 * tasks.len());
}

#[test]
fn every_task_of_the_state_machine_fails_on_some_road() {
    let definition = include_str!("../../../statemachine.asl.json");
    let definition = serde_json::from_str(definition).expect("JSON");
    let tasks: BTreeSet<String> = Variant::of(definition).tasks().into_iter().collect();
    let walked: BTreeSet<String> = ROADS.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(walked, tasks);
}
