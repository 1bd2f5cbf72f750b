//! launch-green against an AWS in memory, where green is an Auto Scaling group.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

use ebbtide_aws::fake::{Fake, Fault, recorded_in_groups};
use ebbtide_rules::document::{Act, Invocation, Told};
use ebbtide_rules::hold::SUSPENDED_TAG;
use ebbtide_rules::launch::{Launched, Verdict};
use ebbtide_rules::record::Doing;
use ebbtide_rules::scaling::Sizes;
use ebbtide_rules::{ErrorName, examples};
use jiff::Timestamp;
use launch_green::{Failed, handle};

const GREEN: &str = "fleet-b";
const SIZES: Sizes = Sizes {
    min: 2,
    max: 6,
    desired: 3,
};

/// Every environment is an Auto Scaling group; green's is parked as the deployment before left it.
fn parked() -> Fake {
    let fake = Fake::new();
    let mut world = fake.world();
    world.put_into_groups();
    let group = world.scaling_group(GREEN);
    let both = ["AlarmNotification", "ScheduledActions"];
    group.suspended = both.map(str::to_owned).into();
    group.suspended.push("AZRebalance".to_owned());
    let note = format!("deploy-0 tunnel-b {}", both.join(" "));
    group.tags.insert(SUSPENDED_TAG.to_owned(), note);
    drop(world);
    fake
}

fn invocation(former: Option<Told<Launched>>) -> Invocation {
    let document = ebbtide_rules::document::Document {
        green: former,
        ..examples::about(recorded_in_groups("a", "b"), Doing::Launching)
    };
    examples::invocation(Act::Launch, document)
}

async fn launch(
    fake: &Fake,
    former: Option<Told<Launched>>,
    at: i64,
) -> Result<Told<Launched>, Failed> {
    let now = Timestamp::from_second(at).unwrap();
    Box::pin(handle(&fake.cloud(), now, invocation(former))).await
}

#[tokio::test]
async fn a_parked_group_wakes_with_blues_sizes_the_version_and_its_users_processes() {
    let fake = parked();
    let launched = launch(&fake, None, 0).await.unwrap();
    assert_eq!(launched.verdict, Verdict::Healthy, "{}", launched.reason);
    assert_eq!(
        (launched.healthy, launched.wanted, launched.servers.len()),
        (3, 3, 3)
    );
    assert_eq!(
        fake.changes(),
        [
            "UpdateAutoScalingGroup",
            "ResumeProcesses",
            "DeleteTags of a group"
        ]
    );
    let mut world = fake.world();
    let group = world.scaling_group(GREEN);
    assert_eq!((group.sizes, group.version.as_str()), (SIZES, "7"));
    assert_eq!(
        group.suspended,
        ["AZRebalance"],
        "what its user had suspended"
    );
    assert_eq!(group.note(), None);
}

#[tokio::test]
async fn a_repeat_changes_nothing_more_and_leaves_what_policies_set() {
    let fake = parked();
    launch(&fake, None, 0).await.unwrap();
    fake.changes();
    let policy = Sizes {
        desired: 2,
        ..SIZES
    };
    fake.world().scaling_group(GREEN).sizes = policy;
    launch(&fake, None, 5).await.unwrap();
    assert_eq!(fake.changes(), [""; 0]);
    assert_eq!(fake.world().scaling_group(GREEN).sizes, policy);
}

#[tokio::test]
async fn whatever_is_lost_half_way_is_done_by_the_repeat() {
    for lost in [
        "UpdateAutoScalingGroup",
        "ResumeProcesses",
        "DeleteTags of a group",
    ] {
        for fault in [Fault::ReplyLost, Fault::Unreachable] {
            let fake = parked();
            fake.fail(lost, fault);
            launch(&fake, None, 0).await.unwrap_err();
            let launched = launch(&fake, None, 5).await.unwrap();
            assert_eq!(launched.verdict, Verdict::Healthy, "{lost} {fault:?}");
            let mut world = fake.world();
            let group = world.scaling_group(GREEN);
            assert_eq!(
                (group.sizes, group.members.len()),
                (SIZES, 3),
                "{lost} {fault:?}"
            );
            assert_eq!(group.note(), None, "{lost} {fault:?}");
        }
    }
}

#[tokio::test]
async fn one_that_was_superseded_wakes_nobody() {
    let fake = parked();
    fake.world().record.as_mut().unwrap().epoch = 6;
    fake.world().front().unwrap().owner.epoch = 6;
    let failed = launch(&fake, None, 0).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
    assert_eq!(fake.world().scaling_group(GREEN).sizes, Sizes::PARKED);
}

#[tokio::test]
async fn launches_that_fail_are_told_in_auto_scalings_words_and_given_up_in_time() {
    let fake = parked();
    fake.world().launches_failed = vec!["VcpuLimitExceeded: you have requested more".to_owned()];
    let waits = launch(&fake, None, 0).await.unwrap();
    assert_eq!(waits.verdict, Verdict::Wait);
    assert!(
        waits.reason.contains("VcpuLimitExceeded"),
        "{}",
        waits.reason
    );
    let late = launch(&fake, Some(waits), 601).await.unwrap();
    assert_eq!(late.verdict, Verdict::Rejected);
    assert!(late.reason.contains("VcpuLimitExceeded"), "{}", late.reason);
}
