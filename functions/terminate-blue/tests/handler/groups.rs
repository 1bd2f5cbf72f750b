//! An environment that is an Auto Scaling group: its members end through it, and it is parked.

use ebbtide_aws::fake::{fleet_environment, recorded_in_groups};
use ebbtide_rules::hold::{Note, SUSPENDED, SUSPENDED_TAG};
use ebbtide_rules::scaling::{ScalingGroup, Sizes};

use super::*;

const BLUE: &str = "fleet-a";
const GREEN: &str = "fleet-b";

/// Blue's group is held, and blue has no weight any more.
fn held() -> Fake {
    let fake = drained();
    let mut world = fake.world();
    world.put_into_groups();
    let blue = world.scaling_group(BLUE);
    blue.suspended = SUSPENDED.map(str::to_owned).into();
    blue.holds_ends = true;
    let note = Note {
        deployment: "deploy-1".to_owned(),
        environment: "tunnel-a".to_owned(),
        processes: SUSPENDED.map(str::to_owned).into(),
    };
    blue.tags.insert(SUSPENDED_TAG.to_owned(), note.value());
    drop(world);
    fake
}

fn ends(sealed: &[&str]) -> Invocation {
    let blue = fleet_environment("a");
    let doing = Doing::Draining {
        environment: blue.clone(),
        moments: examples::moments(),
    };
    let document = Document {
        retiring: Some(examples::listed(&blue, &servers(&ALL))),
        check: Some(examples::check(sealed)),
        ..examples::about(recorded_in_groups("a", "b"), doing)
    };
    examples::invocation(Act::EndSealed, document)
}

/// Green's group was woken by deploy-1, and never had weight.
fn awake() -> Fake {
    let fake = Fake::new();
    let mut world = fake.world();
    world.put_into_groups();
    for id in ["i-4", "i-5"] {
        world.add(id, "subnet-1", Some("b"), &[]);
        let member = ebbtide_rules::scaling::ScalingMember {
            instance: id.to_owned(),
            protected: true,
            lifecycle: "InService".to_owned(),
        };
        world.scaling_group(GREEN).members.push(member);
    }
    let green = world.scaling_group(GREEN);
    green.sizes = Sizes {
        min: 2,
        max: 6,
        desired: 2,
    };
    "7".clone_into(&mut green.version);
    drop(world);
    fake
}

fn rejected() -> Invocation {
    let document = examples::about(recorded_in_groups("a", "b"), Doing::Rejecting);
    examples::invocation(Act::EndUnserved, document)
}

fn group(fake: &Fake, name: &str) -> ScalingGroup {
    fake.world().scaling_group(name).clone()
}

fn assert_parked(group: &ScalingGroup, kept: &[&str]) {
    assert_eq!(group.sizes, Sizes::PARKED);
    assert!(!group.holds_ends && group.members.is_empty());
    let noted = group.note().map(|note| note.processes);
    assert_eq!(
        noted.unwrap_or_default(),
        ["AlarmNotification", "ScheduledActions"]
    );
    let mut suspended = group.suspended.clone();
    suspended.sort();
    assert_eq!(suspended, kept);
}

#[tokio::test]
async fn the_hook_lets_go_who_has_sealed_and_the_empty_group_is_parked() {
    let fake = held();
    fake.world().ended = InstanceState::Terminated;
    let first = terminate(&fake, &ends(&["i-1"])).await.unwrap();
    assert_eq!((first.verdict, first.remaining), (Verdict::Left, 2));
    let blue = group(&fake, BLUE);
    assert_eq!(
        (blue.sizes.min, blue.sizes.desired, blue.members.len()),
        (2, 2, 2)
    );
    assert_eq!(
        blue.suspended.len(),
        SUSPENDED.len(),
        "held while it drains"
    );
    let last = terminate(&fake, &ends(&ALL)).await.unwrap();
    assert_eq!(last.verdict, Verdict::Gone, "{last:?}");
    assert_parked(
        &group(&fake, BLUE),
        &["AlarmNotification", "ScheduledActions"],
    );
    assert_eq!(group(&fake, BLUE).version, "6");
}

#[tokio::test]
async fn a_member_that_something_else_is_ending_lives_by_the_hook_until_it_has_sealed() {
    let fake = held();
    let wait = "Terminating:Wait";
    wait.clone_into(&mut fake.world().scaling_group(BLUE).members[0].lifecycle);
    terminate(&fake, &ends(&[])).await.unwrap();
    assert_eq!(fake.changes(), [""; 0]);
    assert_eq!(state(&fake, "i-1"), InstanceState::Running);
    terminate(&fake, &ends(&["i-1"])).await.unwrap();
    let changes = fake.changes();
    assert!(
        changes.contains(&"CompleteLifecycleAction".to_owned()),
        "{changes:?}"
    );
    assert_ne!(state(&fake, "i-1"), InstanceState::Running);
}

#[tokio::test]
async fn a_green_that_never_served_shrinks_first_and_names_its_version_of_before() {
    let fake = awake();
    fake.world().ended = InstanceState::Terminated;
    let answer = terminate(&fake, &rejected()).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Gone, "{answer:?}");
    let changes = fake.changes();
    assert_eq!(changes[0], "UpdateAutoScalingGroup", "{changes:?}");
    let ended = changes
        .iter()
        .filter(|it| *it == "TerminateInstanceInAutoScalingGroup");
    assert_eq!(ended.count(), 2);
    let green = group(&fake, GREEN);
    assert_parked(&green, &["AlarmNotification", "ScheduledActions"]);
    assert_eq!(green.version, "6");
}

#[tokio::test]
async fn an_instance_of_somebody_elses_in_greens_target_group_is_not_ended() {
    let fake = awake();
    fake.world().add("i-9", "subnet-1", Some("b"), &[]);
    fake.world().ended = InstanceState::Terminated;
    let failed = terminate(&fake, &rejected()).await.unwrap_err();
    assert!(
        failed
            .to_string()
            .contains("i-9: it is no member of Auto Scaling group fleet-b"),
        "{failed}"
    );
    assert_eq!(state(&fake, "i-9"), InstanceState::Running);
}

#[tokio::test]
async fn whatever_is_lost_while_it_is_parked_the_repeat_ends_as_it_would_have() {
    let lost = [
        "UpdateAutoScalingGroup",
        "CreateOrUpdateTags",
        "SuspendProcesses",
        "TerminateInstanceInAutoScalingGroup",
    ];
    for lost in lost {
        for fault in [Fault::ReplyLost, Fault::Unreachable] {
            let fake = awake();
            fake.world().ended = InstanceState::Terminated;
            fake.fail(lost, fault);
            terminate(&fake, &rejected()).await.unwrap_err();
            let again = terminate(&fake, &rejected()).await.unwrap();
            assert_eq!(again.verdict, Verdict::Gone, "{lost} {fault:?}");
            let both = ["AlarmNotification", "ScheduledActions"];
            assert_parked(&group(&fake, GREEN), &both);
        }
    }
    for lost in [
        "CompleteLifecycleAction",
        "ResumeProcesses",
        "DeleteLifecycleHook",
    ] {
        for fault in [Fault::ReplyLost, Fault::Unreachable] {
            let fake = held();
            fake.world().ended = InstanceState::Terminated;
            fake.fail(lost, fault);
            let mut answer = terminate(&fake, &ends(&ALL)).await;
            for _ in 0..3 {
                if answer.as_ref().is_ok_and(|it| it.verdict == Verdict::Gone) {
                    break;
                }
                answer = terminate(&fake, &ends(&ALL)).await;
            }
            assert_eq!(answer.unwrap().verdict, Verdict::Gone, "{lost} {fault:?}");
            let both = ["AlarmNotification", "ScheduledActions"];
            assert_parked(&group(&fake, BLUE), &both);
        }
    }
}
