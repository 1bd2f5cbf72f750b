//! Whether enough blue servers are open again for the weights to move back: the second half of a rollback's promise.
//!
//! Owns what counts as open: a well-formed report of an open server that took exactly this rollback's epoch, given as
//! the answer to `resume`. It refuses to count a reading, a lost reply or another epoch; a server that is sealed never
//! opens again and is told apart from those worth asking again. Called by `resume-blue`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::report::{Admission, NewerEpoch, Refusal, Reply, SessionReport, brief};
use crate::{ErrorName, Failure, Fence, Server};

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

impl Failure for ResumeRefused {
    fn name(&self) -> ErrorName {
        match self {
            Self::NewerEpoch(newer) => newer.name(),
            Self::BlueNotOpen(_) => ErrorName::BlueNotOpen,
        }
    }
}

/// The servers that have not taken a higher epoch, as far as their reports say; `reports` are at their servers' places.
pub fn not_newer<'a>(
    servers: &[Server],
    reports: impl Iterator<Item = Option<&'a SessionReport>>,
    fence: &Fence,
) -> Vec<Server> {
    let newer = |report: Option<&SessionReport>| report.is_some_and(|it| it.epoch > fence.epoch);
    let asked = servers.iter().zip(reports);
    asked
        .filter(|(_, report)| !newer(*report))
        .map(|(server, _)| server.clone())
        .collect()
}

/// Judges a server's answer to `resume`.
pub fn opening(answer: &Reply, fence: &Fence) -> Opening {
    let report = match answer {
        Reply::Report(report) => report,
        Reply::Refused(Refusal::Sealed, _) => return Opening::Sealed,
        Reply::Refused(refusal, _) => return Opening::Waiting(refusal.to_string()),
        Reply::Unknown(reason) => return Opening::Waiting(reason.to_string()),
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
    answers: &[Reply],
    minimum: usize,
    fence: &Fence,
    now: Timestamp,
) -> Result<Resumed, ResumeRefused> {
    NewerEpoch::refuse(fence, answers.iter().filter_map(Reply::report))?;
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
mod tests;
