//! What went wrong in a call of AWS: a name from the one list, the operation, AWS's own words, and what to do about it.
//!
//! Never a secret: requests are not repeated here, and AWS's message is cut to a length that fits a Cause.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ebbtide_rules::record::Superseded;
use ebbtide_rules::{ErrorName, Failure};

#[cfg(feature = "balancer")]
use crate::UnfitAction;

/// What went wrong at the edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Call is when a call of AWS failed.
    #[error(transparent)]
    Call(#[from] FailedCall),
    #[cfg(feature = "balancer")]
    /// Unfit is when the live action list is not one that weights can be set in.
    #[error("{0}; mend it, then redrive the execution")]
    Unfit(#[from] UnfitAction),
    /// Superseded is when the record names another owner or epoch.
    #[error(transparent)]
    Superseded(#[from] Superseded),
    /// Unreadable is when the record has a newer shape, which this version cannot read.
    #[error(
        "the record has shape {0}, which this version cannot read: a newer version of Ebbtide has claimed since this \
         execution began; take the deployment over, and the newer version goes on with it"
    )]
    Unreadable(u32),
}

/// A call of AWS that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}; {}", advice(*name))]
pub struct FailedCall {
    /// What kind of failure.
    pub name: ErrorName,
    /// The call, with what it was about.
    pub operation: String,
    /// AWS's words.
    pub message: String,
}

/// Codes by which AWS asks for fewer calls, or for one thing at a time. Sources: the common errors of the EC2, ELB,
/// Auto Scaling, DynamoDB and Step Functions API references.
const THROTTLED: &[&str] = &[
    "EC2ThrottledException",
    "ExecutionLimitExceeded",
    "KmsThrottlingException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ResourceContention",
    "ScalingActivityInProgress",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
];

const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "Blocked",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// `Unsupported` is EC2's word for an instance type that a zone does not have: another subnet may. Source: "Error codes
/// for the Amazon EC2 API".
const NO_CAPACITY: &[&str] = &[
    "InstanceLimitExceeded",
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientCapacityOnHost",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientVolumeCapacity",
    "MaxSpotInstanceCountExceeded",
    "ReservationCapacityExceeded",
    "SpotMaxPriceTooLow",
    "Unsupported",
    "VcpuLimitExceeded",
];

/// The world changed between reading and acting: an instance ended before it was registered (RegisterTargets' reference:
/// `InvalidTarget`). Reading again shows it.
const CHANGED: &[&str] = &["InvalidTarget"];

const UNAVAILABLE: &[&str] = &[
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
];

const MOST_WORDS: usize = 500;

impl CloudError {
    /// Classifies a failure of the SDK.
    pub fn of<E, R>(operation: impl Into<String>, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error,
        R: StatusCode,
    {
        let (name, message) = match error {
            SdkError::TimeoutError(_) => (
                ErrorName::AwsUnavailable,
                "AWS did not answer in time".to_owned(),
            ),
            SdkError::DispatchFailure(failure) => (
                ErrorName::AwsUnavailable,
                format!(
                    "AWS could not be reached: {}",
                    cause(failure.as_connector_error())
                ),
            ),
            SdkError::ResponseError(_) => (
                ErrorName::AwsUnavailable,
                "AWS's answer was cut off or unreadable".to_owned(),
            ),
            SdkError::ServiceError(service) => {
                let (code, words) = (
                    error.code().unwrap_or("no code"),
                    error.message().unwrap_or("no message"),
                );
                (
                    name_of(code, service.raw().status_code()),
                    format!("{code}: {words}"),
                )
            }
            _ => (
                ErrorName::AwsRefused,
                "the call could not be built".to_owned(),
            ),
        };
        Self::Call(FailedCall {
            name,
            operation: operation.into(),
            message: message.chars().take(MOST_WORDS).collect(),
        })
    }

    /// A refusal whose code AWS gives inside of another answer.
    #[cfg(feature = "table")]
    pub(crate) fn refused(operation: impl Into<String>, code: &str, words: &str) -> Self {
        Self::Call(FailedCall {
            name: name_of(code, 400),
            operation: operation.into(),
            message: format!("{code}: {words}"),
        })
    }

    /// An answer that AWS gave and that makes no sense here.
    pub fn unexpected(operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Call(FailedCall {
            name: ErrorName::AwsRefused,
            operation: operation.into(),
            message: message.into(),
        })
    }
}

impl Failure for CloudError {
    fn name(&self) -> ErrorName {
        match self {
            Self::Call(call) => call.name,
            #[cfg(feature = "balancer")]
            Self::Unfit(_) => ErrorName::NotConfirmed,
            Self::Superseded(superseded) => superseded.name(),
            Self::Unreadable(_) => ErrorName::RecordTooNew,
        }
    }
}

/// Names the call that a failure of the SDK came of.
pub(crate) trait Called<T> {
    /// The answer, or the failure of `operation`.
    fn called<S: Into<String>>(self, operation: impl FnOnce() -> S) -> Result<T, CloudError>;
}

impl<T, E, R> Called<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + std::error::Error,
    R: StatusCode,
{
    fn called<S: Into<String>>(self, operation: impl FnOnce() -> S) -> Result<T, CloudError> {
        self.map_err(|error| CloudError::of(operation(), &error))
    }
}

/// The HTTP status of a raw answer.
pub trait StatusCode {
    /// The number.
    fn status_code(&self) -> u16;
}

impl StatusCode for HttpResponse {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }
}

fn name_of(code: &str, status: u16) -> ErrorName {
    if THROTTLED.contains(&code) {
        ErrorName::Throttled
    } else if DENIED.contains(&code) {
        ErrorName::AccessDenied
    } else if NO_CAPACITY.contains(&code) {
        ErrorName::CapacityUnavailable
    } else if CHANGED.contains(&code) {
        ErrorName::NotConfirmed
    } else if status >= 500 || UNAVAILABLE.contains(&code) {
        ErrorName::AwsUnavailable
    } else if status == 429 {
        ErrorName::Throttled
    } else {
        ErrorName::AwsRefused
    }
}

fn cause(error: Option<&impl std::error::Error>) -> String {
    let Some(error) = error else {
        return "no reason given".to_owned();
    };
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    words
}

/// What an operator does about it.
fn advice(name: ErrorName) -> &'static str {
    match name {
        ErrorName::Throttled => {
            "AWS asks for fewer calls: redrive the execution when others call less"
        }
        ErrorName::AccessDenied => {
            "grant the function's role this action, then redrive the execution"
        }
        ErrorName::CapacityUnavailable => {
            "wait for capacity or raise the quota and redrive, or start anew with other subnets or another instance type"
        }
        ErrorName::AwsUnavailable => "redrive the execution when AWS answers again",
        _ => "mend the cause, then redrive the execution",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names() {
        let cases = [
            ("RequestLimitExceeded", 503, ErrorName::Throttled),
            ("Throttling", 400, ErrorName::Throttled),
            ("SomethingNew", 429, ErrorName::Throttled),
            ("UnauthorizedOperation", 403, ErrorName::AccessDenied),
            (
                "InsufficientInstanceCapacity",
                500,
                ErrorName::CapacityUnavailable,
            ),
            ("Unsupported", 400, ErrorName::CapacityUnavailable),
            ("InternalError", 500, ErrorName::AwsUnavailable),
            ("SomethingNew", 502, ErrorName::AwsUnavailable),
            ("InvalidTarget", 400, ErrorName::NotConfirmed),
            ("OperationNotPermitted", 400, ErrorName::AwsRefused),
            ("InvalidParameterValue", 400, ErrorName::AwsRefused),
        ];
        for (code, status, expected) in cases {
            assert_eq!(name_of(code, status), expected, "{code} {status}");
        }
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let error = FailedCall {
            name: ErrorName::AccessDenied,
            operation: "RunInstances in subnet-1".to_owned(),
            message: "UnauthorizedOperation: You are not authorized".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "RunInstances in subnet-1: UnauthorizedOperation: You are not authorized; \
             grant the function's role this action, then redrive the execution"
        );
    }
}
