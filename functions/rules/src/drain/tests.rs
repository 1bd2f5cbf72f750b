//! What is ordered of whom, and what becomes of an order.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::report::UnknownReason;
use crate::report::examples::report;

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn question() -> Question {
    Question {
        pace: Pace(20.0),
        settled_at: Some(NOW),
        changed_at: None,
        baking: true,
        poll_seconds: 30,
    }
}

fn orders(decision: Decision) -> Vec<(String, Order)> {
    match decision {
        Decision::Order { orders, .. } => orders,
        Decision::NotSettled { settled_at } => panic!("not settled until {settled_at:?}"),
    }
}

#[test]
fn a_server_that_does_not_answer_keeps_its_share_of_the_pace() {
    let servers = [
        report("i-0a", Admission::Draining, 0, 9),
        report("i-0b", Admission::Draining, 0, 9),
    ];
    let paced = |unknown| -> f64 {
        orders(decide(&servers.each_ref(), unknown, &question(), NOW))
            .iter()
            .map(|(_, order)| order.per_second)
            .sum()
    };
    let whole = paced(0);
    assert!((paced(1) - whole * 2.0 / 3.0).abs() < 1e-9);
    assert!((paced(2) - whole / 2.0).abs() < 1e-9);
}

#[test]
fn nothing_is_ordered_until_the_load_balancer_has_settled() {
    let server = report("i-0a", Admission::Open, 0, 9);
    let before = NOW - SignedDuration::from_millis(1);
    assert_eq!(
        decide(&[&server], 0, &question(), before),
        Decision::NotSettled {
            settled_at: Some(NOW)
        }
    );
    assert_eq!(orders(decide(&[&server], 0, &question(), NOW)).len(), 1);
}

#[test]
fn nothing_is_ordered_while_no_moment_of_settling_is_known() {
    let server = report("i-0a", Admission::Open, 0, 9);
    let in_a_step = Question {
        settled_at: None,
        ..question()
    };
    let decision = decide(&[&server], 0, &in_a_step, NOW);
    assert_eq!(decision, Decision::NotSettled { settled_at: None });
    let drained = Drained::not_settled(None, NOW);
    assert_eq!(
        (drained.ordered, drained.reason.as_str()),
        (
            0,
            "the load balancer still sends new sessions: nothing ordered"
        )
    );
}

#[test]
fn the_pace_is_split_by_what_there_is_to_close() {
    let servers = [
        report("i-0a", Admission::Draining, 3, 99),
        report("i-0b", Admission::Draining, 3, 59),
        report("i-0c", Admission::Open, 3, 39),
    ];
    let orders = orders(decide(&servers.each_ref(), 0, &question(), NOW));
    let split: Vec<(&str, f64)> = orders
        .iter()
        .map(|(instance, order)| (instance.as_str(), order.per_second))
        .collect();
    assert_eq!(split, [("i-0a", 10.0), ("i-0b", 6.0), ("i-0c", 4.0)]);
}

#[test]
fn a_sealed_server_needs_no_order_and_has_no_share() {
    let sealed = report("i-0a", Admission::Sealed, 0, 0);
    let busy = report("i-0b", Admission::Draining, 1, 0);
    let decision = decide(&[&sealed, &busy], 0, &question(), NOW);
    assert!(matches!(decision, Decision::Order { sealed: 1, .. }));
    assert_eq!(
        orders(decision),
        [(
            "i-0b".to_owned(),
            Order {
                per_second: 20.0,
                lease_seconds: 62
            }
        )]
    );
    assert_eq!(orders(decide(&[&sealed], 0, &question(), NOW)), []);
}

#[test]
fn the_lease_outlasts_the_next_wait_by_a_minute() {
    let server = report("i-0a", Admission::Draining, 1, 0);
    let lease = |unchanged: i64, baking| {
        let question = Question {
            changed_at: Some(NOW - SignedDuration::from_secs(unchanged)),
            baking,
            ..question()
        };
        orders(decide(&[&server], 0, &question, NOW))[0]
            .1
            .lease_seconds
    };
    assert_eq!(lease(0, true), 62);
    assert_eq!(lease(100, true), 70);
    assert_eq!(lease(9000, true), 90);
    assert_eq!(lease(9000, false), 360);
}

#[test]
fn an_order_is_taken_by_a_server_that_drains_or_has_sealed() {
    let answered = |admission| Reply::Report(report("i-0a", admission, 0, 0));
    assert_eq!(taken(&answered(Admission::Draining)), Ok(()));
    assert_eq!(taken(&answered(Admission::Sealed)), Ok(()));
    assert!(taken(&answered(Admission::Open)).is_err());
    let sealed = report("i-0a", Admission::Sealed, 0, 0);
    assert_eq!(
        taken(&Reply::Refused(Refusal::Sealed, sealed.clone())),
        Ok(())
    );
    assert!(taken(&Reply::Refused(Refusal::StaleEpoch, sealed)).is_err());
    assert!(taken(&Reply::Unknown(UnknownReason::TimedOut)).is_err());
}

#[test]
fn what_was_done_is_summed_up_and_twenty_unknown_servers_are_told() {
    let order = Order {
        per_second: 10.0,
        lease_seconds: 62,
    };
    let untold = Untold {
        instance: "i-0a".to_owned(),
        reason: "no answer in time".to_owned(),
    };
    let drained = Drained::of_orders(&[order, order], 62, 1, vec![untold.clone(); 30], NOW);
    assert_eq!(
        (drained.ordered, drained.per_second, drained.lease_seconds),
        (2, 20.0, 62)
    );
    assert_eq!(drained.unknown.len(), 20);
    assert_eq!(
        drained.reason,
        "servers ordered: 2, to close 20.0 idle sessions a second for 62 s; sealed: 1; unknown: 30"
    );
    let long = Untold {
        reason: "x".repeat(500),
        ..untold
    };
    let told = Drained::of_orders(&[order], 62, 0, vec![long], NOW).unknown;
    assert_eq!(told[0].reason.chars().count(), 120, "cut");
    let none = Drained::of_orders(&[], 62, 3, vec![], NOW);
    assert_eq!(none.lease_seconds, 0);
    assert_eq!(none.reason, "no server to order; sealed: 3; unknown: 0");
    let json = serde_json::to_string(&none).unwrap();
    assert!(json.contains(r#""perSecond":0.0"#), "{json}");
}

#[test]
fn a_pace_is_a_number_above_zero() {
    assert_eq!(Pace::of(20), Pace(20.0));
    assert_eq!(Pace::of(0), Pace(1.0));
}

proptest! {
    #[test]
    fn shares_are_positive_and_add_up_to_the_pace(
        idle in proptest::collection::vec(0_u64..10_000_000, 1..500),
        pace in 0.1_f64..1000.0,
    ) {
        let servers: Vec<SessionReport> =
            idle.iter().map(|idle| report("i-0a", Admission::Draining, 0, *idle)).collect();
        let question = Question { pace: Pace(pace), ..question() };
        let orders = orders(decide(&servers.iter().collect::<Vec<_>>(), 0, &question, NOW));
        let sum: f64 = orders.iter().map(|(_, order)| order.per_second).sum();
        prop_assert!((sum - pace).abs() < 1e-6 * pace);
        prop_assert!(orders.iter().all(|(_, order)| order.per_second > 0.0));
    }
}
