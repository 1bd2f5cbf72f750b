//! Whether green may be given traffic: accept it, ask again, or reject it before anybody's session is at stake.
//!
//! Owns what is demanded of a green server: version 1, open, empty, the epoch taken, the user's pages answered. Of a
//! blue one, before anything is touched, only that it can be drained at all: version 1, not sealed, of no newer epoch.
//! It refuses at once what asking again cannot mend, and what stays Unknown after four attempts. Called by `test-green`.

use serde::{Deserialize, Serialize};

use crate::Fence;
use crate::report::{Admission, Answer, Reading, SessionReport, UnknownReason, brief};

/// The attempt, counted from 0, at which what is still Unknown is rejected.
pub const LAST_ATTEMPT: u32 = 3;
/// Refusals that are told; the execution's document has no room for five hundred.
const MOST_TOLD: usize = 20;
/// Refusals that the reason names: it becomes the execution's cause, which a person reads.
const MOST_IN_A_SENTENCE: usize = 3;

/// Which environment is tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Green is when new servers are about to be given traffic.
    #[default]
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

/// What a page of the user's answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageAnswer {
    /// Status is when there was an HTTP answer.
    Status(u16),
    /// Unknown is when there was none.
    Unknown(UnknownReason),
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

/// The state machine's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Accepted is when every server is fit.
    Accepted,
    /// Wait is when some are not yet, and there are attempts left.
    Wait,
    /// Rejected is when one is unfit, or not yet fit at the last attempt.
    Rejected,
}

/// One server's part in the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerRefusal {
    /// The instance's id.
    pub instance: String,
    /// Why it is not fit.
    pub reason: String,
}

/// The answer of `test-green`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GreenTest {
    /// The next step.
    pub verdict: Verdict,
    /// The number of the attempt after this one.
    pub attempt: u32,
    /// Why, in a sentence.
    pub reason: String,
    /// The servers that are not fit, unfit ones first, 20 at most.
    pub refusals: Vec<ServerRefusal>,
}

/// Judges a server's first report; of blue it is the only one.
pub fn of_reading(reading: &Reading, fence: &Fence, subject: Subject) -> Finding {
    match reading {
        Reading::Report(report) => match subject {
            Subject::Green => of_report(report, fence),
            Subject::Blue => of_blue(report, fence),
        },
        Reading::Unknown(reason @ UnknownReason::Version(_)) => Finding::Unfit(reason.to_string()),
        Reading::Unknown(reason) => Finding::NotYet(reason.to_string()),
    }
}

/// Judges its answer to `resume`, by which it takes the epoch.
pub fn of_resume(answer: &Answer, fence: &Fence) -> Finding {
    match answer {
        Answer::Report(report) if report.epoch != fence.epoch => Finding::Unfit(format!(
            "it was given epoch {} and reports {}",
            fence.epoch, report.epoch
        )),
        Answer::Report(report) => of_report(report, fence),
        Answer::Refused(refusal, _) => Finding::Unfit(format!("it refuses to open: {refusal}")),
        Answer::Unknown(reason) => Finding::NotYet(format!("asked to open: {reason}")),
    }
}

/// Judges the user's pages: every one must answer 2xx. A server that says 5xx may still be starting.
pub fn of_pages(pages: &[(String, PageAnswer)]) -> Finding {
    let mut not_yet = None;
    for (path, answer) in pages {
        match answer {
            PageAnswer::Status(200..=299) => {}
            PageAnswer::Status(status @ (408 | 429 | 500..=599)) => {
                not_yet = Some(format!("{path} answers {status}"));
            }
            PageAnswer::Status(status) => {
                return Finding::Unfit(format!("{path} answers {status}, expected 2xx"));
            }
            PageAnswer::Unknown(reason) => not_yet = Some(format!("{path}: {reason}")),
        }
    }
    not_yet.map_or(Finding::Fit, Finding::NotYet)
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

fn of_report(report: &SessionReport, fence: &Fence) -> Finding {
    if let Some(unfit) = newer_epoch(report, fence) {
        return unfit;
    }
    if report.admission != Admission::Open {
        return Finding::Unfit(format!("it is {}, expected open", report.admission));
    }
    if !report.counts_nothing() {
        return Finding::Unfit(format!(
            "it counts {} busy and {} idle sessions before it has any traffic",
            report.busy, report.idle
        ));
    }
    Finding::Fit
}

/// The verdict over all servers. An environment without one is rejected: it could serve nobody.
pub fn conclude(findings: &[(String, Finding)], attempt: u32, subject: Subject) -> GreenTest {
    let unfit = told(findings, |finding| match finding {
        Finding::Unfit(reason) => Some(reason),
        Finding::Fit | Finding::NotYet(_) => None,
    });
    let not_yet = told(findings, |finding| match finding {
        Finding::NotYet(reason) => Some(reason),
        Finding::Fit | Finding::Unfit(_) => None,
    });
    let (verdict, mut reason) =
        verdict(subject, findings.len(), unfit.len(), not_yet.len(), attempt);
    let mut refusals = unfit;
    refusals.extend(not_yet);
    refusals.truncate(MOST_TOLD);
    for refusal in refusals.iter().take(MOST_IN_A_SENTENCE) {
        reason.push_str(&format!("; {}: {}", refusal.instance, refusal.reason));
    }
    GreenTest {
        verdict,
        attempt: attempt.saturating_add(1),
        reason,
        refusals,
    }
}

fn verdict(
    subject: Subject,
    servers: usize,
    unfit: usize,
    not_yet: usize,
    attempt: u32,
) -> (Verdict, String) {
    let name = subject.name();
    if servers == 0 {
        return (Verdict::Rejected, format!("{name} has no server"));
    }
    if unfit > 0 {
        let reason = format!("{name} servers that are unfit: {unfit} of {servers}");
        return (Verdict::Rejected, reason);
    }
    if not_yet == 0 {
        let reason = match subject {
            Subject::Green => {
                format!("every green server is open, empty and has taken the epoch: {servers}")
            }
            Subject::Blue => format!("every blue server can be drained: {servers}"),
        };
        return (Verdict::Accepted, reason);
    }
    let reason = format!("{name} servers that are not fit yet: {not_yet} of {servers}");
    if attempt < LAST_ATTEMPT {
        (Verdict::Wait, reason)
    } else {
        let reason = format!("{reason}, after {} attempts", attempt.saturating_add(1));
        (Verdict::Rejected, reason)
    }
}

fn told<'a>(
    findings: &'a [(String, Finding)],
    reason: impl Fn(&'a Finding) -> Option<&'a String>,
) -> Vec<ServerRefusal> {
    findings
        .iter()
        .filter_map(|(instance, finding)| {
            reason(finding).map(|reason| ServerRefusal {
                instance: instance.clone(),
                reason: brief(reason),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
