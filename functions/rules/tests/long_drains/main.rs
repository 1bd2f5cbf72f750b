//! Days-long drains by simulation: a virtual clock runs passes in the order of the definition, over the real decisions.
//!
//! Real are what is ordered, who is asked to seal, what is believed, how long is waited and when the deadline is;
//! simulated are the servers, AWS's counting and its prices. `docs/long-drains.md` holds the table and says how it came
//! about; this test fails when the two differ. `cargo test -p ebbtide-rules --test long_drains -- --nocapture`
//! prints it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

mod bill;
mod blue;
mod drain;
mod walk;

use bill::{Bill, MOST_EVENTS};
use blue::Blue;
use drain::{Drain, Plan};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A name, blue with its last end moved on by so many milliseconds, and the policy.
type Scenario = (&'static str, fn(i64) -> Blue, Plan);

/// The scenarios of the table: what is drained, and how.
fn scenarios() -> Vec<Scenario> {
    let plan = Plan::default();
    let long_bake = Plan {
        bake_seconds: 86_400,
        ..plan
    };
    vec![
        (
            "3,000 sessions end evenly in 2 hours",
            |shift| Blue::steady(10, 3_000, 2 * HOUR + shift),
            plan,
        ),
        (
            "one session lasts 20 hours, 1,000 are idle",
            |shift| Blue::one_long(10, 1_000, 20 * HOUR + shift),
            plan,
        ),
        (
            "10,000 sessions end evenly in 7 days",
            |shift| Blue::steady(10, 10_000, 7 * DAY + shift),
            plan,
        ),
        (
            "10,000 sessions end in 28 bursts in 7 days",
            |shift| Blue::bursts(10, 10_000, 28, 7 * DAY + shift),
            plan,
        ),
        (
            "10,000 evenly in 7 days, with a bake of a day",
            |shift| Blue::steady(10, 10_000, 7 * DAY + shift),
            long_bake,
        ),
    ]
}

#[test]
fn days_long_drains_fit_into_their_histories_and_their_end_is_noticed_soon() {
    let mut table = Bill::heading();
    for (name, blue, plan) in scenarios() {
        // How late an end is noticed depends on where in a wait of 300 s it falls.
        let mut bills = (0..5).map(|shift| Drain::new(blue(shift * 61_000), plan).run());
        let mut bill = bills.next().unwrap();
        for other in bills {
            bill.is_also_late_by(&other);
        }
        assert!(bill.longest_execution() < MOST_EVENTS, "{name}: {bill:?}");
        assert_eq!(bill.failures, 0, "{name}");
        table.push_str(&bill.row(name));
    }
    println!("{table}");
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/long-drains.md");
    let document = std::fs::read_to_string(document).unwrap();
    assert!(
        document.contains(&table),
        "docs/long-drains.md has another table"
    );
}

/// The table has 5 % of the Tasks retried; a history has room for a worse day of AWS's.
#[test]
fn a_third_of_all_tasks_may_be_retried_in_every_pass_of_a_bake_of_a_week() {
    let plan = Plan {
        bake_seconds: 7 * 86_400,
        tasks_per_retry: 3,
        ..Plan::default()
    };
    let bill = Drain::new(Blue::steady(10, 10_000, 7 * DAY), plan).run();
    assert!(bill.longest_execution() < MOST_EVENTS, "{bill:?}");
}

/// A drain of three days with a deadline of one needs a redrive a day, whether or not AWS tells us of it.
#[test]
fn redrives_carry_a_drain_past_its_deadline_told_or_not() {
    // An operator looks after an hour; untold, a redrive is granted from 90 minutes on, so the second one works.
    for (is_redrive_told, failures) in [(true, 2), (false, 4)] {
        let plan = Plan {
            deadline_seconds: 86_400,
            is_redrive_told,
            ..Plan::default()
        };
        let bill = Drain::new(Blue::steady(10, 10_000, 3 * DAY), plan).run();
        assert_eq!(bill.failures, failures, "told: {is_redrive_told}");
        assert!(bill.longest_execution() < MOST_EVENTS);
    }
}
