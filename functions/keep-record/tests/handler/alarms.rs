//! Alarms: looked at where the deployment may still go back.

use ebbtide_aws::fake::{Fake, FakeAlarm, Fault};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::Act;
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Answer, Doing, Next, Phase};
use jiff::Timestamp;

use crate::{ALL_GREEN, NOW, Run, after, confirmed, deploy};

fn alarm(name: &str, composite: bool, states: &[(i64, &str)]) -> FakeAlarm {
    FakeAlarm {
        name: name.to_owned(),
        minutes: 1,
        composite,
        states: states
            .iter()
            .map(|(second, state)| (after(*second), (*state).to_owned()))
            .collect(),
    }
}

/// `deploy-1` watches these alarms, and looked at them last at [`NOW`].
fn watched(names: &[&str], alarms: Vec<FakeAlarm>) -> Fake {
    let fake = Fake::new();
    let mut world = fake.world();
    world.alarms = alarms;
    let front = world.front().unwrap();
    front.plan.policy.alarms = names.iter().map(|name| (*name).to_owned()).collect();
    front.course.alarms_seen_at = Some(NOW);
    drop(world);
    fake
}

fn baking(fake: &Fake) -> Run {
    fake.world().switch(0, 100);
    let mut run = Run::of_deploy_1(Doing::Watching { weights: ALL_GREEN });
    run.document.switch = Some(confirmed(5, &["a", "b"]));
    run
}

async fn passes(fake: &Fake, second: i64) -> Answer {
    let run = baking(fake);
    run.asks_at(fake, Act::Pass, after(second)).await.unwrap()
}

fn seen_at(fake: &Fake) -> Option<Timestamp> {
    fake.world().front().unwrap().course.alarms_seen_at
}

#[tokio::test]
async fn a_quiet_alarm_lets_the_bake_go_on_and_the_look_is_on_record() {
    let fake = watched(
        &["errors"],
        vec![
            alarm("errors", false, &[(-900, "OK")]),
            // Of somebody else.
            alarm("other", false, &[(-900, "ALARM")]),
        ],
    );
    // It has not been updated since the last look: its history is not asked for.
    fake.fail("DescribeAlarmHistory", Fault::Unreachable);
    let answer = passes(&fake, 30).await;
    assert_eq!(answer.next, Next::Wait, "{}", answer.reason);
    assert_eq!(seen_at(&fake), Some(after(30)));
}

#[tokio::test]
async fn an_alarm_that_fires_rolls_back() {
    for composite in [false, true] {
        let alarms = vec![
            alarm("one", false, &[(-900, "OK")]),
            alarm("two", false, &[(-900, "OK")]),
            alarm("errors", composite, &[(-900, "OK"), (10, "ALARM")]),
        ];
        let fake = watched(&["one", "two", "errors"], alarms);
        let answer = passes(&fake, 30).await;
        assert_eq!((answer.next, answer.epoch), (Next::RollBack, 6));
        assert_eq!(answer.reason, "in state ALARM: errors");
        let front = fake.world().front().cloned().unwrap();
        assert!(matches!(front.phase, Phase::RollingBack { .. }));
    }
}

#[tokio::test]
async fn an_alarm_that_fired_and_cleared_between_two_passes_rolls_back() {
    for composite in [false, true] {
        let states = [
            (-900, "OK"),
            (5, "INSUFFICIENT_DATA"),
            (8, "OK"),
            (10, "ALARM"),
            (20, "OK"),
        ];
        let fake = watched(&["errors"], vec![alarm("errors", composite, &states)]);
        let answer = passes(&fake, 30).await;
        assert_eq!(answer.next, Next::RollBack);
        assert!(
            answer
                .reason
                .contains("fired since the last look and quiet again: errors"),
            "{}",
            answer.reason
        );
    }
}

#[tokio::test]
async fn what_an_alarm_did_before_the_last_look_counts_no_more() {
    let states = [(-60, "ALARM"), (-30, "OK"), (12, "INSUFFICIENT_DATA")];
    let fake = watched(&["errors"], vec![alarm("errors", false, &states)]);
    assert_eq!(passes(&fake, 30).await.next, Next::Wait);
}

#[tokio::test]
async fn an_alarm_that_is_deleted_rolls_back() {
    let fake = watched(
        &["errors", "latency"],
        vec![alarm("errors", false, &[(-900, "OK")])],
    );
    let answer = passes(&fake, 30).await;
    assert_eq!(answer.next, Next::RollBack);
    assert_eq!(answer.reason, "alarms that do not exist: latency");
}

#[tokio::test]
async fn more_alarms_than_one_call_takes_are_all_looked_at() {
    let names: Vec<String> = (0..230).map(|number| format!("alarm-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let quiet = names.iter().map(|name| alarm(name, false, &[(-900, "OK")]));
    let mut alarms: Vec<FakeAlarm> = quiet.collect();
    assert_eq!(
        passes(&watched(&names, alarms.clone()), 30).await.next,
        Next::Wait
    );
    alarms[229] = alarm("alarm-229", false, &[(10, "ALARM")]);
    let answer = passes(&watched(&names, alarms), 30).await;
    assert_eq!(answer.reason, "in state ALARM: alarm-229");
}

#[tokio::test]
async fn nothing_is_asked_of_cloudwatch_where_no_alarm_is_watched() {
    let fake = watched(&[], Vec::new());
    fake.fail("DescribeAlarms", Fault::Unreachable);
    assert_eq!(passes(&fake, 30).await.next, Next::Wait);
}

#[tokio::test]
async fn an_alarm_before_the_switch_rejects_green_and_moves_nothing() {
    let fake = watched(&["errors"], vec![alarm("errors", false, &[(10, "ALARM")])]);
    let run = Run::of_deploy_1(Doing::Launching);
    let answer = run.asks(&fake, Act::Switch).await.unwrap();
    assert_eq!(answer.next, Next::Reject);
    assert!(answer.reason.contains("errors"), "{}", answer.reason);
    assert_eq!(fake.world().front().unwrap().phase, Phase::Claimed);
    let fake = watched(&["errors"], vec![alarm("errors", false, &[(-900, "OK")])]);
    let answer = run.asks(&fake, Act::Switch).await.unwrap();
    assert_eq!(answer.next, Next::Pass);
    assert_eq!(fake.world().front().unwrap().phase, Phase::Switched);
}

#[tokio::test]
async fn an_alarm_at_the_claim_refuses_it_and_an_old_firing_does_not() {
    let mut asked = deploy(false);
    if let Asked::Deploy(deploy) = &mut asked {
        deploy.recorded.policy.alarms = vec!["errors".to_owned()];
    }
    let run = Run::planned("second", "second", 5, asked);
    let fake = watched(&[], vec![alarm("errors", false, &[(-9, "ALARM")])]);
    fake.world().record.as_mut().unwrap().front = None;
    let cause = run
        .is_refused(&fake, Act::Claim, ErrorName::PreflightRefused)
        .await;
    assert!(cause.contains("errors"), "{cause}");
    fake.world().alarms = vec![alarm("errors", false, &[(-9, "ALARM"), (-1, "OK")])];
    let answer = run.asks(&fake, Act::Claim).await.unwrap();
    assert_eq!(answer.next, Next::Launch);
    assert_eq!(seen_at(&fake), Some(NOW));
}

#[tokio::test]
async fn what_it_may_not_read_is_named() {
    let cases = [
        ("DescribeAlarms", "AccessDenied"),
        ("DescribeAlarms", "AccessDeniedException"),
        ("DescribeAlarmHistory", "AccessDenied"),
    ];
    for (operation, code) in cases {
        let fake = watched(&["errors"], vec![alarm("errors", false, &[(10, "OK")])]);
        let run = baking(&fake);
        fake.fail(operation, Fault::Refused(code));
        let cause = run
            .is_refused(&fake, Act::Pass, ErrorName::AccessDenied)
            .await;
        assert!(
            cause.contains(operation) && cause.contains("grant"),
            "{cause}"
        );
    }
}
