//! What went wrong in a call of AWS: a name from the one list, the operation, AWS's own words, and what to do about it.
//!
//! Never a secret: requests are not repeated here, and AWS's message is cut to a length that fits a Cause.

use aws_sdk_elasticloadbalancingv2::error::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ebbtide_rules::ErrorName;
use ebbtide_rules::record::Superseded;

use crate::UnfitAction;

/// What went wrong at the edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Call is when a call of AWS failed.
    #[error(transparent)]
    Call(#[from] FailedCall),
    /// Unfit is when the live action list is not one that weights can be set in.
    #[error("{0}; mend it, then redrive the execution")]
    Unfit(#[from] UnfitAction),
    /// Superseded is when the record names another owner or epoch.
    #[error(transparent)]
    Superseded(#[from] Superseded),
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
/// Auto Scaling and DynamoDB API references.
const THROTTLED: &[&str] = &[
    "EC2ThrottledException",
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

const NO_CAPACITY: &[&str] = &[
    "InstanceLimitExceeded",
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "VcpuLimitExceeded",
];

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

    /// An answer that AWS gave and that makes no sense here.
    pub fn unexpected(operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Call(FailedCall {
            name: ErrorName::AwsRefused,
            operation: operation.into(),
            message: message.into(),
        })
    }

    /// The name that the state machine sees.
    pub fn name(&self) -> ErrorName {
        match self {
            Self::Call(call) => call.name,
            Self::Unfit(_) => ErrorName::NotConfirmed,
            Self::Superseded(_) => ErrorName::Superseded,
        }
    }
}

/// The HTTP status of a raw answer.
pub trait StatusCode {
    /// The number.
    fn status_code(&self) -> u16;
}

impl StatusCode for aws_sdk_elasticloadbalancingv2::config::http::HttpResponse {
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
            ("InternalError", 500, ErrorName::AwsUnavailable),
            ("SomethingNew", 502, ErrorName::AwsUnavailable),
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
