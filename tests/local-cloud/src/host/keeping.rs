//! Keeps the host in step with EC2: what to start is read from an instance's user data, what to end from its state.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Host, NewServer};
use crate::clients::Clients;
use crate::error::{Error, Result};
use crate::observation::{Instance, Observation};
use crate::options::Choice;

/// Gives every new instance its process, and takes it from every one that ended, until dropped.
pub(crate) async fn keep(
    host: Arc<Host>,
    clients: Clients,
    mut observed: watch::Receiver<Observation>,
    choice: Choice,
) {
    loop {
        let seen = observed.borrow_and_update().clone();
        // Before anything was seen there is nothing to follow, and an empty list would look like the end of everything.
        if !seen.forwarding.is_empty()
            && let Err(error) = attend(&host, &clients, &seen.instances, &choice).await
        {
            tracing::error!(%error, "the host cannot follow EC2");
        }
        if observed.changed().await.is_err() {
            return;
        }
    }
}

async fn attend(
    host: &Host,
    clients: &Clients,
    instances: &[Instance],
    choice: &Choice,
) -> Result<()> {
    host.follow(instances).await?;
    for instance in host.unknown(instances) {
        let new = NewServer {
            instance: instance.clone(),
            user_data: user_data(clients, &instance.id).await?,
        };
        host.launch(instance, &choice.of(&new))?;
    }
    Ok(())
}

async fn user_data(clients: &Clients, instance: &str) -> Result<String> {
    let asked = clients
        .ec2
        .describe_instance_attribute()
        .instance_id(instance)
        .attribute(aws_sdk_ec2::types::InstanceAttributeName::UserData);
    let answer = asked
        .send()
        .await
        .map_err(Error::aws("DescribeInstanceAttribute"))?;
    let encoded = answer
        .user_data()
        .and_then(|attribute| attribute.value())
        .unwrap_or_default();
    let decoded = aws_smithy_types::base64::decode(encoded).unwrap_or_default();
    Ok(String::from_utf8_lossy(&decoded).into_owned())
}
