//! Auto Scaling groups: which instances belong to one, what keeps it from ending or replacing them, and their tags.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter, Tag};
use ebbtide_rules::hold::{ScalingGroup, ScalingMember};

use crate::CloudError;
use crate::error::Called;
use crate::once::once;

/// DescribeAutoScalingInstances and SetInstanceProtection take 50 ids a call.
const CHUNK: usize = 50;

/// Reads and changes Auto Scaling groups.
#[derive(Debug, Clone)]
pub struct AutoScaling {
    client: Client,
}

impl AutoScaling {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The groups that have any of these instances, with those members; none when the instances are in no group.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn groups_of(&self, instances: &[String]) -> Result<Vec<ScalingGroup>, CloudError> {
        let members = self.members(instances).await?;
        let names: Vec<String> = members.keys().cloned().collect();
        let mut groups = Vec::new();
        for chunk in names.chunks(CHUNK) {
            let call = self.client.describe_auto_scaling_groups();
            let call = call.set_auto_scaling_group_names(Some(chunk.to_vec()));
            groups.extend(describe(call).await?);
        }
        for group in &mut groups {
            group.members = members.get(&group.name).cloned().unwrap_or_default();
        }
        Ok(groups)
    }

    /// The groups of this service that have a tag `key`, whatever its value, without their members.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn tagged(
        &self,
        service: (&str, &str),
        key: &str,
    ) -> Result<Vec<ScalingGroup>, CloudError> {
        let (service_key, service) = service;
        let call = self.client.describe_auto_scaling_groups();
        let call = call
            .filters(filter(&format!("tag:{service_key}"), service))
            .filters(filter("tag-key", key));
        describe(call).await
    }

    /// Those of the instances that a group is ending already, whatever EC2 calls them.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn terminating(&self, instances: &[String]) -> Result<BTreeSet<String>, CloudError> {
        let members = self.members(instances).await?.into_values().flatten();
        Ok(members
            .filter(ScalingMember::is_terminating)
            .map(|member| member.instance)
            .collect())
    }

    async fn members(
        &self,
        instances: &[String],
    ) -> Result<BTreeMap<String, Vec<ScalingMember>>, CloudError> {
        let mut members: BTreeMap<String, Vec<ScalingMember>> = BTreeMap::new();
        for chunk in instances.chunks(CHUNK) {
            let answer = self
                .client
                .describe_auto_scaling_instances()
                .set_instance_ids(Some(chunk.to_vec()))
                .send()
                .await;
            let answer = answer.called(|| "DescribeAutoScalingInstances")?;
            for instance in answer.auto_scaling_instances() {
                let (Some(id), Some(group)) =
                    (instance.instance_id(), instance.auto_scaling_group_name())
                else {
                    continue;
                };
                let protected = instance.protected_from_scale_in() == Some(true);
                let member = ScalingMember {
                    instance: id.to_owned(),
                    protected,
                    lifecycle: instance.lifecycle_state().unwrap_or_default().to_owned(),
                };
                members.entry(group.to_owned()).or_default().push(member);
            }
        }
        Ok(members)
    }

    /// Suspends processes of a group.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn suspend(&self, group: &str, processes: &[String]) -> Result<(), CloudError> {
        let call = self
            .client
            .suspend_processes()
            .auto_scaling_group_name(group);
        let call = call.set_scaling_processes(Some(processes.to_vec()));
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("SuspendProcesses of {group}"))?;
        Ok(())
    }

    /// Resumes processes of a group; none if none are named, which to AWS would mean all of them (ResumeProcesses'
    /// reference).
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn resume(&self, group: &str, processes: &[String]) -> Result<(), CloudError> {
        if processes.is_empty() {
            return Ok(());
        }
        let call = self
            .client
            .resume_processes()
            .auto_scaling_group_name(group);
        let call = call.set_scaling_processes(Some(processes.to_vec()));
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("ResumeProcesses of {group}"))?;
        Ok(())
    }

    /// Protects members of a group from scale-in.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn protect(&self, group: &str, instances: &[String]) -> Result<(), CloudError> {
        self.set_protection(group, instances, true).await
    }

    /// Lets scale-in have members of a group again.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn unprotect(&self, group: &str, instances: &[String]) -> Result<(), CloudError> {
        self.set_protection(group, instances, false).await
    }

    async fn set_protection(
        &self,
        group: &str,
        instances: &[String],
        protected: bool,
    ) -> Result<(), CloudError> {
        for chunk in instances.chunks(CHUNK) {
            let call = self
                .client
                .set_instance_protection()
                .auto_scaling_group_name(group);
            let call = call
                .set_instance_ids(Some(chunk.to_vec()))
                .protected_from_scale_in(protected);
            once!(aws_sdk_autoscaling, call)
                .await
                .called(|| format!("SetInstanceProtection in {group}"))?;
        }
        Ok(())
    }

    /// Tags a group, and nothing that it launches.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn tag(&self, group: &str, key: &str, value: &str) -> Result<(), CloudError> {
        let tag = tag(group, key).value(value).propagate_at_launch(false);
        let call = self.client.create_or_update_tags().tags(tag.build());
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("CreateOrUpdateTags on {group}"))?;
        Ok(())
    }

    /// Drops a group's tag, whatever its value.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn untag(&self, group: &str, key: &str) -> Result<(), CloudError> {
        let call = self.client.delete_tags().tags(tag(group, key).build());
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("DeleteTags on {group}"))?;
        Ok(())
    }

    /// Sets a group's smallest size.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn set_min_size(&self, group: &str, min_size: u32) -> Result<(), CloudError> {
        let min_size = i32::try_from(min_size).unwrap_or(i32::MAX);
        let call = self
            .client
            .update_auto_scaling_group()
            .auto_scaling_group_name(group)
            .min_size(min_size);
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("UpdateAutoScalingGroup of {group}"))?;
        Ok(())
    }

    /// Ends one member; `shrinks` lowers the desired capacity, so that it is not replaced.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn terminate(&self, instance: &str, shrinks: bool) -> Result<(), CloudError> {
        let call = self
            .client
            .terminate_instance_in_auto_scaling_group()
            .instance_id(instance);
        let call = call.should_decrement_desired_capacity(shrinks);
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("TerminateInstanceInAutoScalingGroup of {instance}"))?;
        Ok(())
    }
}

async fn describe(
    call: DescribeAutoScalingGroupsFluentBuilder,
) -> Result<Vec<ScalingGroup>, CloudError> {
    let mut pages = call.into_paginator().send();
    let mut groups = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.called(|| "DescribeAutoScalingGroups")?;
        groups.extend(page.auto_scaling_groups().iter().map(read));
    }
    Ok(groups)
}

/// A group, without its members.
fn read(group: &AutoScalingGroup) -> ScalingGroup {
    let suspended = group.suspended_processes().iter();
    let tags = group.tags().iter().filter_map(|tag| {
        let value = tag.value().unwrap_or_default();
        Some((tag.key()?.to_owned(), value.to_owned()))
    });
    ScalingGroup {
        name: group
            .auto_scaling_group_name()
            .unwrap_or_default()
            .to_owned(),
        suspended: suspended
            .filter_map(|it| it.process_name().map(str::to_owned))
            .collect(),
        min_size: size(group.min_size()),
        desired: size(group.desired_capacity()),
        counted: u32::try_from(group.instances().iter().filter(counts).count()).unwrap_or(u32::MAX),
        tags: tags.collect(),
        members: Vec::new(),
    }
}

fn counts(instance: &&aws_sdk_autoscaling::types::Instance) -> bool {
    let lifecycle = instance.lifecycle_state().map(|state| state.as_str());
    let member = ScalingMember {
        instance: String::new(),
        protected: false,
        lifecycle: lifecycle.unwrap_or_default().to_owned(),
    };
    member.is_counted()
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn tag(group: &str, key: &str) -> aws_sdk_autoscaling::types::builders::TagBuilder {
    Tag::builder()
        .resource_id(group)
        .resource_type("auto-scaling-group")
        .key(key)
}

fn size(size: Option<i32>) -> u32 {
    size.and_then(|size| u32::try_from(size).ok())
        .unwrap_or_default()
}
