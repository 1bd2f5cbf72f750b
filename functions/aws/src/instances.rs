//! Instances: found by tags or ids, launched, tagged, ended one by one.

mod protection;

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{
    Filter, InstanceStateName, LaunchTemplateSpecification, ResourceType, Tag, TagSpecification,
};
use ebbtide_rules::observed::{Instance, InstanceState};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::CloudError;
use crate::error::Called;
use crate::once::once;

pub use protection::{Protection, Spot};

/// EC2 takes at most 200 values in a filter, and 1000 ids in a call of CreateTags.
const CHUNK: usize = 100;

/// Reads and changes instances.
#[derive(Debug, Clone)]
pub struct Instances {
    client: Client,
}

/// Instances to launch in one subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInstances<'a> {
    /// The launch template's id.
    pub template: &'a str,
    /// Its version's number.
    pub version: &'a str,
    /// The subnet; everything else is the template's.
    pub subnet: &'a str,
    /// How many, all or none.
    pub count: u32,
    /// Makes a repeat of this very call launch nothing more.
    pub client_token: &'a str,
    /// What the instances and their volumes are tagged with.
    pub tags: &'a BTreeMap<String, String>,
}

impl Instances {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The instances with all these tags, terminated ones included for as long as EC2 shows them.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn tagged(&self, tags: &[(&str, &str)]) -> Result<Vec<Instance>, CloudError> {
        let filters = tags
            .iter()
            .map(|(key, value)| filter(format!("tag:{key}"), [(*value).to_owned()]))
            .collect();
        self.find(filters).await
    }

    /// The instances with these ids; EC2 leaves out those that it does not know.
    ///
    /// By filter and not by `InstanceIds`: there one unknown id fails the whole call.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn by_ids(&self, ids: &[String]) -> Result<Vec<Instance>, CloudError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            found.extend(
                self.find(vec![filter("instance-id", chunk.iter().cloned())])
                    .await?,
            );
        }
        Ok(found)
    }

    async fn find(&self, filters: Vec<Filter>) -> Result<Vec<Instance>, CloudError> {
        let pages = self.pages(filters).await?;
        let mut found: Vec<Instance> = pages.iter().filter_map(read).collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    async fn pages(
        &self,
        filters: Vec<Filter>,
    ) -> Result<Vec<aws_sdk_ec2::types::Instance>, CloudError> {
        let mut pages = self
            .client
            .describe_instances()
            .set_filters(Some(filters))
            .into_paginator()
            .page_size(1000)
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.called(|| "DescribeInstances")?;
            for reservation in page.reservations() {
                found.extend_from_slice(reservation.instances());
            }
        }
        Ok(found)
    }

    /// Launches instances and answers their ids; none where the client token is that of instances which have ended, as
    /// EC2 says by an error since 2025, and by their ids before.
    ///
    /// # Errors
    /// AWS's failure; nothing was launched then, unless AWS did not answer.
    pub async fn launch(&self, order: &RunInstances<'_>) -> Result<Vec<String>, CloudError> {
        let count = i32::try_from(order.count).unwrap_or(i32::MAX);
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(order.template)
            .version(order.version)
            .build();
        let call = self
            .client
            .run_instances()
            .launch_template(template)
            .subnet_id(order.subnet)
            .min_count(count)
            .max_count(count)
            .client_token(order.client_token)
            .tag_specifications(specification(ResourceType::Instance, order.tags))
            .tag_specifications(specification(ResourceType::Volume, order.tags));
        let answer = once!(aws_sdk_ec2, call).await;
        if let Err(error) = &answer
            && error.code() == Some("IdempotentInstanceTerminated")
        {
            tracing::warn!(order.subnet, "what this token launched has ended");
            return Ok(Vec::new());
        }
        let answer =
            answer.called(|| format!("RunInstances of {} in {}", order.count, order.subnet))?;
        Ok(answer
            .instances()
            .iter()
            .filter_map(|instance| instance.instance_id().map(str::to_owned))
            .collect())
    }

    /// Tags instances.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn tag(
        &self,
        ids: &[String],
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        for chunk in ids.chunks(CHUNK) {
            let call = self.client.create_tags();
            let call = call.set_resources(Some(chunk.to_vec()));
            once!(aws_sdk_ec2, call.set_tags(Some(sdk_tags(tags))))
                .await
                .called(|| format!("CreateTags on {}", chunk.join(", ")))?;
        }
        Ok(())
    }

    /// Drops tags of instances, whatever their values; without keys none, which to EC2 would mean all (DeleteTags'
    /// reference).
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn untag(&self, ids: &[String], keys: &[&str]) -> Result<(), CloudError> {
        let tags = keys.iter().map(|key| Tag::builder().key(*key).build());
        let tags: Vec<Tag> = tags.collect();
        for chunk in ids.chunks(CHUNK).filter(|_| !tags.is_empty()) {
            let call = self.client.delete_tags();
            let call = call.set_resources(Some(chunk.to_vec()));
            once!(aws_sdk_ec2, call.set_tags(Some(tags.clone())))
                .await
                .called(|| format!("DeleteTags on {}", chunk.join(", ")))?;
        }
        Ok(())
    }

    /// Ends one instance: with several ids, one bad one fails the whole call (TerminateInstances' reference).
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn terminate(&self, id: &str) -> Result<(), CloudError> {
        let call = self.client.terminate_instances().instance_ids(id);
        once!(aws_sdk_ec2, call)
            .await
            .called(|| format!("TerminateInstances of {id}"))?;
        Ok(())
    }
}

/// A client token of 64 characters, EC2's most: a hash of what makes the launch this one, for a service and a deployment.
pub fn client_token(
    (service, deployment): (&str, &str),
    subnet: &str,
    index: u32,
    generation: u32,
) -> String {
    let mut hash = Sha256::new();
    hash.update(format!(
        "{service}/{deployment}/{subnet}/{index}/{generation}"
    ));
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The instances of either list, each once.
pub fn union(mut some: Vec<Instance>, others: Vec<Instance>) -> Vec<Instance> {
    for other in others {
        if !some.iter().any(|instance| instance.id == other.id) {
            some.push(other);
        }
    }
    some.sort_by(|a, b| a.id.cmp(&b.id));
    some
}

fn filter(name: impl Into<String>, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().collect()))
        .build()
}

fn specification(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(sdk_tags(tags)))
        .build()
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

fn read(instance: &aws_sdk_ec2::types::Instance) -> Option<Instance> {
    let tag = |tag: &Tag| {
        Some((
            tag.key()?.to_owned(),
            tag.value().unwrap_or_default().to_owned(),
        ))
    };
    Some(Instance {
        id: instance.instance_id()?.to_owned(),
        ip: instance
            .private_ip_address()
            .filter(|ip| !ip.is_empty())
            .map(str::to_owned),
        subnet: instance.subnet_id().map(str::to_owned),
        state: state(instance.state().and_then(|state| state.name())),
        ended_by: instance
            .state_reason()
            .and_then(|reason| reason.message())
            .map(str::to_owned),
        launched_at: instance
            .launch_time()
            .and_then(|time| Timestamp::from_second(time.secs()).ok()),
        tags: instance.tags().iter().filter_map(tag).collect(),
    })
}

fn state(name: Option<&InstanceStateName>) -> InstanceState {
    match name {
        Some(InstanceStateName::Pending) => InstanceState::Pending,
        Some(InstanceStateName::Running) => InstanceState::Running,
        Some(InstanceStateName::Stopping | InstanceStateName::Stopped) => InstanceState::Stopped,
        Some(InstanceStateName::ShuttingDown) => InstanceState::ShuttingDown,
        Some(InstanceStateName::Terminated) => InstanceState::Terminated,
        _ => InstanceState::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_token_is_the_launchs_own() {
        let of = ("tunnel", "deploy-1");
        let token = client_token(of, "subnet-1", 0, 0);
        assert_eq!(token.len(), 64);
        assert_eq!(token, client_token(of, "subnet-1", 0, 0));
        for other in [
            client_token(of, "subnet-1", 1, 0),
            client_token(of, "subnet-2", 0, 0),
            client_token(of, "subnet-1", 0, 1),
            client_token(("tunnel", "deploy-2"), "subnet-1", 0, 0),
        ] {
            assert_ne!(token, other);
        }
    }

    #[test]
    fn a_state_that_is_not_known_is_alive() {
        assert_eq!(state(None), InstanceState::Other);
        assert_eq!(
            state(Some(&InstanceStateName::from("hibernating"))),
            InstanceState::Other
        );
        assert_eq!(
            state(Some(&InstanceStateName::Terminated)),
            InstanceState::Terminated
        );
    }
}
