//! Why a command did not do what was asked, and the exit status that says so.

use std::process::ExitCode;

use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why a command ends with another status than 0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// What was asked for did not come about: a deployment failed, a wish was refused.
    #[error("{0}")]
    NotDone(String),
    /// It was asked in a way that nobody understands.
    #[error("{0}")]
    Usage(String),
    /// AWS was not reached, or denies the call.
    #[error("{call}: {why}")]
    Aws {
        /// The call.
        call: String,
        /// What the SDK says.
        why: String,
    },
    /// There is nothing of that name.
    #[error("{0}")]
    Unknown(String),
    /// Ctrl-C where a terminal gives it as a key; elsewhere the shell says so by itself.
    #[error("interrupted; a deployment under way goes on")]
    Interrupted,
    /// What AWS holds is of a version of Ebbtide that this one does not know.
    #[error("{0}")]
    Unreadable(String),
}

/// The exit statuses and what they mean; docs/cli.md has them too.
pub(crate) const STATUSES: [(u8, &str); 7] = [
    (0, "done"),
    (
        1,
        "what was asked did not come about: the deployment failed, the wish was refused",
    ),
    (2, "not understood: an option, or a deployment's input"),
    (3, "AWS was not reached, or denied the call"),
    (4, "there is no stack, deployment or error of that name"),
    (5, "written by another version of Ebbtide: use that one's"),
    (130, "interrupted by Ctrl-C; a deployment under way goes on"),
];

impl Failed {
    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::NotDone(_) => 1,
            Self::Usage(_) => 2,
            Self::Aws { .. } => 3,
            Self::Unknown(_) => 4,
            Self::Unreadable(_) => 5,
            Self::Interrupted => 130,
        }
    }

    /// A call that AWS did not take; what the SDK's words hide is said.
    pub(crate) fn call<E>(call: &str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let metadata = error.meta();
        let why = match (metadata.code(), metadata.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => DisplayErrorContext(error).to_string(),
        };
        let advice = match error {
            SdkError::ServiceError(_) if denied(metadata.code()) => {
                "; docs/cli.md has the policy that this command needs"
            }
            SdkError::ConstructionFailure(_) if why.contains("Region") => {
                "; set AWS_REGION, or a region in the profile"
            }
            SdkError::DispatchFailure(failure) if failure.is_user() || failure.is_other() => {
                "; are there credentials? AWS_PROFILE names a profile"
            }
            _ => "",
        };
        Self::Aws {
            call: call.to_owned(),
            why: why + advice,
        }
    }

    /// Prints it and gives its status.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("ebbtide: {self}");
        ExitCode::from(self.status())
    }
}

fn denied(code: Option<&str>) -> bool {
    code.is_some_and(|code| code.contains("AccessDenied") || code.contains("NotAuthorized"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_status_of_the_table() {
        let failures = [
            Failed::NotDone(String::new()),
            Failed::Usage(String::new()),
            Failed::Aws {
                call: String::new(),
                why: String::new(),
            },
            Failed::Unknown(String::new()),
            Failed::Unreadable(String::new()),
        ];
        let mut used: Vec<u8> = failures.iter().map(Failed::status).collect();
        used.insert(0, 0);
        // Of Ctrl-C the shell tells: the process ends by the signal.
        used.push(130);
        assert_eq!(used, STATUSES.map(|(status, _)| status));
    }
}
