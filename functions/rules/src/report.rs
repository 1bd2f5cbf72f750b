//! What a server says of itself: the session report, version 1, and what becomes of anything else.
//!
//! Owns the one reading of a server's answer. It refuses everything but a well-formed report of the expected instance:
//! that is Unknown, with a reason, and Unknown is never idle, drained or safe. Reasons hold no text of the body, which
//! may hold anything. Called by `ebbtide-sessions` with the bytes it got; its types are what the other rules decide on.

mod parse;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ErrorName, Failure, Fence};

pub use parse::{parse_refusal, parse_report};

/// The version of the session endpoint that this crate reads.
pub const VERSION: u64 = 1;

/// Characters of a reason that are told; hundreds of reasons travel in the execution's document.
pub const LONGEST_REASON: usize = 120;

/// A reason no longer than [`LONGEST_REASON`] characters, with an ellipsis where it was cut.
pub fn brief(reason: &str) -> String {
    if reason.chars().count() <= LONGEST_REASON {
        return reason.to_owned();
    }
    let mut brief: String = reason.chars().take(LONGEST_REASON - 1).collect();
    brief.push('…');
    brief
}

/// What a server does with new sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admission {
    /// Open is when new sessions are taken.
    Open,
    /// Draining is when new sessions are refused, and idle ones may be closed by an order.
    Draining,
    /// Sealed is when new sessions are refused for good.
    Sealed,
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Draining => "draining",
            Self::Sealed => "sealed",
        })
    }
}

/// A well-formed report of the instance that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReport {
    /// The instance's id.
    pub instance: String,
    /// What it does with new sessions.
    pub admission: Admission,
    /// The highest epoch that it has seen.
    pub epoch: u64,
    /// Sessions in use, and whatever else termination would cut.
    pub busy: u64,
    /// Sessions open but unused.
    pub idle: u64,
    /// Sessions closed by orders since draining began.
    pub closed: u64,
    /// For how long the longest busy session has been busy; 0 when none is.
    pub oldest_busy_seconds: u64,
    /// Whether an agent reports, for a server beside it that knows nothing of it.
    pub agent: bool,
}

impl SessionReport {
    /// Whether the server counts no session at all. A count proves nothing about the next instant: only a seal does.
    pub fn counts_nothing(&self) -> bool {
        self.busy == 0 && self.idle == 0
    }
}

/// What reading one server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Report is when the expected instance gave a well-formed report.
    Report(SessionReport),
    /// Unknown is when it did not; it blocks.
    Unknown(UnknownReason),
}

/// What asking one server to do something gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Report is when the server did it, or had done it, and reported.
    Report(SessionReport),
    /// Refused is when the expected instance refused, by the endpoint's own names, and reported.
    Refused(Refusal, SessionReport),
    /// Unknown is everything else: it may or may not have been done.
    Unknown(UnknownReason),
}

/// Why a server refuses what it is asked. (`WrongInstance` is not here: whoever says it is not the server we asked.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// StaleEpoch is when the server has seen a higher epoch than the asker's.
    StaleEpoch,
    /// Sealed is when a sealed server is asked to open or to drain.
    Sealed,
    /// InUse is when something was in use at the instant of sealing.
    InUse,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StaleEpoch => "it has taken a higher epoch",
            Self::Sealed => "it is sealed",
            Self::InUse => "it is in use",
        })
    }
}

/// Why nothing is known of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownReason {
    /// NoAddress is when the listed address is no IPv4 address.
    #[error("its address is not an IPv4 address")]
    NoAddress,
    /// Refused is when nothing listens there: a dead process, or a wrong port.
    #[error("connection refused")]
    Refused,
    /// Unreachable is when no connection came about for another reason.
    #[error("no connection")]
    Unreachable,
    /// Unresolved is when its name has no address where it is asked from.
    #[error("its name has no address where it is asked from")]
    Unresolved,
    /// Untrusted is when its certificate is not taken.
    #[error(
        "its certificate is not trusted: out of date, of another name, or of an issuer that is not known"
    )]
    Untrusted,
    /// NoTls is when TLS does not come about for another reason: something else is spoken there, for one.
    #[error("TLS does not come about there")]
    NoTls,
    /// TimedOut is when the whole answer was not there in time.
    #[error("no answer in time")]
    TimedOut,
    /// Broken is when the connection broke, or spoke something else than HTTP.
    #[error("the connection broke")]
    Broken,
    /// Status is when the HTTP status was none that the call may answer; redirects are not followed.
    #[error("HTTP status {0}")]
    Status(u16),
    /// TooLarge is when the body goes beyond what is read.
    #[error("the answer is too large")]
    TooLarge,
    /// NotAReport is when the body is no JSON object, or names a field twice.
    #[error("the answer is not a JSON report")]
    NotAReport,
    /// Version is when the report is of a version that this crate does not read.
    #[error("version {0} of the session endpoint, expected {VERSION}")]
    Version(u64),
    /// Missing is when a field of the report is absent or null.
    #[error("the report has no {0}")]
    Missing(&'static str),
    /// Malformed is when a field is negative, fractional, of another type, or has an unknown value.
    #[error("the report's {0} is malformed")]
    Malformed(&'static str),
    /// Absurd is when a number is larger than any server can mean.
    #[error("the report's {0} is absurdly large")]
    Absurd(&'static str),
    /// OtherInstance is when another instance answered, because addresses get reused.
    #[error("another instance answers at its address")]
    OtherInstance,
    /// Contradiction is when the answer cannot be true in itself.
    #[error("it contradicts itself: {0}")]
    Contradiction(&'static str),
    /// DemandsSignature is when the server takes signed calls only, and the stack has no secret to sign with (401).
    #[error("it takes signed calls only; give the stack its SigningSecretArn")]
    DemandsSignature,
    /// SignatureRefused is when the server did not take the call's signature (401).
    #[error(
        "it refused the call's signature; its log says why: keys of another secret or instance, or a clock that is off"
    )]
    SignatureRefused,
    /// Unsigned is when the calls are signed and the answer is not.
    #[error("its answer is not signed; give the server its keys")]
    Unsigned,
    /// ForeignSignature is when the answer is signed, but not by this server to this call.
    #[error("its answer is not signed as this server's answer to this call")]
    ForeignSignature,
    /// UnnamedRefusal is when it refused with an error that version 1 does not have.
    #[error("it refused with an error that is not of version 1")]
    UnnamedRefusal,
}

/// A server has taken a higher epoch: a newer deployment or a rollback owns it, and this one must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{instance} has taken epoch {seen}, above {ours} of deployment {deployment}: a newer deployment or rollback owns \
     the service, so this one stops; look for the running execution, and do not redrive this one"
)]
pub struct NewerEpoch {
    /// The server that said so.
    pub instance: String,
    /// The epoch that it has taken.
    pub seen: u64,
    /// The asker's epoch.
    pub ours: u64,
    /// The asker.
    pub deployment: String,
}

impl Failure for NewerEpoch {
    fn name(&self) -> ErrorName {
        ErrorName::Superseded
    }
}

impl NewerEpoch {
    /// Finds the first report with a higher epoch than the fence's.
    ///
    /// # Errors
    /// When there is one.
    pub fn refuse<'a>(
        fence: &Fence,
        reports: impl IntoIterator<Item = &'a SessionReport>,
    ) -> Result<(), Self> {
        match reports
            .into_iter()
            .find(|report| report.epoch > fence.epoch)
        {
            None => Ok(()),
            Some(report) => Err(Self {
                instance: report.instance.clone(),
                seen: report.epoch,
                ours: fence.epoch,
                deployment: fence.deployment.clone(),
            }),
        }
    }
}

impl Reading {
    /// The report, if there is one.
    pub fn report(&self) -> Option<&SessionReport> {
        match self {
            Self::Report(report) => Some(report),
            Self::Unknown(_) => None,
        }
    }
}

impl Reply {
    /// The report, if there is one, whether the server did as asked or refused.
    pub fn report(&self) -> Option<&SessionReport> {
        match self {
            Self::Report(report) | Self::Refused(_, report) => Some(report),
            Self::Unknown(_) => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod examples {
    //! Reports for the tests of every rule.
    use super::*;

    pub(crate) fn report(
        instance: &str,
        admission: Admission,
        busy: u64,
        idle: u64,
    ) -> SessionReport {
        SessionReport {
            instance: instance.to_owned(),
            admission,
            epoch: 5,
            busy,
            idle,
            closed: 0,
            oldest_busy_seconds: if busy > 0 { 431 } else { 0 },
            agent: false,
        }
    }

    pub(crate) fn fence() -> Fence {
        Fence {
            deployment: "blue-moon".to_owned(),
            epoch: 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::examples::{fence, report};
    use super::*;

    #[test]
    fn a_higher_epoch_stops_us_and_names_the_server() {
        let same = report("i-0a", Admission::Draining, 0, 0);
        let higher = SessionReport {
            epoch: 6,
            ..report("i-0b", Admission::Draining, 0, 0)
        };
        assert_eq!(NewerEpoch::refuse(&fence(), [&same]), Ok(()));
        let newer = NewerEpoch::refuse(&fence(), [&same, &higher]).unwrap_err();
        assert_eq!(
            (newer.instance.as_str(), newer.seen, newer.ours),
            ("i-0b", 6, 5)
        );
        assert!(
            newer
                .to_string()
                .contains("i-0b has taken epoch 6, above 5"),
            "{newer}"
        );
    }

    #[test]
    fn a_reason_is_cut_at_a_character_and_shows_it() {
        assert_eq!(brief("connection refused"), "connection refused");
        let fits = "ä".repeat(120);
        assert_eq!(brief(&fits), fits);
        let cut = brief(&"ä".repeat(121));
        assert_eq!(cut.chars().count(), 120);
        assert!(cut.ends_with("ä…"), "{cut}");
    }

    #[test]
    fn admissions_and_refusals_have_their_words() {
        for admission in [Admission::Open, Admission::Draining, Admission::Sealed] {
            let in_json = serde_json::to_value(admission).unwrap();
            assert_eq!(in_json, admission.to_string());
        }
        let words = [Refusal::StaleEpoch, Refusal::Sealed, Refusal::InUse].map(|it| it.to_string());
        assert_eq!(
            words,
            [
                "it has taken a higher epoch",
                "it is sealed",
                "it is in use"
            ]
        );
    }

    #[test]
    fn a_lower_epoch_is_a_server_that_was_not_asked_yet() {
        let lower = SessionReport {
            epoch: 0,
            ..report("i-0a", Admission::Open, 1, 1)
        };
        assert_eq!(NewerEpoch::refuse(&fence(), [&lower]), Ok(()));
    }
}
