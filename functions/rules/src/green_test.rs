//! Whether green may be given traffic: accept it, ask again, or reject it before anybody's session is at stake.
//!
//! Owns what is demanded of a green server: version 1, open, empty, the epoch taken, the user's checks passed. Of a
//! blue one, before anything is touched, only that it can be drained at all: version 1, not sealed, of no newer epoch. Of
//! both, where an agent reports for them: that the load balancer is set for agents.
//! It refuses for good what asking again cannot mend; what is Unknown is asked again by the definition's Retry. Called by
//! `test-green`.

mod checks;

use serde::{Deserialize, Serialize};

pub use checks::{PageAnswer, SocketAnswer, of_both, of_pages, of_sockets};

use crate::plan::Policy;
use crate::report::{Admission, Reading, Reply, SessionReport, UnknownReason};
use crate::{ErrorName, Failure, Fence};

/// Servers that the cause names; a person reads it.
const MOST_NAMED: usize = 3;

/// Which environment is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Green is when new servers are about to be given traffic.
    Green,
    /// Blue is when nothing is touched yet: its servers hold users, and are only read.
    Blue,
}

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Blue => "blue",
        }
    }
}

/// What is found of one green server, so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Fit is when it did everything that was asked.
    Fit,
    /// NotYet is when it may do so if asked again.
    NotYet(String),
    /// Unfit is when it answered, and the answer will not change by asking again.
    Unfit(String),
}

/// The answer of `test-green`: every server is fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GreenTest {
    /// How many there are.
    pub servers: usize,
    /// What that means, in a sentence.
    pub reason: String,
}

/// Servers that are not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotFit {
    /// Whose servers.
    pub subject: Subject,
    /// Whether asking again may mend it.
    pub again: bool,
    /// Which servers, and why, the first of them by name.
    pub reason: String,
}

impl Failure for NotFit {
    fn name(&self) -> ErrorName {
        match (self.again, self.subject) {
            (true, _) => ErrorName::NotFitYet,
            (false, Subject::Green) => ErrorName::GreenUnfit,
            (false, Subject::Blue) => ErrorName::PreflightRefused,
        }
    }
}

/// Judges a server's first report; of blue it is the only one.
pub fn of_reading(reading: &Reading, fence: &Fence, subject: Subject, policy: &Policy) -> Finding {
    match reading {
        Reading::Report(report) if report.agent && !policy.against_agents.is_empty() => {
            Finding::Unfit(format!(
                "an agent reports for it, and its groups are not set for that (docs/agent.md): {}",
                policy.against_agents.join(" and ")
            ))
        }
        Reading::Report(report) => match subject {
            Subject::Green => of_report(report, fence, policy),
            Subject::Blue => of_blue(report, fence),
        },
        Reading::Unknown(reason @ UnknownReason::Version(_)) => Finding::Unfit(reason.to_string()),
        // Nothing is touched yet: better the user hears at once what is missing. A green would be ended for it.
        Reading::Unknown(reason @ (UnknownReason::DemandsSignature | UnknownReason::Unsigned))
            if subject == Subject::Blue =>
        {
            Finding::Unfit(reason.to_string())
        }
        Reading::Unknown(reason) => Finding::NotYet(reason.to_string()),
    }
}

/// Judges its answer to `resume`, by which it takes the epoch.
pub fn of_resume(answer: &Reply, fence: &Fence, policy: &Policy) -> Finding {
    match answer {
        Reply::Report(report) if report.epoch != fence.epoch => Finding::Unfit(format!(
            "it was given epoch {} and reports {}",
            fence.epoch, report.epoch
        )),
        Reply::Report(report) => of_report(report, fence, policy),
        Reply::Refused(refusal, _) => Finding::Unfit(format!("it refuses to open: {refusal}")),
        Reply::Unknown(reason) => Finding::NotYet(format!("asked to open: {reason}")),
    }
}

/// A blue server may hold any sessions, and may still be draining after a rollback elsewhere; but a sealed one serves
/// nobody and never will, and one of a newer epoch would refuse us.
fn of_blue(report: &SessionReport, fence: &Fence) -> Finding {
    if report.admission == Admission::Sealed {
        return Finding::Unfit("it is sealed and can take no session any more".to_owned());
    }
    newer_epoch(report, fence).unwrap_or(Finding::Fit)
}

fn newer_epoch(report: &SessionReport, fence: &Fence) -> Option<Finding> {
    (report.epoch > fence.epoch).then(|| {
        Finding::Unfit(format!(
            "it has taken epoch {}, above this deployment's {}",
            report.epoch, fence.epoch
        ))
    })
}

/// A session that is counted may be one that a WebSocket of a former try has left, whose end the server has yet to see.
fn of_report(report: &SessionReport, fence: &Fence, policy: &Policy) -> Finding {
    if let Some(unfit) = newer_epoch(report, fence) {
        return unfit;
    }
    if report.admission != Admission::Open {
        return Finding::Unfit(format!("it is {}, expected open", report.admission));
    }
    if !report.counts_nothing() {
        let told = format!(
            "it counts {} busy and {} idle sessions before it has any traffic",
            report.busy, report.idle
        );
        return match policy.pages.web_sockets {
            Some(_) => Finding::NotYet(told),
            None => Finding::Unfit(told),
        };
    }
    Finding::Fit
}

/// The verdict over all servers. An environment without one is unfit: it could serve nobody.
///
/// # Errors
/// [`NotFit`], unless every server is fit.
pub fn conclude(findings: &[(String, Finding)], subject: Subject) -> Result<GreenTest, NotFit> {
    let unfit = told(findings, |finding| match finding {
        Finding::Unfit(reason) => Some(reason),
        Finding::Fit | Finding::NotYet(_) => None,
    });
    let not_yet = told(findings, |finding| match finding {
        Finding::NotYet(reason) => Some(reason),
        Finding::Fit | Finding::Unfit(_) => None,
    });
    let (name, servers) = (subject.name(), findings.len());
    let refuse = |again, sentence: String, named: &[String]| {
        let reason = [&[sentence], named].concat().join("; ");
        Err(NotFit {
            subject,
            again,
            reason,
        })
    };
    if servers == 0 {
        return refuse(false, format!("{name} has no server"), &[]);
    }
    if !unfit.is_empty() {
        let sentence = format!(
            "{name} servers that are unfit: {} of {servers}",
            unfit.len()
        );
        return refuse(false, sentence, &first(&[unfit, not_yet].concat()));
    }
    if !not_yet.is_empty() {
        let count = not_yet.len();
        let sentence = format!("{name} servers that are not fit yet: {count} of {servers}");
        return refuse(true, sentence, &first(&not_yet));
    }
    Ok(GreenTest {
        servers,
        reason: match subject {
            Subject::Green => {
                format!("every green server is open, empty and has taken the epoch: {servers}")
            }
            Subject::Blue => format!("every blue server can be drained: {servers}"),
        },
    })
}

fn told<'a>(
    findings: &'a [(String, Finding)],
    reason: impl Fn(&'a Finding) -> Option<&'a String>,
) -> Vec<String> {
    let told = findings.iter().filter_map(|(instance, finding)| {
        reason(finding).map(|reason| format!("{instance}: {reason}"))
    });
    told.collect()
}

fn first(told: &[String]) -> Vec<String> {
    let mut first: Vec<String> = told.iter().take(MOST_NAMED).cloned().collect();
    if told.len() > MOST_NAMED {
        first.push(format!("and {} more", told.len() - MOST_NAMED));
    }
    first
}

#[cfg(test)]
mod tests;
