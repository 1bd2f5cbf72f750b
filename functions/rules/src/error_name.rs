//! The one list of error names that Step Functions can see; the state machine's Retry and Catch may name only these.
//!
//! A name is API: an operator's alarm and the definition's `ErrorEquals` match on it. Owned here, turned into a
//! Lambda's `errorType` by `ebbtide-runtime`, checked against `statemachine.asl.json` by the definition tests.

use std::fmt;

/// An error with a name. Its `Display` becomes the execution's Cause: say what happened and what to do, never a secret.
pub trait Failure: fmt::Display {
    /// The name that `ErrorEquals` matches.
    fn name(&self) -> ErrorName;
}

macro_rules! error_names {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Why a function failed, in the word that the state machine sees.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorName {
            $($(#[$doc])* $name,)+
        }

        impl ErrorName {
            /// Every name there is, for the check of the definition.
            pub const ALL: &'static [ErrorName] = &[$(ErrorName::$name,)+];

            /// The name as `ErrorEquals` spells it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(ErrorName::$name => stringify!($name),)+
                }
            }
        }
    };
}

error_names! {
    /// The execution's input or the function's settings are wrong; the cause lists every error.
    InvalidInput,
    /// The world is not fit for a deployment; nothing was touched.
    PreflightRefused,
    /// Another deployment, or a later epoch of this one, has its place: this function is late.
    Superseded,
    /// Another deployment holds the front, or no environment is free; the cause says whose turn it is.
    DeploymentInProgress,
    /// The deployment cannot be told that as it stands; the cause says why, and what to do instead.
    WishRefused,
    /// A pause, or the wait at a gate, has lasted as long as it may; nothing moved. A redrive grants it anew.
    PausedTooLong,
    /// The record has changed between plan and claim; the plan is made anew.
    PlanOutdated,
    /// A newer version of Ebbtide has claimed since this execution began; it takes the deployment over.
    RecordTooNew,
    /// A server does not answer as it must yet; asking again may mend it.
    NotFitYet,
    /// A green server is not fit for traffic, and asking again does not mend it.
    GreenUnfit,
    /// AWS asks us to slow down; a retry is worth it.
    Throttled,
    /// The function's role lacks a permission; an operator grants it and redrives.
    AccessDenied,
    /// AWS has no such instances in this subnet now, or a quota is used up.
    CapacityUnavailable,
    /// Blue has too few healthy targets to be given weight back; an operator mends its servers and redrives.
    TooFewHealthy,
    /// Green has too few healthy targets to be given, or to keep, weight: a reason to roll back.
    GreenUnhealthy,
    /// Too few blue servers have opened again to be given weight back; an operator mends them and redrives.
    BlueNotOpen,
    /// A change was made, and reading it again shows something else.
    NotConfirmed,
    /// Somebody else moves the weights again and again; an operator stops it and redrives.
    WeightsContested,
    /// The drain's deadline has passed while a server still blocks; nothing was cut.
    DrainDeadlineExceeded,
    /// AWS did not answer: time-out, broken connection, 5xx.
    AwsUnavailable,
    /// AWS answered and refused for a reason that no retry mends.
    AwsRefused,
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_error_equals_spells_it() {
        assert_eq!(ErrorName::TooFewHealthy.to_string(), "TooFewHealthy");
        for name in ErrorName::ALL {
            assert_eq!(name.to_string(), name.as_str());
        }
    }

    #[test]
    fn every_name_is_listed_once_and_is_one_word() {
        let mut names: Vec<&str> = ErrorName::ALL.iter().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorName::ALL.len());
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| c.is_ascii_alphabetic()))
        );
    }
}
