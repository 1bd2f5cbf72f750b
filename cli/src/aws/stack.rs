//! The stack: where its table and its state machine are, and what its service is called.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;

use crate::failed::Failed;

/// What a stack says of itself.
pub(super) struct Found {
    pub(super) service: String,
    pub(super) machine: String,
    pub(super) table: String,
}

pub(super) async fn find(client: &Client, name: &str) -> Result<Found, Failed> {
    let described = client.describe_stacks().stack_name(name).send().await;
    let described = described.map_err(|error| {
        // CloudFormation has no code of its own for it.
        let missing = error
            .message()
            .is_some_and(|it| it.contains("does not exist"));
        if missing {
            Failed::Unknown(format!(
                "there is no stack {name} in this region and account"
            ))
        } else {
            Failed::call("DescribeStacks", &error)
        }
    })?;
    let stack = described.stacks.unwrap_or_default().into_iter().next();
    let stack = stack.ok_or_else(|| Failed::Unknown(format!("there is no stack {name}")))?;
    let foreign = |what: &str| {
        Failed::Unknown(format!(
            "the stack {name} has no {what}: it is none of Ebbtide"
        ))
    };
    let output = |key: &str| {
        let mut outputs = stack.outputs().iter();
        let found = outputs.find(|output| output.output_key() == Some(key));
        let value = found.and_then(|output| output.output_value());
        value.map(str::to_owned).ok_or_else(|| foreign(key))
    };
    let mut parameters = stack.parameters().iter();
    let service = parameters.find(|it| it.parameter_key() == Some("ServiceName"));
    let service = service.and_then(|it| it.parameter_value());
    Ok(Found {
        service: service.ok_or_else(|| foreign("ServiceName"))?.to_owned(),
        machine: output("StateMachineArn")?,
        table: output("TableName")?,
    })
}
