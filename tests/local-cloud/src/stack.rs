//! The stack: deployed as CloudFormation does it from what was packaged, updated and deleted.

use std::path::Path;
use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{
    Capability, Parameter, ResourceStatus, StackEvent, StackStatus,
};

use crate::clients::Clients;
use crate::emulators::Emulators;
use crate::error::{Error, Result, chain};
use crate::package::{BUCKET, TEMPLATE};
use crate::wait::{self, Seen};
use crate::{http, world};

/// How long an update or a deletion may take: time-outs of the guard, and the rest.
const LIMIT: Duration = Duration::from_secs(900);

/// The stack's name, and so the state machine's.
pub const STACK: &str = "ebbtide";

/// What a deployed stack says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The state machine.
    pub state_machine_arn: String,
    /// The table of the service's record.
    pub table: String,
}

/// Makes the stack of the files in `packaged`, or updates it, with these parameters; waits until it stands and reads its
/// outputs. As `sam deploy` does, without the five seconds that its start takes: every cloud deploys.
///
/// # Errors
/// If CloudFormation refuses, the stack's words if it does not come about, or if it lacks an output.
pub(crate) async fn deploy(
    packaged: &Path,
    emulators: &Emulators,
    clients: &Clients,
    parameters: &[(String, String)],
) -> Result<Stack> {
    upload(packaged, &emulators.ministack).await?;
    order(clients, &emulators.ministack, parameters).await?;
    let stack = stands(clients).await?;
    emulators.deployed(STACK, &stack.table, parameters);
    Ok(stack)
}

/// Puts the packaged files where the template says that they are.
async fn upload(packaged: &Path, ministack: &str) -> Result<()> {
    let client = http::client()?;
    let bucket = format!("{ministack}/{BUCKET}");
    put(&client, bucket.clone(), Vec::new()).await?;
    for entry in std::fs::read_dir(packaged).map_err(Error::io("cannot read", packaged))? {
        let path = entry.map_err(Error::io("cannot read", packaged))?.path();
        let content = std::fs::read(&path).map_err(Error::io("cannot read", &path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        put(&client, format!("{bucket}/{name}"), content).await?;
    }
    Ok(())
}

async fn put(client: &reqwest::Client, url: String, content: Vec<u8>) -> Result<()> {
    let answer = client.put(&url).body(content).send().await;
    let refused = |error: reqwest::Error| Error::Aws {
        call: format!("PUT {url}"),
        why: chain(&error),
    };
    let answer = answer.map_err(refused)?.error_for_status();
    answer.map(|_| ()).map_err(refused)
}

/// Orders the stack, or its update.
async fn order(clients: &Clients, ministack: &str, parameters: &[(String, String)]) -> Result<()> {
    let url = format!("{ministack}/{BUCKET}/{TEMPLATE}");
    let capabilities = [Capability::CapabilityIam, Capability::CapabilityAutoExpand];
    let parameters = parameters.iter().map(|(name, value)| {
        let parameter = Parameter::builder().parameter_key(name);
        parameter.parameter_value(value).build()
    });
    let cloudformation = &clients.cloudformation;
    if status(clients).await?.is_none() {
        let ordered = cloudformation
            .create_stack()
            .stack_name(STACK)
            .template_url(url)
            .set_capabilities(Some(capabilities.into()))
            .set_parameters(Some(parameters.collect()));
        let ordered = ordered.send().await;
        return ordered.map(|_| ()).map_err(Error::aws("CreateStack"));
    }
    let ordered = cloudformation
        .update_stack()
        .stack_name(STACK)
        .template_url(url)
        .set_capabilities(Some(capabilities.into()))
        .set_parameters(Some(parameters.collect()));
    match ordered.send().await {
        Ok(_) => Ok(()),
        // Everything is as it shall be.
        Err(error)
            if error
                .message()
                .is_some_and(|it| it.contains("No updates are")) =>
        {
            Ok(())
        }
        Err(error) => Err(Error::aws("UpdateStack")(error)),
    }
}

/// Waits until the stack stands as it was ordered.
async fn stands(clients: &Clients) -> Result<Stack> {
    use StackStatus::{CreateComplete, UpdateComplete};
    wait::until("the stack", LIMIT, || async {
        let status = status(clients).await?;
        let status = status.ok_or_else(|| world::missing("DescribeStacks", STACK))?;
        if matches!(status, CreateComplete | UpdateComplete) {
            return Ok(Seen::Done(()));
        }
        if status.as_str().ends_with("_IN_PROGRESS") {
            return Ok(Seen::NotYet(status.to_string()));
        }
        Err(Error::Aws {
            call: format!("the stack, {status}"),
            why: refusal(clients).await?,
        })
    })
    .await?;
    outputs(clients).await
}

/// The stack's status; none if there is no stack.
async fn status(clients: &Clients) -> Result<Option<StackStatus>> {
    let described = clients
        .cloudformation
        .describe_stacks()
        .stack_name(STACK)
        .send();
    match described.await {
        Ok(described) => {
            let stack = described.stacks().first();
            Ok(stack.and_then(|it| it.stack_status()).cloned())
        }
        Err(error)
            if error
                .message()
                .is_some_and(|it| it.contains("does not exist")) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::aws("DescribeStacks")(error)),
    }
}

/// Deletes the stack and waits for what becomes of it: nothing, or the reason why it is still there.
pub(crate) async fn delete(clients: &Clients) -> Result<Option<String>> {
    let cloudformation = &clients.cloudformation;
    let ordered = cloudformation.delete_stack().stack_name(STACK).send().await;
    ordered.map_err(Error::aws("DeleteStack"))?;
    wait::until("the stack's deletion", LIMIT, || async {
        Ok(match status(clients).await? {
            None | Some(StackStatus::DeleteComplete) => Seen::Done(None),
            Some(StackStatus::DeleteFailed) => Seen::Done(Some(refusal(clients).await?)),
            Some(other) => Seen::NotYet(other.to_string()),
        })
    })
    .await
}

/// What happened to the stack's resources, the newest first.
async fn events(clients: &Clients) -> Result<Vec<StackEvent>> {
    let pages = clients
        .cloudformation
        .describe_stack_events()
        .stack_name(STACK);
    let pages = pages.into_paginator().items().send();
    let all: Vec<StackEvent> = pages
        .try_collect()
        .await
        .map_err(Error::aws("DescribeStackEvents"))?;
    let of_resources = all
        .into_iter()
        .filter(|event| event.logical_resource_id() != Some(STACK));
    Ok(of_resources.collect())
}

/// The resource whose deletion began first.
pub(crate) async fn first_deleted(clients: &Clients) -> Result<String> {
    let events = events(clients).await?;
    let mut begun = events
        .iter()
        .rev()
        .filter(|event| event.resource_status() == Some(&ResourceStatus::DeleteInProgress));
    let first = begun.next().and_then(|event| event.logical_resource_id());
    first
        .map(str::to_owned)
        .ok_or_else(|| world::missing("DescribeStackEvents", "a deletion"))
}

/// The last words of a resource that could not be made, updated or deleted.
pub(crate) async fn refusal(clients: &Clients) -> Result<String> {
    let events = events(clients).await?;
    let failed = events.iter().find(|event| {
        let failed = [
            ResourceStatus::CreateFailed,
            ResourceStatus::UpdateFailed,
            ResourceStatus::DeleteFailed,
        ];
        event
            .resource_status()
            .is_some_and(|it| failed.contains(it))
    });
    let reason = failed.and_then(|event| {
        let (id, reason) = (
            event.logical_resource_id()?,
            event.resource_status_reason()?,
        );
        Some(format!("{id}: {reason}"))
    });
    reason.ok_or_else(|| world::missing("DescribeStackEvents", "why the stack is as it was"))
}

async fn outputs(clients: &Clients) -> Result<Stack> {
    let described = clients
        .cloudformation
        .describe_stacks()
        .stack_name(STACK)
        .send()
        .await
        .map_err(Error::aws("DescribeStacks"))?;
    let outputs = described
        .stacks()
        .first()
        .map(|stack| stack.outputs())
        .unwrap_or_default();
    let output = |key: &str| {
        let found = outputs
            .iter()
            .find(|output| output.output_key() == Some(key));
        found
            .and_then(|output| output.output_value())
            .map(ToOwned::to_owned)
            .ok_or_else(|| world::missing("DescribeStacks", &format!("the output {key}")))
    };
    Ok(Stack {
        state_machine_arn: output("StateMachineArn")?,
        table: output("TableName")?,
    })
}
