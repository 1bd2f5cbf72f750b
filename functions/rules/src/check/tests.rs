//! The check by table: totals, memory and waits here, the sentence, the deadline and the document beside it.

mod deadline;
mod document;
mod sentence;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::report::examples::{fence, report};
use crate::report::{Admission, SessionReport, UnknownReason};
use crate::{Environment, Fence, Server};

/// 2026-11-18T10:40:00Z
const NOW: Timestamp = Timestamp::constant(1_794_998_400, 0);

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn held(instance: &str, busy: u64, idle: u64) -> (String, Standing) {
    let report = report(instance, Admission::Draining, busy, idle);
    (instance.to_owned(), Standing::Held(report))
}

fn sealed_one(instance: &str) -> (String, Standing) {
    let report = report(instance, Admission::Sealed, 0, 0);
    (instance.to_owned(), Standing::Sealed(report))
}

fn unheard(instance: &str) -> (String, Standing) {
    (
        instance.to_owned(),
        Standing::Unknown(UnknownReason::Refused),
    )
}

fn retiring(standings: &[(String, Standing)]) -> Retiring {
    Retiring {
        environment: Environment {
            target_group_arns: vec!["arn".to_owned()],
            name: "tunnel-a".to_owned(),
            auto_scaling_group: None,
        },
        servers: standings
            .iter()
            .map(|(instance, _)| Server {
                instance: instance.clone(),
                ip: "10.0.0.4".to_owned(),
            })
            .collect(),
        gone: vec![],
        waiting_to_end: vec![],
        held_up: Vec::new(),
        listed_at: NOW,
    }
}

fn asker() -> &'static Fence {
    static FENCE: std::sync::LazyLock<Fence> = std::sync::LazyLock::new(fence);
    &FENCE
}

/// Settled and baked long ago, with the deadline far ahead.
fn question<'a>(retiring: &'a Retiring, previous: Option<&'a Check>) -> Question<'a> {
    Question {
        fence: asker(),
        retiring,
        settled_at: Some(after(-100)),
        baked_at: Some(after(-50)),
        step_began_at: None,
        step_ends_at: None,
        may_seal: true,
        deadline: Deadline {
            at: Some(after(86_400)),
            term_seconds: 86_400,
            redrives: 0,
        },
        poll_seconds: 30,
        previous,
        refused: &[],
        repairs: None,
        service: None,
    }
}

fn check(standings: &[(String, Standing)], previous: Option<&Check>, now: Timestamp) -> Check {
    let retiring = retiring(standings);
    conclude(standings, &question(&retiring, previous), now).unwrap()
}

#[test]
fn totals_are_of_the_servers_that_answered_and_only_acknowledged_seals_count() {
    let check = check(
        &[
            held("i-0a", 2, 10),
            held("i-0b", 1, 0),
            sealed_one("i-0c"),
            unheard("i-0d"),
            held("i-0e", 0, 0),
        ],
        None,
        NOW,
    );
    assert_eq!(
        (check.counts.busy, check.counts.idle, check.counts.servers),
        (3, 10, 5)
    );
    assert_eq!(check.sealed, ["i-0c"]);
    assert_eq!(check.counts.unknown_servers.len(), 1);
    assert_eq!(check.counts.unknown_servers[0].since, NOW);
    assert_eq!(check.memory.changed_at, NOW);
    assert_eq!(check.outlook.wait_seconds, 2);
}

#[test]
fn unknown_since_is_carried_over_until_the_server_answers_again() {
    let first = check(&[unheard("i-0a"), held("i-0b", 1, 0)], None, NOW);
    let second = check(&[unheard("i-0a"), unheard("i-0b")], Some(&first), after(10));
    let since: Vec<_> = second
        .counts
        .unknown_servers
        .iter()
        .map(|unheard| unheard.since)
        .collect();
    assert_eq!(since, [NOW, after(10)]);
    let third = check(
        &[held("i-0a", 1, 0), unheard("i-0b")],
        Some(&second),
        after(20),
    );
    let fourth = check(&[unheard("i-0a"), unheard("i-0b")], Some(&third), after(30));
    let since: Vec<_> = fourth
        .counts
        .unknown_servers
        .iter()
        .map(|unheard| unheard.since)
        .collect();
    assert_eq!(since, [after(10), after(30)], "silent for longest first");
}

#[test]
fn what_changes_is_remembered_and_what_stays_makes_the_wait_grow() {
    let standings = [held("i-0a", 1, 0), sealed_one("i-0b"), unheard("i-0c")];
    let first = check(&standings, None, NOW);
    let same = check(&standings, Some(&first), after(100));
    assert_eq!(
        (same.memory.changed_at, same.outlook.wait_seconds),
        (NOW, 10)
    );
    for changed in [
        vec![held("i-0a", 2, 0), sealed_one("i-0b"), unheard("i-0c")],
        vec![held("i-0a", 1, 1), sealed_one("i-0b"), unheard("i-0c")],
        vec![held("i-0a", 1, 0), held("i-0b", 0, 0), unheard("i-0c")],
        vec![unheard("i-0a"), sealed_one("i-0b"), unheard("i-0c")],
        vec![held("i-0a", 1, 0), sealed_one("i-0b")],
    ] {
        let check = check(&changed, Some(&same), after(200));
        // A fiftieth of the 300 s since the load balancer settled.
        assert_eq!(
            (check.memory.changed_at, check.outlook.wait_seconds),
            (after(200), 6)
        );
    }
    let mut retiring = retiring(&standings);
    retiring.gone.push("i-0f".to_owned());
    let gone = conclude(&standings, &question(&retiring, Some(&same)), after(200)).unwrap();
    assert_eq!(gone.memory.changed_at, after(200));
}

#[test]
fn the_wait_does_not_miss_the_end_of_the_bake_or_of_settling() {
    let standings = [held("i-0a", 1, 0)];
    let retiring = retiring(&standings);
    let first = check(&standings, None, after(-1000));
    let at = |settled, baked| {
        let question = Question {
            settled_at: Some(after(settled)),
            baked_at: Some(after(baked)),
            ..question(&retiring, Some(&first))
        };
        conclude(&standings, &question, NOW)
            .unwrap()
            .outlook
            .wait_seconds
    };
    assert_eq!(at(-1, 500), 30);
    assert_eq!(at(-1, 12), 12);
    assert_eq!(at(-1, 1), 2);
    assert_eq!(at(-1, -1), 100);
    assert_eq!(at(7, 500), 7);
}

#[test]
fn the_worst_twenty_are_told_busiest_first() {
    let mut standings: Vec<_> = (0..30).map(|n| held(&format!("i-{n:02}"), n, 0)).collect();
    standings.push(held("i-99", 29, 5));
    let worst = check(&standings, None, NOW).counts.worst;
    assert_eq!(worst.len(), 20);
    assert_eq!((worst[0].instance.as_str(), worst[0].idle), ("i-99", 5));
    assert_eq!((worst[1].instance.as_str(), worst[1].busy), ("i-29", 29));
}

#[test]
fn a_server_that_belongs_to_a_newer_deployment_stops_us() {
    let newer = SessionReport {
        epoch: 6,
        ..report("i-0a", Admission::Draining, 1, 0)
    };
    let standings = [("i-0a".to_owned(), Standing::Held(newer))];
    let retiring = retiring(&standings);
    let refused = conclude(&standings, &question(&retiring, None), NOW).unwrap_err();
    assert!(matches!(refused, CheckRefused::NewerEpoch(_)), "{refused}");
}

#[test]
fn nothing_is_settled_or_baked_that_is_not_known_and_the_record_has_the_last_word() {
    let standings = [held("i-0a", 0, 0)];
    let retiring = retiring(&standings);
    let known = question(&retiring, None);
    let unsettled = Question {
        settled_at: None,
        ..known
    };
    let unbaked = Question {
        baked_at: None,
        ..known
    };
    let not_said = Question {
        may_seal: false,
        ..known
    };
    let cases = [
        (
            known,
            true,
            true,
            "1 server in use by something that is no session (i-0a)",
        ),
        (unsettled, false, true, "the load balancer to settle"),
        (unbaked, false, false, "the bake"),
        (not_said, false, false, "the bake"),
    ];
    for (question, may_seal, baked, waiting_for) in cases {
        let check = conclude(&standings, &question, NOW).unwrap();
        assert_eq!(question.stage(NOW).may_seal(), may_seal);
        assert_eq!(!check.outlook.baking, baked);
        assert_eq!(check.outlook.settled, question.settled_at.is_some());
        assert_eq!(check.outlook.waiting_for, waiting_for);
    }
}

#[test]
fn a_step_of_traffic_is_waited_for_by_its_clock_and_has_no_deadline() {
    let standings = [held("i-0a", 1, 0)];
    let retiring = retiring(&standings);
    let first = check(&standings, None, after(-1000));
    let step = Question {
        settled_at: None,
        baked_at: None,
        step_began_at: Some(after(-500)),
        step_ends_at: Some(after(83_000)),
        may_seal: false,
        deadline: Deadline {
            at: None,
            term_seconds: 600,
            redrives: 0,
        },
        ..question(&retiring, Some(&first))
    };
    let check = conclude(&standings, &step, NOW).unwrap();
    assert!(check.outlook.baking && !check.outlook.settled);
    assert_eq!(
        (check.outlook.wait_seconds, check.memory.deadline_at),
        (30, None)
    );
    assert_eq!(check.outlook.forecast.ends_at, None);
    assert!(
        check
            .outlook
            .waiting_for
            .ends_with("; the next step of traffic, until 2026-11-19 09:43:20"),
        "{}",
        check.outlook.waiting_for
    );
    let wait = |question: Question<'_>| {
        conclude(&standings, &question, NOW)
            .unwrap()
            .outlook
            .wait_seconds
    };
    let soon = Some(after(12));
    assert_eq!(
        wait(Question {
            step_ends_at: soon,
            ..step
        }),
        12
    );
    // Something changes all the time: only the step's own clock makes the wait longer.
    let changing = Question {
        previous: None,
        ..step
    };
    assert_eq!(wait(changing), 10);
    assert_eq!(
        wait(Question {
            step_began_at: None,
            ..changing
        }),
        2
    );
    let over = Question {
        step_ends_at: Some(NOW),
        ..step
    };
    let over = conclude(&standings, &over, NOW)
        .unwrap()
        .outlook
        .waiting_for;
    assert!(over.ends_with("; the next step of traffic"), "{over}");
}

proptest! {
    #[test]
    fn nothing_unsealed_is_ever_licensed(kinds in proptest::collection::vec(0_u8..4, 0..40)) {
        let standings: Vec<_> = kinds
            .iter()
            .enumerate()
            .map(|(n, kind)| {
                let instance = format!("i-{n}");
                match kind {
                    0 => held(&instance, 1, 0),
                    1 => held(&instance, 0, 0),
                    2 => unheard(&instance),
                    _ => sealed_one(&instance),
                }
            })
            .collect();
        let check = check(&standings, None, NOW);
        for (instance, standing) in &standings {
            prop_assert_eq!(check.sealed.contains(instance), matches!(standing, Standing::Sealed(_)));
            let is_unknown = check.memory.unknown_since.contains_key(instance);
            prop_assert_eq!(is_unknown, matches!(standing, Standing::Unknown(_)));
        }
    }
}

#[test]
fn what_was_closed_is_counted_on_when_servers_are_silent_restart_or_end() {
    let closing = |instance: &str, closed| {
        let report = SessionReport {
            closed,
            ..report(instance, Admission::Draining, 1, 0)
        };
        (instance.to_owned(), Standing::Held(report))
    };
    let mut previous: Option<Check> = None;
    for (standings, closed) in [
        (vec![closing("i-0a", 5), closing("i-0b", 7)], 12),
        (vec![unheard("i-0a"), closing("i-0b", 8)], 13),
        (vec![closing("i-0a", 6), closing("i-0b", 2)], 16),
        (vec![closing("i-0b", 3)], 17),
        (vec![], 17),
        (
            vec![closing("i-0a", u64::MAX), closing("i-0b", 1)],
            u64::MAX,
        ),
        (vec![closing("i-0a", 0)], u64::MAX),
        (vec![closing("i-0a", u64::MAX)], u64::MAX),
        (vec![], u64::MAX),
    ] {
        let next = check(&standings, previous.as_ref(), NOW);
        assert_eq!(next.counts.closed, closed, "{standings:?}");
        previous = Some(next);
    }
}
