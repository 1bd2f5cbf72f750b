//! switch-target-group against an AWS in memory.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

use ebbtide_cloud::fake::{Fake, Fault, arn, environment, forward};
use ebbtide_deployment::weights::Weights;
use ebbtide_deployment::{ErrorName, Fence};
use ebbtide_runtime::Failure;
use jiff::Timestamp;
use switch_target_group::{Failed, Payload, Switched, handle};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn payload(blue: u32, green: u32) -> Payload {
    Payload {
        fence: Fence {
            deployment: "deploy-1".to_owned(),
            epoch: 5,
        },
        blue: environment("a"),
        green: environment("b"),
        weights: Weights { blue, green },
        minimum_healthy: 3,
        settle_seconds: 30,
        bake_seconds: 900,
        deadline_seconds: 86_400,
        previous: None,
    }
}

/// A service whose green is healthy, and whose record says that weights are about to move.
fn ready() -> Fake {
    let fake = Fake::new();
    for index in 4..=6 {
        fake.world().add_green(&format!("i-{index}"), "subnet-1");
    }
    mark_switched(&fake);
    fake
}

fn mark_switched(fake: &Fake) {
    if let Some(record) = fake.world().record.as_mut() {
        record.switched = true;
    }
}

async fn switch(fake: &Fake, payload: Payload) -> Result<Switched, Failed> {
    Box::pin(handle(&fake.cloud(), payload, at(0))).await
}

async fn refused(fake: &Fake, payload: Payload) -> ErrorName {
    switch(fake, payload).await.unwrap_err().name()
}

#[tokio::test]
async fn all_weight_goes_to_green_and_blue_stays_at_0() {
    let fake = ready();
    let switched = switch(&fake, payload(0, 100)).await.unwrap();
    assert_eq!(fake.world().weights(), (0, 100));
    assert_eq!(fake.changes(), ["ModifyListener"]);
    assert!(switched.changed);
    assert_eq!((switched.blue_healthy, switched.green_healthy), (3, 3));
    assert_eq!(switched.moments.settled_at, at(30));
    assert_eq!(switched.moments.baked_at, at(900));
    assert_eq!(switched.moments.deadline_at, at(86_400));
}

#[tokio::test]
async fn green_is_attached_while_it_is_empty() {
    let fake = Fake::new();
    fake.world().weigh(&[("a", 1)]);
    switch(&fake, payload(100, 0)).await.unwrap();
    assert_eq!(fake.world().weights(), (100, 0));
}

#[tokio::test]
async fn a_repeat_changes_nothing_and_keeps_the_moments() {
    let fake = ready();
    let first = switch(&fake, payload(0, 100)).await.unwrap();
    fake.changes();
    let again = Payload {
        previous: Some(first.clone()),
        ..payload(0, 100)
    };
    let second = Box::pin(handle(&fake.cloud(), again, at(60)))
        .await
        .unwrap();
    assert_eq!(fake.changes(), Vec::<String>::new());
    assert_eq!(
        second,
        Switched {
            changed: false,
            ..first
        }
    );
}

#[tokio::test]
async fn weights_that_somebody_moved_are_put_right_and_count_anew() {
    let fake = ready();
    let first = switch(&fake, payload(0, 100)).await.unwrap();
    fake.world().weigh(&[("a", 50), ("b", 50)]);
    let again = Payload {
        previous: Some(first),
        ..payload(0, 100)
    };
    let second = Box::pin(handle(&fake.cloud(), again, at(60)))
        .await
        .unwrap();
    assert_eq!(fake.world().weights(), (0, 100));
    assert!(second.changed);
    assert_eq!(second.moments.at, at(60));
}

#[tokio::test]
async fn a_lost_reply_is_mended_by_the_retry() {
    let fake = ready();
    fake.fail("ModifyListener", Fault::ReplyLost);
    assert_eq!(
        refused(&fake, payload(0, 100)).await,
        ErrorName::AwsUnavailable
    );
    assert_eq!(fake.world().weights(), (0, 100));
    fake.changes();
    let switched = switch(&fake, payload(0, 100)).await.unwrap();
    assert!(!switched.changed);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn every_call_that_fails_is_named_and_moves_nothing() {
    let codes = [
        ("UnauthorizedOperation", ErrorName::AccessDenied),
        ("AccessDenied", ErrorName::AccessDenied),
        ("Throttling", ErrorName::Throttled),
        ("InvalidConfigurationRequest", ErrorName::AwsRefused),
    ];
    for operation in [
        "GetItem",
        "DescribeListeners",
        "DescribeTargetHealth",
        "ModifyListener",
    ] {
        for (code, name) in codes {
            let fake = ready();
            fake.fail(operation, Fault::Refused(code));
            let error = switch(&fake, payload(0, 100)).await.unwrap_err();
            assert_eq!(error.name(), name, "{operation} {code}");
            assert!(
                error.to_string().contains(code) && error.to_string().contains("redrive"),
                "{error}"
            );
            assert_eq!(fake.world().weights(), (100, 0));
        }
        let fake = ready();
        fake.fail(operation, Fault::Unreachable);
        assert_eq!(
            refused(&fake, payload(0, 100)).await,
            ErrorName::AwsUnavailable,
            "{operation}"
        );
    }
}

#[tokio::test]
async fn a_late_function_moves_nothing() {
    for (owner, epoch) in [(Some("deploy-2"), 5), (Some("deploy-1"), 6), (None, 5)] {
        let fake = ready();
        if let Some(record) = fake.world().record.as_mut() {
            record.owner = owner.map(str::to_owned);
            record.epoch = epoch;
        }
        assert_eq!(refused(&fake, payload(0, 100)).await, ErrorName::Superseded);
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn green_below_the_minimum_gets_nothing() {
    let fake = ready();
    fake.world().group(&arn("b")).targets[0].healthy = false;
    assert_eq!(
        refused(&fake, payload(0, 100)).await,
        ErrorName::TooFewHealthy
    );
    assert_eq!(fake.world().weights(), (100, 0));
}

#[tokio::test]
async fn a_confirming_pass_tells_that_green_sank_below_the_minimum() {
    let fake = ready();
    switch(&fake, payload(0, 100)).await.unwrap();
    fake.world().group(&arn("b")).targets[0].healthy = false;
    assert_eq!(
        refused(&fake, payload(0, 100)).await,
        ErrorName::TooFewHealthy
    );
    assert_eq!(fake.world().weights(), (0, 100));
}

#[tokio::test]
async fn nothing_moves_before_the_record_says_so() {
    let fake = ready();
    if let Some(record) = fake.world().record.as_mut() {
        record.switched = false;
    }
    assert_eq!(
        refused(&fake, payload(0, 100)).await,
        ErrorName::NotConfirmed
    );
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_listener_that_somebody_changed_is_refused() {
    let fake = ready();
    fake.world().weigh(&[("a", 100), ("c", 0)]);
    assert_eq!(
        refused(&fake, payload(0, 100)).await,
        ErrorName::NotConfirmed
    );
    fake.world().actions = vec![forward(&[("a", 100)]), forward(&[("b", 100)])];
    assert_eq!(
        refused(&fake, payload(0, 100)).await,
        ErrorName::NotConfirmed
    );
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_change_that_does_not_last_is_not_confirmed() {
    let fake = ready();
    fake.world().stubborn = true;
    assert_eq!(
        refused(&fake, payload(0, 100)).await,
        ErrorName::NotConfirmed
    );
}

#[test]
fn the_answer_is_flat() {
    let switched = Switched {
        weights: Weights {
            blue: 0,
            green: 100,
        },
        moments: ebbtide_deployment::weights::Moments::from(at(0), 30, 900, 86_400),
        changed: true,
        blue_healthy: 3,
        green_healthy: 3,
    };
    let json = serde_json::to_value(&switched).unwrap();
    let mut keys: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "at",
            "bakedAt",
            "blueHealthy",
            "changed",
            "deadlineAt",
            "greenHealthy",
            "settledAt",
            "weights"
        ]
    );
    assert_eq!(serde_json::from_value::<Switched>(json).unwrap(), switched);
}
