//! Step Functions in the fake: executions by name, what they are doing, and what was started.

use aws_sdk_sfn::operation::describe_execution::{
    DescribeExecutionError, DescribeExecutionInput, DescribeExecutionOutput,
};
use aws_sdk_sfn::operation::start_execution::{
    StartExecutionError, StartExecutionInput, StartExecutionOutput,
};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_types::DateTime;

use super::World;
use super::answer::{Acted, Answer, operation};

/// An execution that somebody asked to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its name.
    pub name: String,
    /// Its input.
    pub input: String,
}

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    operation(
        world,
        input,
        "DescribeExecution",
        DescribeExecutionError::generic,
        describe,
    )
    .or_else(|| {
        operation(
            world,
            input,
            "StartExecution",
            StartExecutionError::generic,
            start,
        )
    })
}

fn describe(world: &mut World, input: &DescribeExecutionInput) -> Acted<DescribeExecutionOutput> {
    let arn = input.execution_arn().unwrap_or_default();
    let status = world.executions.get(arn).ok_or((
        "ExecutionDoesNotExist",
        format!("Execution Does Not Exist: '{arn}'"),
    ))?;
    DescribeExecutionOutput::builder()
        .execution_arn(arn)
        .state_machine_arn("arn")
        .start_date(DateTime::from_secs(0))
        .status(ExecutionStatus::from(status.as_str()))
        .build()
        .map_err(|error| ("InternalServerError", error.to_string()))
}

fn start(world: &mut World, input: &StartExecutionInput) -> Acted<StartExecutionOutput> {
    let name = input.name().unwrap_or_default();
    let machine = input.state_machine_arn().unwrap_or_default();
    let arn = format!(
        "{}:{name}",
        machine.replacen(":stateMachine:", ":execution:", 1)
    );
    if world.executions.contains_key(&arn) {
        return Err((
            "ExecutionAlreadyExists",
            format!("Execution Already Exists: '{arn}'"),
        ));
    }
    world.executions.insert(arn.clone(), "RUNNING".to_owned());
    world.started.push(Started {
        name: name.to_owned(),
        input: input.input().unwrap_or_default().to_owned(),
    });
    StartExecutionOutput::builder()
        .execution_arn(arn)
        .start_date(DateTime::from_secs(0))
        .build()
        .map_err(|error| ("InternalServerError", error.to_string()))
}
