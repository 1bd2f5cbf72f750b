//! Whom the deadline calls for, and whom not.

use super::*;

#[test]
fn the_deadline_calls_for_whatever_has_not_sealed_and_not_for_what_only_has_to_end() {
    let cases = [
        (vec![held("i-0a", 1, 0)], true),
        (vec![held("i-0a", 0, 0)], true),
        (vec![unheard("i-0a"), sealed_one("i-0b")], true),
        (vec![sealed_one("i-0a")], false),
        (vec![], false),
    ];
    for (standings, refused) in cases {
        let mut retiring = retiring(&standings);
        retiring.waiting_to_end.push("i-0f".to_owned());
        let late = after(86_401);
        retiring.listed_at = late;
        let got = conclude(&standings, &question(&retiring, None), late);
        assert_eq!(got.is_err(), refused, "{standings:?}");
        assert!(conclude(&standings, &question(&retiring, None), after(86_400)).is_ok());
    }
}

#[test]
fn the_deadlines_cause_names_the_blocker_and_what_a_redrive_does() {
    let standings = [held("i-0abc", 2, 0)];
    let retiring = Retiring {
        listed_at: after(90_000),
        ..retiring(&standings)
    };
    let refused = conclude(&standings, &question(&retiring, None), after(90_000)).unwrap_err();
    let cause = refused.to_string();
    assert!(
        cause.contains("2 busy sessions on 1 server (i-0abc"),
        "{cause}"
    );
    assert!(
        cause.contains("that grants 86400 s more, counted from the redrive"),
        "{cause}"
    );
}

#[test]
fn a_redrive_moves_the_deadline_on_whether_it_is_told_or_only_seen() {
    let standings = [held("i-0a", 1, 0)];
    let retiring = retiring(&standings);
    let mut last = check(&standings, None, after(86_300));
    last.memory.deadline_at = Some(after(86_400));
    let with = |redrives| Question {
        deadline: Deadline {
            at: Some(after(86_400)),
            term_seconds: 86_400,
            redrives,
        },
        ..question(&retiring, Some(&last))
    };
    assert!(conclude(&standings, &with(0), after(86_401)).is_err());
    let told = conclude(&standings, &with(1), after(86_500)).unwrap();
    assert_eq!(
        (told.memory.deadline_at, told.memory.redrives),
        (Some(after(172_900)), 1)
    );
    // The last pass waits 300 s, and the standstill is told from retries after 90 minutes more.
    let stood_still = after(86_300 + 300 + 5400);
    assert!(conclude(&standings, &with(0), stood_still).is_err());
    let seen = conclude(
        &standings,
        &with(0),
        stood_still + SignedDuration::from_secs(1),
    )
    .unwrap();
    assert_eq!(
        (seen.memory.deadline_at, seen.memory.redrives),
        (Some(after(92_001 + 86_400)), 0)
    );
}

#[test]
fn a_sealed_server_that_may_not_be_ended_is_named_and_calls_an_operator_at_the_deadline() {
    let standings = [sealed_one("i-0a"), held("i-0b", 1, 0)];
    let first = check(&standings, None, NOW);
    let refused = ["i-0a", "i-0b"].map(|instance| HeldBack {
        instance: instance.to_owned(),
        reason: "its group tunnel-a has weight 5".to_owned(),
    });
    let sealed = [sealed_one("i-0a")];
    let retiring = retiring(&sealed);
    let asked = Question {
        refused: &refused,
        ..question(&retiring, Some(&first))
    };
    let sentence = conclude(&sealed, &asked, NOW).unwrap().outlook.waiting_for;
    assert!(
        sentence.contains(
            "1 sealed server that may not be terminated (i-0a: its group tunnel-a has weight 5)"
        ),
        "{sentence}"
    );
    let retiring = Retiring {
        listed_at: after(100_000),
        ..retiring.clone()
    };
    let first = Check {
        at: after(100_000),
        ..first
    };
    let asked = Question {
        refused: &refused,
        ..question(&retiring, Some(&first))
    };
    assert!(conclude(&sealed, &asked, after(100_000)).is_err());
    let unrefused = question(&retiring, Some(&first));
    assert!(
        conclude(&sealed, &unrefused, after(100_000 - 10_000)).is_ok(),
        "its termination follows in this very pass"
    );
}

#[test]
fn an_end_that_does_not_come_calls_an_operator_two_hours_after_the_deadline() {
    let sealed = [sealed_one("i-0a")];
    let ending = Retiring {
        waiting_to_end: vec!["i-0b".to_owned()],
        ..retiring(&[])
    };
    for (standings, retiring) in [(&sealed[..], retiring(&sealed)), (&[][..], ending)] {
        let mut last = check(standings, None, after(8000));
        last.memory.deadline_at = Some(after(1000));
        let asked = Question {
            deadline: Deadline {
                at: Some(after(1000)),
                ..question(&retiring, None).deadline
            },
            ..question(&retiring, Some(&last))
        };
        assert!(conclude(standings, &asked, after(1000 + 7200)).is_ok());
        assert!(conclude(standings, &asked, after(1000 + 7201)).is_err());
    }
}

#[test]
fn an_environment_that_is_gone_calls_nobody_however_late_it_is() {
    let late = after(30 * 86_400);
    let gone = Retiring {
        gone: vec!["i-0a".to_owned()],
        listed_at: late,
        ..retiring(&[])
    };
    let check = conclude(&[], &question(&gone, None), late).unwrap();
    assert_eq!((check.counts.servers, check.counts.gone), (0, 1));
    assert_eq!(check.outlook.waiting_for, "nothing");
}
