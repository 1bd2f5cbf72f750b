//! switch-target-group against an AWS in memory.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

mod listeners;
mod retiring;

use std::sync::atomic::{AtomicI64, Ordering};

use ebbtide_aws::fake::{Fake, Fault, arn, forward, recorded};
use ebbtide_rules::document::{Act, Invocation, Told};
use ebbtide_rules::record::{Doing, Phase};
use ebbtide_rules::weights::{Switched, Weights};
use ebbtide_rules::{ErrorName, examples};
use jiff::{SignedDuration, Timestamp};
use switch_target_group::{Failed, handle};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn invocation(act: Act) -> Invocation {
    examples::invocation(act, examples::about(recorded("a", "b"), Doing::Launching))
}

/// A pass that has had this answer before.
fn weighing(former: Option<Told<Switched>>) -> Invocation {
    let mut call = invocation(Act::Weigh);
    call.document.switch = former;
    call
}

/// A service whose green is healthy, and whose record says that weights may move: all of them to green.
fn ready() -> Fake {
    let fake = Fake::new();
    for index in 4..=6 {
        fake.world().add_green(&format!("i-{index}"), "subnet-1");
    }
    fake.world().switch(0, 100);
    fake
}

async fn answer(fake: &Fake, call: Invocation, second: i64) -> Result<Told<Switched>, Failed> {
    Box::pin(handle(&fake.cloud(), || at(second), call)).await
}

/// Weighs as the record says.
async fn switch(fake: &Fake) -> Result<Told<Switched>, Failed> {
    answer(fake, weighing(None), 0).await
}

/// The record says these weights.
fn want(fake: &Fake, (blue, green): (u32, u32)) {
    fake.world().switch(blue, green);
}

async fn refused(fake: &Fake) -> ErrorName {
    switch(fake).await.unwrap_err().name()
}

fn of_pair((blue, green): (u32, u32)) -> Weights {
    Weights { blue, green }
}

#[tokio::test]
async fn all_weight_goes_to_green_and_blue_stays_at_0() {
    let fake = ready();
    let switched = switch(&fake).await.unwrap();
    assert_eq!(fake.world().weights(), (0, 100));
    assert_eq!(fake.changes(), ["ModifyListener"]);
    assert!(switched.changed);
    assert_eq!((switched.epoch, switched.weights), (5, of_pair((0, 100))));
    assert_eq!(switched.groups, [arn("a"), arn("b")]);
    assert_eq!((switched.blue_healthy, switched.green_healthy), (3, 3));
    assert_eq!(switched.moments.settled_at, Some(at(30)));
    assert_eq!(switched.moments.baked_at, Some(at(900)));
    assert_eq!(switched.moments.deadline_at, Some(at(86_400)));
    assert_eq!(switched.moments.step_ends_at, None);
    assert_eq!(switched.unanswered_until, None);
}

#[tokio::test]
async fn what_follows_new_weights_counts_from_when_they_were_read_and_not_from_when_the_call_began()
{
    let fake = ready();
    let slow = AtomicI64::default();
    // AWS takes 20 seconds and a bit between one look at the clock and the next.
    let clock = || at(0) + SignedDuration::from_millis(slow.fetch_add(20_001, Ordering::Relaxed));
    let cloud = fake.cloud();
    let call = handle(&cloud, clock, weighing(None));
    let switched = Box::pin(call).await.unwrap();
    assert_eq!(switched.confirmed_at, at(0));
    // The call looks three times: as it begins, before the change, and when the change is confirmed.
    assert_eq!(switched.moments.at, at(41));
    assert_eq!(switched.moments.settled_at, Some(at(71)));
    assert_eq!(switched.moments.baked_at, Some(at(941)));
}

#[tokio::test]
async fn green_is_attached_while_it_is_empty() {
    let fake = Fake::new();
    fake.world().weigh(&[("a", 1)]);
    let attached = answer(&fake, invocation(Act::Attach), 0).await.unwrap();
    assert_eq!(fake.world().weights(), (100, 0));
    assert_eq!(attached.groups, [arn("a"), arn("b")]);
}

#[tokio::test]
async fn a_repeat_changes_nothing_and_keeps_the_moments() {
    let fake = ready();
    let first = switch(&fake).await.unwrap();
    fake.changes();
    let again = weighing(Some(first.clone()));
    let second = answer(&fake, again, 60).await.unwrap();
    assert_eq!(fake.changes(), Vec::<String>::new());
    assert!(!second.changed);
    assert_eq!(second.moments, first.moments);
}

#[tokio::test]
async fn weights_that_somebody_moved_are_put_right_and_settle_anew_and_the_bake_stays() {
    let fake = ready();
    let first = switch(&fake).await.unwrap();
    fake.world().weigh(&[("a", 50), ("b", 50)]);
    let second = answer(&fake, weighing(Some(first)), 60).await.unwrap();
    assert_eq!(fake.world().weights(), (0, 100));
    assert!(second.changed && second.repairs.repaired);
    assert_eq!(second.repairs.found, "tunnel-a 50, tunnel-b 50");
    assert_eq!(second.moments.at, at(0));
    assert_eq!(second.moments.settled_at, Some(at(90)));
    assert_eq!(second.moments.baked_at, Some(at(900)));
    assert_eq!(second.moments.deadline_at, Some(at(86_400)));
    let third = answer(&fake, weighing(Some(second.clone())), 70).await;
    let third = third.unwrap();
    assert_eq!(third.moments, second.moments);
    assert_eq!((third.repairs.total, third.repairs.repaired), (1, false));
}

#[tokio::test]
async fn a_fight_over_the_weights_ends_after_three_repairs_and_a_redrive_begins_to_count_anew() {
    let fake = ready();
    let mut call = weighing(Some(switch(&fake).await.unwrap()));
    for redrives in 0..2 {
        call.redrives = redrives;
        for _ in 0..3 {
            fake.world().weigh(&[("a", 100), ("b", 0)]);
            call.document.switch = Some(answer(&fake, call.clone(), 60).await.unwrap());
            assert_eq!(fake.world().weights(), (0, 100));
        }
        fake.changes();
        fake.world().weigh(&[("a", 100), ("b", 0)]);
        let error = answer(&fake, call.clone(), 60).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::WeightsContested);
        let cause = error.to_string();
        let found = "set right 3 times, and the action is tunnel-a 100, tunnel-b 0 again";
        assert!(cause.contains(found), "{cause}");
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_answer_of_a_former_epoch_does_not_count() {
    let fake = ready();
    let mut former = switch(&fake).await.unwrap();
    former.answer.epoch = 4;
    let taken_over = answer(&fake, weighing(Some(former)), 60).await.unwrap();
    assert!(!taken_over.changed);
    assert_eq!(taken_over.moments.at, at(60));
}

#[tokio::test]
async fn nothing_settles_while_a_call_that_was_not_answered_may_give_weight_back() {
    let fake = ready();
    let mut retried = weighing(None);
    retried.retries = 1;
    let first = answer(&fake, retried, 0).await.unwrap();
    assert_eq!(first.moments.settled_at, Some(at(75)));
    assert_eq!(first.unanswered_until, Some(at(75)));
    let second = answer(&fake, weighing(Some(first)), 60).await.unwrap();
    assert_eq!(second.moments.settled_at, Some(at(75)));
    assert_eq!(second.unanswered_until, Some(at(75)));
    let mut redriven = weighing(None);
    redriven.redrives = 1;
    let redriven = answer(&fake, redriven, 100).await.unwrap();
    assert_eq!(redriven.moments.settled_at, Some(at(175)));
}

#[tokio::test]
async fn a_lost_reply_is_mended_by_the_retry() {
    let fake = ready();
    fake.fail("ModifyListener", Fault::ReplyLost);
    assert_eq!(refused(&fake).await, ErrorName::AwsUnavailable);
    assert_eq!(fake.world().weights(), (0, 100));
    fake.changes();
    let switched = switch(&fake).await.unwrap();
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
            let error = switch(&fake).await.unwrap_err();
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
            refused(&fake).await,
            ErrorName::AwsUnavailable,
            "{operation}"
        );
    }
}

#[tokio::test]
async fn a_late_function_moves_nothing() {
    for (deployment, epoch) in [("deploy-2", 5), ("deploy-1", 4), ("deploy-1", 6)] {
        let fake = ready();
        {
            let mut world = fake.world();
            let owner = &mut world.front().unwrap().owner;
            (owner.deployment, owner.epoch) = (deployment.to_owned(), epoch);
        }
        assert_eq!(refused(&fake).await, ErrorName::Superseded);
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
    let fake = ready();
    fake.world().retires("a");
    assert_eq!(refused(&fake).await, ErrorName::Superseded);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn each_act_is_admitted_in_its_phase_alone() {
    let acts = [Act::Attach, Act::Weigh, Act::WeighBack, Act::Detach];
    let phases: [(Phase, &[Act]); 3] = [
        (Phase::Claimed, &[Act::Attach, Act::Detach]),
        (Phase::Switched, &[Act::Weigh]),
        (examples::rolling_back(), &[Act::WeighBack]),
    ];
    for (phase, admitted) in phases {
        for act in acts.iter().filter(|act| !admitted.contains(act)) {
            let fake = ready();
            fake.world().phase(phase.clone());
            let error = answer(&fake, invocation(*act), 0).await.unwrap_err();
            assert_eq!(error.name(), ErrorName::Superseded, "{act:?} {phase:?}");
            assert_eq!(fake.changes(), [""; 0]);
        }
    }
    let error = answer(&ready(), invocation(Act::Hold), 0)
        .await
        .unwrap_err();
    assert_eq!(error.name(), ErrorName::InvalidInput);
}

#[tokio::test]
async fn a_function_that_becomes_late_while_it_reads_moves_nothing() {
    let fake = ready();
    fake.fail("DescribeListeners", Fault::Superseding);
    assert_eq!(refused(&fake).await, ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn green_below_the_minimum_gets_nothing() {
    let fake = ready();
    fake.world().group(&arn("b")).targets[0].healthy = false;
    for weights in [(90, 10), (0, 100)] {
        want(&fake, weights);
        assert_eq!(refused(&fake).await, ErrorName::GreenUnhealthy);
    }
    assert_eq!(fake.world().weights(), (100, 0));
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_confirming_pass_tells_that_green_sank_below_the_minimum() {
    for weights in [(50, 50), (0, 100)] {
        let fake = ready();
        want(&fake, weights);
        switch(&fake).await.unwrap();
        fake.world().group(&arn("b")).targets[0].healthy = false;
        fake.changes();
        assert_eq!(refused(&fake).await, ErrorName::GreenUnhealthy);
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_step_ends_counts_from_its_own_weights_and_is_kept_by_a_repeat() {
    let fake = ready();
    let mut previous = None;
    for (second, weights) in [(0, (90, 10)), (60, (50, 50))] {
        want(&fake, weights);
        let switched = answer(&fake, weighing(previous), second).await.unwrap();
        let moments = switched.moments;
        assert_eq!(moments.at, at(second));
        assert_eq!(moments.step_ends_at, Some(at(second + 60)));
        assert_eq!((moments.settled_at, moments.deadline_at), (None, None));
        assert_eq!(moments.baked_at, None);
        let call = weighing(Some(switched));
        let again = answer(&fake, call, second + 30).await.unwrap();
        assert_eq!((again.moments, again.changed), (moments, false));
        previous = Some(again);
    }
    want(&fake, (0, 100));
    let switched = answer(&fake, weighing(previous), 120).await.unwrap();
    assert_eq!(switched.moments.baked_at, Some(at(120 + 900)));
    assert_eq!(switched.moments.step_ends_at, None);
}

/// A rollback gives blue its weight back.
async fn back(fake: &Fake) -> Result<Told<Switched>, Failed> {
    fake.world().phase(examples::rolling_back());
    answer(fake, invocation(Act::WeighBack), 0).await
}

#[tokio::test]
async fn a_rollback_gives_blue_everything_whatever_has_become_of_green() {
    for live in [&[("a", 50), ("b", 50)], &[("a", 0), ("b", 100)]] {
        let fake = ready();
        fake.world().weigh(live);
        fake.world().group(&arn("b")).targets.clear();
        let switched = back(&fake).await.unwrap();
        assert_eq!(fake.world().weights(), (100, 0));
        assert_eq!(switched.moments.settled_at, Some(at(30)));
        assert_eq!(switched.moments.baked_at, Some(at(0)));
        assert_eq!(switched.green_healthy, 0);
    }
}

#[tokio::test]
async fn a_call_that_comes_late_by_a_step_sends_nobody_back_to_a_blue_that_drains() {
    for weights in [(100, 0), (90, 10), (50, 50)] {
        let fake = ready();
        fake.world().weigh(&[("a", 0), ("b", 100)]);
        want(&fake, weights);
        assert_eq!(refused(&fake).await, ErrorName::NotConfirmed);
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
        let error = back(&fake).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::TooFewHealthy);
        assert_eq!(fake.world().weights(), weights);
        assert_eq!(fake.changes(), [""; 0]);
        fake.world().group(&arn("a")).targets[0].healthy = true;
        assert!(back(&fake).await.unwrap().changed);
    }
}

#[tokio::test]
async fn a_rollback_before_any_weight_moved_changes_nothing() {
    let fake = ready();
    fake.world().group(&arn("a")).targets[0].healthy = false;
    assert!(!back(&fake).await.unwrap().changed);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn weight_is_taken_from_a_blue_that_is_short() {
    let fake = ready();
    fake.world().group(&arn("a")).targets[0].healthy = false;
    for weights in [(90, 10), (50, 50), (0, 100)] {
        want(&fake, weights);
        assert!(switch(&fake).await.unwrap().changed);
        assert!(!switch(&fake).await.unwrap().changed);
    }
}

#[tokio::test]
async fn a_listener_that_somebody_changed_is_refused() {
    let fake = ready();
    fake.world().weigh(&[("a", 100), ("x", 0)]);
    assert_eq!(refused(&fake).await, ErrorName::NotConfirmed);
    fake.world().actions = vec![forward(&[("a", 100)]), forward(&[("b", 100)])];
    assert_eq!(refused(&fake).await, ErrorName::NotConfirmed);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_change_that_does_not_last_is_not_confirmed() {
    let fake = ready();
    fake.world().stubborn = true;
    assert_eq!(refused(&fake).await, ErrorName::NotConfirmed);
}

#[test]
fn the_answer_is_flat_and_a_step_says_null() {
    let json = serde_json::json!({
        "epoch": 5, "weights": {"blue": 50, "green": 50}, "groups": ["arn:a", "arn:b"], "changed": true,
        "confirmedAt": "2026-11-22T10:00:00Z",
        "blueHealthy": 3, "greenHealthy": 3, "at": "2026-11-22T10:00:00Z", "settledAt": null, "bakedAt": null,
        "deadlineAt": null, "stepEndsAt": "2026-11-22T10:01:00Z", "unansweredUntil": null,
        "repairs": {"total": 0, "sinceRedrive": 0, "redrives": 0, "repaired": false, "found": ""},
    });
    let switched: Told<Switched> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&switched).unwrap(), json);
}
