//! The drain's deadline: it calls an operator, and never cuts. A redrive of the execution grants its term once more.
//!
//! AWS says of a redrive only that `RedriveCount` grows; whether the Arguments of the state that failed are evaluated
//! anew is undocumented. So a redrive is seen in either of two ways: by its number, when that arrives, or by the
//! standstill before it, which only our own clock and the pass before are needed for.

use jiff::{SignedDuration, Timestamp};

/// A pass that comes so much later than the wait before it was not merely retried. The longest Retry, of a function that
/// runs a minute and is told fifteen times that AWS is unavailable, can take 25 minutes, and two such Tasks lie between
/// two checks; 90 minutes are longer than that, so the execution has stood still, and somebody redrove it.
pub(crate) const STANDSTILL: SignedDuration = SignedDuration::from_mins(90);

/// When the drain has to be over, as the state machine says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The first deadline; none in a step of traffic, which is no drain yet.
    pub at: Option<Timestamp>,
    /// Seconds from the switch to it, and from a redrive to the next one.
    pub term_seconds: u64,
    /// How often the execution was redriven, as far as the state machine knows.
    pub redrives: u64,
}

/// What the pass before this one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastPass {
    /// When this pass was to follow.
    pub due_at: Timestamp,
    /// The deadline as it was then, redrives included.
    pub deadline_at: Option<Timestamp>,
    /// The redrives seen until then.
    pub redrives: u64,
}

/// The deadline of this pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// When the drain has to be over, redrives included.
    pub ends_at: Option<Timestamp>,
    /// The redrives seen.
    pub redrives: u64,
    /// What a redrive grants, in seconds.
    term_seconds: u64,
    /// From when on a pass counts as redriven, whatever the state machine says.
    certain_from: Timestamp,
}

/// The drain is not over in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the drain's deadline was {ended}; still waiting for {waiting_for}. Nothing was cut, both environments serve. \
     Look at the servers named, then redrive this execution: that grants {term_seconds} s more, counted from the \
     redrive. Should it fail here again at once, redrive it after {certain_from}: from then on it is granted for certain"
)]
pub struct DeadlineExceeded {
    /// When the deadline was, redrives included.
    pub ended: Timestamp,
    /// What a redrive grants, in seconds.
    pub term_seconds: u64,
    /// When a redrive is granted at the latest.
    pub certain_from: Timestamp,
    /// What is being waited for.
    pub waiting_for: String,
}

impl Deadline {
    /// The deadline of this pass: the last one, or the term from now on if the execution was redriven since.
    ///
    /// The state machine's own moment counts when it is the later one: a switch back has begun another drain. A count
    /// of redrives below the last one is that of a continuing execution, where counting begins again.
    pub fn granted(self, last: &LastPass, now: Timestamp) -> Granted {
        let certain_from = later(last.due_at, STANDSTILL);
        let redriven = self.redrives > last.redrives || now > certain_from;
        let term = SignedDuration::from_secs(i64::try_from(self.term_seconds).unwrap_or(i64::MAX));
        let ends_at = self.at.map(|at| {
            let base = last.deadline_at.map_or(at, |last| last.max(at));
            if redriven {
                base.max(later(now, term))
            } else {
                base
            }
        });
        Granted {
            ends_at,
            redrives: self.redrives,
            term_seconds: self.term_seconds,
            certain_from,
        }
    }
}

impl Granted {
    /// Refuses to go on when it is over.
    ///
    /// # Errors
    /// When `now` is after the deadline.
    pub fn refuse(&self, now: Timestamp, waiting_for: &str) -> Result<(), DeadlineExceeded> {
        match self.ends_at {
            Some(ended) if now > ended => Err(DeadlineExceeded {
                ended,
                term_seconds: self.term_seconds,
                certain_from: self.certain_from,
                waiting_for: waiting_for.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

fn later(then: Timestamp, by: SignedDuration) -> Timestamp {
    then.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);
    const TERM: u64 = 600;

    fn second(second: i64) -> Timestamp {
        AT + SignedDuration::from_secs(second)
    }

    fn asked(redrives: u64) -> Deadline {
        Deadline {
            at: Some(AT),
            term_seconds: TERM,
            redrives,
        }
    }

    /// A pass whose next one was due at this second, with the deadline and the redrives as they were.
    fn last(due: i64, deadline: Option<i64>, redrives: u64) -> LastPass {
        LastPass {
            due_at: second(due),
            deadline_at: deadline.map(second),
            redrives,
        }
    }

    #[test]
    fn it_ends_at_its_second_and_a_redrive_grants_the_term_from_then_on() {
        // (redrives told, the last pass, now, the effective deadline, redrives seen)
        let cases = [
            ("the first check", 0, last(-300, None, 0), -300, 0, 0),
            ("a pass like any other", 0, last(0, Some(0), 0), 5, 0, 0),
            ("redriven, and told", 1, last(0, Some(0), 0), 100, 700, 1),
            (
                "the same redrive again",
                1,
                last(100, Some(700), 1),
                110,
                700,
                1,
            ),
            ("a second redrive", 2, last(700, Some(700), 1), 800, 1400, 2),
            (
                "redriven before the first check",
                3,
                last(-300, None, 0),
                -300,
                300,
                3,
            ),
            ("redriven early", 1, last(-9000, Some(0), 0), -9000, 0, 1),
            (
                "an early redrive takes nothing",
                1,
                last(9, Some(9000), 0),
                10,
                9000,
                1,
            ),
            (
                "not told, 90 minutes late",
                0,
                last(0, Some(0), 0),
                5400,
                0,
                0,
            ),
            (
                "not told, stood still",
                0,
                last(0, Some(0), 0),
                5401,
                6001,
                0,
            ),
            (
                "told and stood still",
                1,
                last(0, Some(0), 0),
                5401,
                6001,
                1,
            ),
            (
                "stood still before any check",
                0,
                last(0, None, 0),
                5401,
                6001,
                0,
            ),
            (
                "a continuing execution counts anew",
                0,
                last(5, Some(700), 2),
                10,
                700,
                0,
            ),
            (
                "and its first redrive counts",
                1,
                last(5, Some(700), 0),
                10,
                700,
                1,
            ),
            (
                "another drain has a later one",
                0,
                last(-9000, Some(-10), 0),
                -9000,
                0,
                0,
            ),
        ];
        for (case, redrives, last, now, ends_at, seen) in cases {
            let granted = asked(redrives).granted(&last, second(now));
            assert_eq!(granted.ends_at, Some(second(ends_at)), "{case}");
            assert_eq!(granted.redrives, seen, "{case}");
            assert!(granted.refuse(second(ends_at), "x").is_ok(), "{case}");
            assert!(granted.refuse(second(ends_at + 1), "x").is_err(), "{case}");
        }
    }

    #[test]
    fn a_step_of_traffic_has_none() {
        let step = Deadline {
            at: None,
            ..asked(3)
        };
        let granted = step.granted(&last(0, Some(0), 0), second(100_000));
        assert_eq!((granted.ends_at, granted.redrives), (None, 3));
        assert!(granted.refuse(Timestamp::MAX, "x").is_ok());
    }

    #[test]
    fn an_enormous_grant_has_no_end() {
        let deadline = Deadline {
            term_seconds: u64::MAX,
            ..asked(2)
        };
        let granted = deadline.granted(&last(0, None, 0), second(0));
        assert_eq!(granted.ends_at, Some(Timestamp::MAX));
    }

    #[test]
    fn the_cause_says_what_a_redrive_grants_and_when_it_works_at_the_latest() {
        let granted = asked(0).granted(&last(0, Some(0), 0), second(1));
        let cause = granted
            .refuse(second(1), "1 busy session")
            .unwrap_err()
            .to_string();
        assert!(
            cause.contains("that grants 600 s more, counted from the redrive"),
            "{cause}"
        );
        let latest = format!("redrive it after {}", second(5400));
        assert!(cause.contains(&latest), "{cause}");
    }

    proptest! {
        /// Whatever AWS makes of the Arguments, the redrive that the cause promises is granted.
        #[test]
        fn the_redrive_that_is_promised_works(
            due in -10_000_i64..10_000,
            deadline in -10_000_i64..0,
            before in 0_u64..5,
            told: bool,
            late in 1_i64..1_000_000,
        ) {
            let last = last(due, Some(deadline), before);
            let now = second(due.max(1));
            let Err(exceeded) = asked(before).granted(&last, now).refuse(now, "x") else {
                return Ok(());
            };
            let redriven_at = exceeded.certain_from + SignedDuration::from_secs(late);
            let redriven = asked(before + u64::from(told)).granted(&last, redriven_at);
            prop_assert!(redriven.refuse(redriven_at, "x").is_ok());
            prop_assert!(redriven.ends_at >= Some(redriven_at + SignedDuration::from_secs(600)));
        }

        #[test]
        fn no_pass_takes_a_deadline_back(
            due in -10_000_i64..10_000,
            deadline in proptest::option::of(-10_000_i64..10_000),
            before in 0_u64..5,
            told in 0_u64..5,
            now in -10_000_i64..10_000,
        ) {
            let granted = asked(told).granted(&last(due, deadline, before), second(now));
            prop_assert!(granted.ends_at >= deadline.map(second));
            prop_assert!(granted.ends_at >= Some(AT));
        }
    }
}
