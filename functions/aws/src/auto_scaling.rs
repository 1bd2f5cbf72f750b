//! Auto Scaling groups: their sizes and processes, and which instances belong to one.

mod change;
mod sizes;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, Filter, Instance, ScalingActivityStatusCode, TagDescription,
};
use ebbtide_rules::scaling::{HOLD_HOOK, ScalingGroup, ScalingMember, Sizes};
use jiff::Timestamp;

use crate::CloudError;
use crate::error::Called;

pub(crate) use sizes::{others, overrides, own_template, versions};

/// DescribeAutoScalingInstances and SetInstanceProtection take 50 ids a call.
const CHUNK: usize = 50;

/// How many activities are looked through for launches that failed; AWS answers the newest first.
const ACTIVITIES: i32 = 100;

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

    /// An environment's own group, with all its members; none if there is no such group.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn own(&self, name: &str) -> Result<Option<ScalingGroup>, CloudError> {
        let Some(found) = self.raw(name).await? else {
            return Ok(None);
        };
        let members = found.instances().iter().filter_map(member);
        Ok(Some(ScalingGroup {
            members: members.collect(),
            holds_ends: self.has_hook(name).await?,
            ..read(&found)
        }))
    }

    async fn raw(&self, name: &str) -> Result<Option<AutoScalingGroup>, CloudError> {
        let call = self.client.describe_auto_scaling_groups();
        let answer = call.auto_scaling_group_names(name).send().await;
        let answer = answer.called(|| format!("DescribeAutoScalingGroups of {name}"))?;
        Ok(answer.auto_scaling_groups().first().cloned())
    }

    async fn has_hook(&self, group: &str) -> Result<bool, CloudError> {
        let call = self.client.describe_lifecycle_hooks();
        let call = call.auto_scaling_group_name(group);
        let answer = call.lifecycle_hook_names(HOLD_HOOK).send().await;
        let answer = answer.called(|| format!("DescribeLifecycleHooks of {group}"))?;
        let mut hooks = answer.lifecycle_hooks().iter();
        Ok(hooks.any(|hook| hook.lifecycle_hook_name() == Some(HOLD_HOOK)))
    }

    /// Why launches of a group failed since `since`, in AWS's words, each once; the newest first.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn failures(&self, group: &str, since: Timestamp) -> Result<Vec<String>, CloudError> {
        let call = self.client.describe_scaling_activities();
        let call = call.auto_scaling_group_name(group).max_records(ACTIVITIES);
        let answer = call.send().await;
        let answer = answer.called(|| format!("DescribeScalingActivities of {group}"))?;
        let mut failures: Vec<String> = Vec::new();
        for activity in answer.activities() {
            let failed = activity.status_code() == Some(&ScalingActivityStatusCode::Failed);
            // AWS tells whole seconds.
            let is_ours = activity
                .start_time()
                .is_some_and(|it| it.secs() >= since.as_second());
            let words = activity.status_message().or(activity.description());
            let words = words.unwrap_or_default().to_owned();
            if failed && is_ours && !failures.contains(&words) {
                failures.push(words);
            }
        }
        Ok(failures)
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
    let members = group.instances().iter().filter_map(member);
    let counted = members.filter(ScalingMember::is_counted);
    let tags = group.tags().iter().filter_map(|tag: &TagDescription| {
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
        sizes: Sizes {
            min: size(group.min_size()),
            max: size(group.max_size()),
            desired: size(group.desired_capacity()),
        },
        counted: u32::try_from(counted.count()).unwrap_or(u32::MAX),
        version: sizes::versions(group).first().cloned().unwrap_or_default(),
        holds_ends: false,
        tags: tags.collect(),
        members: Vec::new(),
    }
}

fn member(instance: &Instance) -> Option<ScalingMember> {
    let lifecycle = instance.lifecycle_state().map(|state| state.as_str());
    Some(ScalingMember {
        instance: instance.instance_id()?.to_owned(),
        protected: instance.protected_from_scale_in() == Some(true),
        lifecycle: lifecycle.unwrap_or_default().to_owned(),
    })
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

pub(crate) fn size(size: Option<i32>) -> u32 {
    size.and_then(|size| u32::try_from(size).ok())
        .unwrap_or_default()
}
