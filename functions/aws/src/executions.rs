//! Executions of the state machine: whether one goes on by itself, and starting the next one.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::ProvideErrorMetadata;
use ebbtide_rules::record::Execution;

use crate::CloudError;
use crate::error::Called;

/// Reads and starts executions.
#[derive(Debug, Clone)]
pub struct Executions {
    client: Client,
}

impl Executions {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What Step Functions says of an execution. One that it does not know any more does not run: a closed execution is
    /// kept for 90 days, and one that was named and never started is not known at all.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn describe(&self, arn: &str) -> Result<Execution, CloudError> {
        let answer = self
            .client
            .describe_execution()
            .execution_arn(arn)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let status = answer.status().as_str();
                Ok(Execution {
                    running: ["RUNNING", "PENDING_REDRIVE"].contains(&status),
                    status: status.to_owned(),
                })
            }
            Err(error) if is(&error, "ExecutionDoesNotExist") => Ok(Execution {
                running: false,
                status: "NO LONGER KNOWN".to_owned(),
            }),
            Err(error) => Err(error).called(|| format!("DescribeExecution of {arn}")),
        }
    }

    /// Starts an execution of the state machine that `of` is one of. One of that name which exists already is the one that
    /// was meant: the record names it before it is started.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn start(&self, of: &str, name: &str, input: &str) -> Result<(), CloudError> {
        let answer = self
            .client
            .start_execution()
            .state_machine_arn(machine_of(of))
            .name(name)
            .input(input)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is(&error, "ExecutionAlreadyExists") => Ok(()),
            Err(error) => Err(error).called(|| format!("StartExecution of {name}")),
        }
    }
}

fn is(error: &impl ProvideErrorMetadata, name: &str) -> bool {
    error.code().is_some_and(|code| code.starts_with(name))
}

/// The state machine's ARN, of one of its executions': `…:execution:MACHINE:NAME`.
fn machine_of(execution: &str) -> String {
    let machine = execution
        .rsplit_once(':')
        .map_or(execution, |(machine, _)| machine);
    machine.replacen(":execution:", ":stateMachine:", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_found_by_its_execution() {
        assert_eq!(
            machine_of("arn:aws:states:eu-west-1:123456789012:execution:tunnel:first"),
            "arn:aws:states:eu-west-1:123456789012:stateMachine:tunnel"
        );
    }
}
