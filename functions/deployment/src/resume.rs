//! Whether enough blue servers are open again for the weights to move back: the second half of a rollback's promise.
//!
//! Owns what counts as open: a well-formed report of an open server that took exactly this rollback's epoch, given as
//! the answer to `resume`. It refuses to count a reading, a lost reply or another epoch; a server that is sealed never
//! opens again and is told apart from those worth asking again. Called by `resume-blue`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::report::{Admission, Answer, NewerEpoch, Refusal, brief};
use crate::{Fence, Server};

/// Servers told in `unknown`; the execution's document has no room for five hundred reasons.
const MOST_TOLD: usize = 20;
/// Servers that the error's cause names; a person reads it.
const MOST_IN_A_SENTENCE: usize = 3;

/// Where a server stands after it was asked to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Open is when it takes new sessions and obeys this epoch.
    Open,
    /// Sealed is when it has promised never to open again.
    Sealed,
    /// Waiting is when it may yet open; it carries why it has not.
    Waiting(String),
}

/// A server that is not known to be open, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unopened {
    /// The instance's id.
    pub instance: String,
    /// Why.
    pub reason: String,
}

/// The answer of `resume-blue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resumed {
    /// When the servers had answered.
    pub at: Timestamp,
    /// How many servers are open.
    pub open: usize,
    /// Servers that are not open and not sealed: worth asking again.
    pub waiting: Vec<Server>,
    /// Instances that are sealed.
    pub sealed: Vec<String>,
    /// Why those that wait are not open, 20 at most.
    pub unknown: Vec<Unopened>,
    /// What came of it, in a sentence.
    pub reason: String,
}

/// Too few servers are open for the weights to move back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{open} of {servers} blue servers are open, and {minimum} have to be before the weights move back: {}. No weight was \
     moved: the green that is to be rolled back still serves. Redrive this execution if they come back; otherwise \
     register healthy servers with blue's target group and take the deployment over with \"then\": \"rollBack\"",
    named(.worst, .others)
)]
pub struct BlueNotOpen {
    /// How many are open.
    pub open: usize,
    /// How many were asked.
    pub servers: usize,
    /// How many have to be open.
    pub minimum: usize,
    /// Some that are not, 3 at most.
    pub worst: Vec<Unopened>,
    /// How many more are not.
    pub others: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResumeRefused {
    /// NewerEpoch is when a server belongs to a newer deployment or rollback.
    #[error(transparent)]
    NewerEpoch(#[from] NewerEpoch),
    /// BlueNotOpen is when fewer servers are open than have to be.
    #[error(transparent)]
    BlueNotOpen(#[from] BlueNotOpen),
}

/// Judges a server's answer to `resume`.
pub fn opening(answer: &Answer, fence: &Fence) -> Opening {
    let report = match answer {
        Answer::Report(report) => report,
        Answer::Refused(Refusal::Sealed, _) => return Opening::Sealed,
        Answer::Refused(refusal, _) => return Opening::Waiting(refusal.to_string()),
        Answer::Unknown(reason) => return Opening::Waiting(reason.to_string()),
    };
    match report.admission {
        // It says so although it did not refuse; whatever it means, it takes no session.
        Admission::Sealed => Opening::Sealed,
        Admission::Draining => Opening::Waiting("asked to open, it is draining".to_owned()),
        Admission::Open if report.epoch == fence.epoch => Opening::Open,
        Admission::Open => Opening::Waiting(format!(
            "it was given epoch {} and reports {}",
            fence.epoch, report.epoch
        )),
    }
}

/// Sums up the answers, which are at their servers' places.
///
/// # Errors
/// When a server has taken a higher epoch, and when fewer than `minimum` are open.
pub fn conclude(
    servers: &[Server],
    answers: &[Answer],
    minimum: usize,
    fence: &Fence,
    now: Timestamp,
) -> Result<Resumed, ResumeRefused> {
    NewerEpoch::refuse(fence, answers.iter().filter_map(Answer::report))?;
    let mut resumed = Resumed {
        at: now,
        open: 0,
        waiting: Vec::new(),
        sealed: Vec::new(),
        unknown: Vec::new(),
        reason: String::new(),
    };
    for (server, answer) in servers.iter().zip(answers) {
        match opening(answer, fence) {
            Opening::Open => resumed.open += 1,
            Opening::Sealed => resumed.sealed.push(server.instance.clone()),
            Opening::Waiting(reason) => {
                resumed.waiting.push(server.clone());
                resumed.unknown.push(unopened(&server.instance, &reason));
            }
        }
    }
    resumed.reason = format!(
        "open: {} of {}, needed: {minimum}; not open: {}; sealed: {}",
        resumed.open,
        servers.len(),
        resumed.waiting.len(),
        resumed.sealed.len()
    );
    if resumed.open < minimum {
        return Err(not_open(&resumed, servers.len(), minimum).into());
    }
    resumed.unknown.truncate(MOST_TOLD);
    Ok(resumed)
}

fn unopened(instance: &str, reason: &str) -> Unopened {
    Unopened {
        instance: instance.to_owned(),
        reason: brief(reason),
    }
}

fn not_open(resumed: &Resumed, servers: usize, minimum: usize) -> BlueNotOpen {
    let sealed = resumed
        .sealed
        .iter()
        .map(|instance| unopened(instance, &Refusal::Sealed.to_string()));
    let mut worst: Vec<Unopened> = resumed.unknown.iter().cloned().chain(sealed).collect();
    let others = worst.len().saturating_sub(MOST_IN_A_SENTENCE);
    worst.truncate(MOST_IN_A_SENTENCE);
    BlueNotOpen {
        open: resumed.open,
        servers,
        minimum,
        worst,
        others,
    }
}

fn named(worst: &[Unopened], others: &usize) -> String {
    let mut named: Vec<String> = worst
        .iter()
        .map(|unopened| format!("{}: {}", unopened.instance, unopened.reason))
        .collect();
    if named.is_empty() {
        named.push("there are no others".to_owned());
    }
    if *others > 0 {
        named.push(format!("and {others} more"));
    }
    named.join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::examples::{fence, report};
    use crate::report::{SessionReport, UnknownReason};

    const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

    fn of_epoch(epoch: u64, admission: Admission) -> SessionReport {
        SessionReport {
            epoch,
            ..report("i-0a", admission, 0, 0)
        }
    }

    fn open() -> Answer {
        Answer::Report(of_epoch(5, Admission::Open))
    }

    fn silent() -> Answer {
        Answer::Unknown(UnknownReason::Refused)
    }

    fn sealed() -> Answer {
        Answer::Refused(Refusal::Sealed, of_epoch(5, Admission::Sealed))
    }

    fn servers(count: usize) -> Vec<Server> {
        (0..count)
            .map(|number| Server {
                instance: format!("i-{number}"),
                ip: format!("10.0.0.{number}"),
            })
            .collect()
    }

    fn of(answers: &[Answer], minimum: usize) -> Result<Resumed, ResumeRefused> {
        conclude(&servers(answers.len()), answers, minimum, &fence(), NOW)
    }

    #[test]
    fn a_server_is_open_that_says_so_and_took_exactly_the_epoch() {
        let opening = |answer| opening(&answer, &fence());
        assert_eq!(opening(open()), Opening::Open);
        let busy = report("i-0a", Admission::Open, 3, 4);
        assert_eq!(opening(Answer::Report(busy)), Opening::Open);
        assert_eq!(opening(sealed()), Opening::Sealed);
        let agrees = Answer::Report(of_epoch(5, Admission::Sealed));
        assert_eq!(opening(agrees), Opening::Sealed);
        for not in [
            Answer::Report(of_epoch(4, Admission::Open)),
            Answer::Report(of_epoch(6, Admission::Open)),
            Answer::Report(of_epoch(5, Admission::Draining)),
            Answer::Refused(Refusal::StaleEpoch, of_epoch(6, Admission::Open)),
            Answer::Refused(Refusal::InUse, of_epoch(5, Admission::Open)),
            Answer::Unknown(UnknownReason::TimedOut),
            Answer::Unknown(UnknownReason::Status(500)),
        ] {
            assert!(matches!(opening(not), Opening::Waiting(_)));
        }
    }

    #[test]
    fn those_that_may_yet_open_are_told_apart_from_the_sealed() {
        let resumed = of(&[open(), silent(), sealed(), open()], 2).unwrap();
        assert_eq!(resumed.open, 2);
        assert_eq!(resumed.waiting, servers(4)[1..2]);
        assert_eq!(resumed.sealed, ["i-2"]);
        assert_eq!(resumed.unknown[0].reason, "connection refused");
        assert_eq!(
            resumed.reason,
            "open: 2 of 4, needed: 2; not open: 1; sealed: 1"
        );
        let json = serde_json::to_value(&resumed).unwrap();
        assert_eq!(
            json["waiting"][0],
            serde_json::json!({"instance": "i-1", "ip": "10.0.0.1"})
        );
        assert_eq!(json["open"], 2);
    }

    #[test]
    fn too_few_are_named_with_what_to_do() {
        let answers = [open(), silent(), silent(), silent(), sealed()];
        let cause = of(&answers, 2).unwrap_err().to_string();
        assert_eq!(
            cause,
            "1 of 5 blue servers are open, and 2 have to be before the weights move back: i-1: connection refused; \
             i-2: connection refused; i-3: connection refused; and 1 more. No weight was moved: \
             the green that is to be rolled back still serves. Redrive this execution if they come back; otherwise \
             register healthy servers with blue's target group and take the deployment over with \"then\": \"rollBack\""
        );
        assert!(of(&answers, 1).is_ok());
        let none = of(&[], 1).unwrap_err().to_string();
        assert!(
            none.starts_with("0 of 0 blue servers are open, and 1 have"),
            "{none}"
        );
    }

    #[test]
    fn a_minimum_of_nothing_never_fails_for_lack_of_servers() {
        assert_eq!(of(&[], 0).unwrap().open, 0);
        assert_eq!(of(&[silent(), sealed()], 0).unwrap().open, 0);
    }

    #[test]
    fn a_newer_epoch_stops_us_whatever_the_minimum() {
        let newer = Answer::Refused(Refusal::StaleEpoch, of_epoch(6, Admission::Open));
        for minimum in [0, 9] {
            let refused = of(&[open(), newer.clone()], minimum).unwrap_err();
            assert!(matches!(refused, ResumeRefused::NewerEpoch(_)), "{refused}");
        }
    }

    #[test]
    fn twenty_reasons_are_told_and_every_server_is_asked_again() {
        let resumed = of(&vec![silent(); 500], 0).unwrap();
        assert_eq!((resumed.unknown.len(), resumed.waiting.len()), (20, 500));
    }

    proptest! {
        #[test]
        fn every_server_counts_once_and_fewer_than_the_minimum_never_pass(
            kinds in proptest::collection::vec(0_u8..4, 0..40),
            minimum in 0_usize..40,
        ) {
            let answers: Vec<Answer> = kinds
                .iter()
                .map(|kind| match kind {
                    0 => open(),
                    1 => silent(),
                    2 => sealed(),
                    _ => Answer::Report(of_epoch(4, Admission::Open)),
                })
                .collect();
            let open = kinds.iter().filter(|kind| **kind == 0).count();
            match of(&answers, minimum) {
                Ok(resumed) => {
                    prop_assert!(open >= minimum);
                    prop_assert_eq!(resumed.open, open);
                    prop_assert_eq!(open + resumed.waiting.len() + resumed.sealed.len(), kinds.len());
                }
                Err(_) => prop_assert!(open < minimum),
            }
        }
    }
}
