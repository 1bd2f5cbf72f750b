//! AWS, as far as this command asks it: three services, seven calls. Nothing else here names AWS.
//!
//! Reads the stack, the service's record and outcomes, and executions; starts and redrives an execution. It decides nothing
//! and writes nothing else. `docs/cli.md` has the policy for it, which `tests/policy.rs` holds against these calls.

mod executions;
mod stack;
mod table;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, retry::RetryConfig};

use crate::failed::Failed;

pub(crate) use executions::Ended;

/// One stack of Ebbtide.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    /// The stack's name.
    pub(crate) stack: String,
    /// The service's.
    pub(crate) service: String,
    /// The state machine's ARN.
    pub(crate) machine: String,
    table: String,
    dynamodb: aws_sdk_dynamodb::Client,
    sfn: aws_sdk_sfn::Client,
}

impl Aws {
    /// Finds the stack, with the credentials, the region and the endpoints of the environment.
    ///
    /// # Errors
    /// When AWS does not answer, or has no such stack.
    pub(crate) async fn connect(stack: &str) -> Result<Self, Failed> {
        // For a person who waits, and so shorter than the SDK's own.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(25))
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        let config = Box::pin(config.load()).await;
        let found = stack::find(&aws_sdk_cloudformation::Client::new(&config), stack).await?;
        Ok(Self {
            stack: stack.to_owned(),
            service: found.service,
            machine: found.machine,
            table: found.table,
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
        })
    }
}
