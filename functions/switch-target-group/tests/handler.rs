//! switch-target-group against an AWS in memory.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

use ebbtide_aws::fake::{Fake, Fault, arn, environment, forward};
use ebbtide_rules::weights::Weights;
use ebbtide_rules::{ErrorName, Fence};
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
        back: false,
        step_seconds: 60,
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
    assert_eq!(switched.moments.settled_at, Some(at(30)));
    assert_eq!(switched.moments.baked_at, Some(at(900)));
    assert_eq!(switched.moments.deadline_at, Some(at(86_400)));
    assert_eq!(switched.moments.step_ends_at, None);
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
    for (blue, green) in [(90, 10), (0, 100)] {
        let name = refused(&fake, payload(blue, green)).await;
        assert_eq!(name, ErrorName::GreenUnhealthy);
    }
    assert_eq!(fake.world().weights(), (100, 0));
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_confirming_pass_tells_that_green_sank_below_the_minimum() {
    for (blue, green) in [(50, 50), (0, 100)] {
        let fake = ready();
        let weights = payload(blue, green);
        switch(&fake, weights.clone()).await.unwrap();
        fake.world().group(&arn("b")).targets[0].healthy = false;
        fake.changes();
        assert_eq!(refused(&fake, weights).await, ErrorName::GreenUnhealthy);
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_step_ends_counts_from_its_own_weights_and_is_kept_by_a_repeat() {
    let fake = ready();
    let cloud = fake.cloud();
    let mut previous = None;
    for (second, (blue, green)) in [(0, (90, 10)), (60, (50, 50))] {
        let step = |previous| Payload {
            previous,
            ..payload(blue, green)
        };
        let call = handle(&cloud, step(previous), at(second));
        let switched = Box::pin(call).await.unwrap();
        let moments = switched.moments;
        assert_eq!(moments.at, at(second));
        assert_eq!(moments.step_ends_at, Some(at(second + 60)));
        assert_eq!((moments.settled_at, moments.deadline_at), (None, None));
        assert_eq!(moments.baked_at, None);
        let call = handle(&cloud, step(Some(switched)), at(second + 30));
        let again = Box::pin(call).await.unwrap();
        assert_eq!((again.moments, again.changed), (moments, false));
        previous = Some(again);
    }
    let last = Payload {
        previous,
        ..payload(0, 100)
    };
    let call = handle(&cloud, last, at(120));
    let switched = Box::pin(call).await.unwrap();
    assert_eq!(switched.moments.baked_at, Some(at(120 + 900)));
    assert_eq!(switched.moments.step_ends_at, None);
}

/// What a rollback wants.
fn back() -> Payload {
    Payload {
        bake_seconds: 0,
        back: true,
        ..payload(100, 0)
    }
}

#[tokio::test]
async fn a_rollback_gives_blue_everything_whatever_has_become_of_green() {
    for live in [&[("a", 50), ("b", 50)], &[("a", 0), ("b", 100)]] {
        let fake = ready();
        fake.world().weigh(live);
        fake.world().group(&arn("b")).targets.clear();
        let switched = switch(&fake, back()).await.unwrap();
        assert_eq!(fake.world().weights(), (100, 0));
        assert_eq!(switched.moments.settled_at, Some(at(30)));
        assert_eq!(switched.moments.baked_at, Some(at(0)));
        assert_eq!(switched.green_healthy, 0);
    }
}

#[tokio::test]
async fn a_call_that_comes_late_by_a_step_sends_nobody_back_to_a_blue_that_drains() {
    for (blue, green) in [(100, 0), (90, 10), (50, 50)] {
        let fake = ready();
        fake.world().weigh(&[("a", 0), ("b", 100)]);
        let error = refused(&fake, payload(blue, green)).await;
        assert_eq!(error, ErrorName::NotConfirmed);
        assert_eq!(fake.world().weights(), (0, 100));
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_rollback_waits_for_a_blue_that_is_short_and_leaves_the_weights() {
    for live in [&[("a", 50), ("b", 50)], &[("a", 0), ("b", 100)]] {
        let fake = ready();
        fake.world().weigh(live);
        let weights = fake.world().weights();
        fake.world().group(&arn("a")).targets[0].healthy = false;
        assert_eq!(refused(&fake, back()).await, ErrorName::TooFewHealthy);
        assert_eq!(fake.world().weights(), weights);
        assert_eq!(fake.changes(), [""; 0]);
        fake.world().group(&arn("a")).targets[0].healthy = true;
        assert!(switch(&fake, back()).await.unwrap().changed);
    }
}

#[tokio::test]
async fn a_rollback_before_any_weight_moved_changes_nothing() {
    let fake = ready();
    fake.world().group(&arn("a")).targets[0].healthy = false;
    assert!(!switch(&fake, back()).await.unwrap().changed);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn weight_is_taken_from_a_blue_that_is_short() {
    let fake = ready();
    fake.world().group(&arn("a")).targets[0].healthy = false;
    for (blue, green) in [(90, 10), (50, 50), (0, 100)] {
        assert!(switch(&fake, payload(blue, green)).await.unwrap().changed);
        assert!(!switch(&fake, payload(blue, green)).await.unwrap().changed);
    }
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
fn the_answer_is_flat_and_a_step_says_null() {
    let json = serde_json::json!({
        "weights": {"blue": 50, "green": 50}, "changed": true, "blueHealthy": 3, "greenHealthy": 3,
        "at": "2026-11-22T10:00:00Z", "settledAt": null, "bakedAt": null, "deadlineAt": null,
        "stepEndsAt": "2026-11-22T10:01:00Z",
    });
    let switched: Switched = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&switched).unwrap(), json);
}

#[test]
fn a_caller_that_knows_no_steps_is_understood() {
    let payload: Payload = serde_json::from_value(serde_json::json!({
        "fence": {"deployment": "deploy-1", "epoch": 5},
        "blue": environment("a"), "green": environment("b"),
        "weights": {"blue": 0, "green": 100}, "minimumHealthy": 3,
        "settleSeconds": 30, "bakeSeconds": 900, "deadlineSeconds": 86_400,
        "previous": {
            "weights": {"blue": 0, "green": 100}, "at": "2026-11-22T10:00:00Z",
            "settledAt": "2026-11-22T10:00:30Z", "bakedAt": "2026-11-22T10:15:00Z",
            "deadlineAt": "2026-11-23T10:00:00Z", "changed": true, "blueHealthy": 3, "greenHealthy": 3,
        },
    }))
    .unwrap();
    assert_eq!(payload.step_seconds, 60);
    assert_eq!(payload.previous.unwrap().moments.step_ends_at, None);
}
