//! What Auto Scaling groups do to their instances by themselves: what they launch, when they replace, how they end.

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, InstanceRefreshStatus, LaunchTemplateOverrides, RetentionAction,
};
use ebbtide_rules::observed::SERVICE_TAG;
use ebbtide_rules::plan::Fleet;
use ebbtide_rules::scaling::{HOLD_HOOK, Sizes};

use crate::CloudError;
use crate::auto_scaling::{others, overrides, own_template, size, versions};
use crate::error::Called;

/// DescribeAutoScalingGroups answers 50 groups a page.
const CHUNK: usize = 50;
/// What the transition of a hook is called that holds up the end.
const ENDING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
/// How long a hook waits if it does not say, in seconds (PutLifecycleHook's reference).
const HEARTBEAT_SECONDS: u32 = 3600;

/// Reads the settings of Auto Scaling groups.
#[derive(Debug, Clone)]
pub struct Fleets {
    client: Client,
}

impl Fleets {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// These groups, as far as a deployment of this service has to know them; one that does not exist is told as such.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn of(&self, groups: &[String], service: &str) -> Result<Vec<Fleet>, CloudError> {
        let mut fleets = Vec::new();
        for chunk in groups.chunks(CHUNK) {
            let call = self.client.describe_auto_scaling_groups();
            let call = call.set_auto_scaling_group_names(Some(chunk.to_vec()));
            let mut pages = call.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.called(|| "DescribeAutoScalingGroups")?;
                let found = page.auto_scaling_groups().iter();
                fleets.extend(found.map(|group| fleet(group, service)));
            }
        }
        let missing = groups
            .iter()
            .filter(|name| !fleets.iter().any(|it| it.name == **name));
        let missing: Vec<Fleet> = missing.map(|name| gone(name)).collect();
        for fleet in &mut fleets {
            fleet.refresh = self.refresh(&fleet.name).await?;
            fleet.ending_hooks = self.ending_hooks(&fleet.name).await?;
        }
        fleets.extend(missing);
        Ok(fleets)
    }

    /// The status of a refresh that has not ended; at most one is under way (StartInstanceRefresh's reference).
    async fn refresh(&self, group: &str) -> Result<Option<String>, CloudError> {
        let call = self.client.describe_instance_refreshes();
        let call = call.auto_scaling_group_name(group);
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.called(|| format!("DescribeInstanceRefreshes of {group}"))?;
            let mut refreshes = page.instance_refreshes().iter();
            if let Some(status) = refreshes.find_map(|it| it.status().filter(|it| goes_on(it))) {
                return Ok(Some(status.as_str().to_owned()));
            }
        }
        Ok(None)
    }

    async fn ending_hooks(&self, group: &str) -> Result<Vec<(String, u32)>, CloudError> {
        let call = self.client.describe_lifecycle_hooks();
        let answer = call.auto_scaling_group_name(group).send().await;
        let answer = answer.called(|| format!("DescribeLifecycleHooks of {group}"))?;
        let hooks = answer.lifecycle_hooks().iter();
        // Ebbtide's own may be left of a deployment that has not let go.
        let ending = hooks.filter(|hook| {
            hook.lifecycle_transition() == Some(ENDING)
                && hook.lifecycle_hook_name() != Some(HOLD_HOOK)
        });
        Ok(ending
            .map(|hook| {
                let seconds = hook
                    .heartbeat_timeout()
                    .and_then(|it| u32::try_from(it).ok());
                let name = hook.lifecycle_hook_name().unwrap_or_default().to_owned();
                (name, seconds.unwrap_or(HEARTBEAT_SECONDS))
            })
            .collect())
    }
}

/// Whatever AWS may add to the statuses counts as going on.
fn goes_on(status: &InstanceRefreshStatus) -> bool {
    !matches!(
        status,
        InstanceRefreshStatus::Cancelled
            | InstanceRefreshStatus::Failed
            | InstanceRefreshStatus::RollbackFailed
            | InstanceRefreshStatus::RollbackSuccessful
            | InstanceRefreshStatus::Successful
    )
}

/// Whether an override weighs more than one server, or the sizes are processors or memory.
///
/// Source: WeightedCapacity of LaunchTemplateOverrides, and DesiredCapacityType of AutoScalingGroup, in the Amazon EC2 Auto
/// Scaling API reference.
fn is_weighted(group: &AutoScalingGroup) -> bool {
    let weighs = |it: &LaunchTemplateOverrides| it.weighted_capacity().is_some_and(|it| it != "1");
    let counted = group.desired_capacity_type();
    overrides(group).any(weighs) || counted.is_some_and(|it| !it.is_empty() && it != "units")
}

fn gone(name: &str) -> Fleet {
    Fleet {
        name: name.to_owned(),
        is_missing: true,
        ..Fleet::default()
    }
}

fn fleet(group: &AutoScalingGroup, service: &str) -> Fleet {
    let is_the_service = |tag: &aws_sdk_autoscaling::types::TagDescription| {
        tag.key() == Some(SERVICE_TAG) && tag.value() == Some(service)
    };
    let warm = group.warm_pool_configuration();
    let reuse = warm.and_then(|it| it.instance_reuse_policy());
    let triggers = group.instance_lifecycle_policy();
    let triggers = triggers.and_then(|it| it.retention_triggers());
    let lifetime = group.max_instance_lifetime();
    let standby = group.instances().iter().filter(|member| {
        let state = member.lifecycle_state().map(|it| it.as_str());
        state.is_some_and(|state| state.ends_with("Standby"))
    });
    Fleet {
        name: group
            .auto_scaling_group_name()
            .unwrap_or_default()
            .to_owned(),
        is_missing: false,
        sizes: Sizes {
            min: size(group.min_size()),
            max: size(group.max_size()),
            desired: size(group.desired_capacity()),
        },
        members: group.instances().len()
            + warm.map_or(0, |_| size(group.warm_pool_size()) as usize),
        target_groups: attached(group),
        template: own_template(group)
            .and_then(|it| it.launch_template_id())
            .map(str::to_owned),
        names_types: overrides(group).next().is_some(),
        has_other_templates: others(group).next().is_some(),
        is_weighted: is_weighted(group),
        is_warm: warm.is_some(),
        suspended: group
            .suspended_processes()
            .iter()
            .filter_map(|it| it.process_name().map(str::to_owned))
            .collect(),
        is_tagged: group.tags().iter().any(is_the_service),
        versions: versions(group),
        retains: triggers.and_then(|it| it.terminate_hook_abandon())
            == Some(&RetentionAction::Retain),
        reuses: reuse.and_then(|it| it.reuse_on_scale_in()) == Some(true),
        standby: standby
            .filter_map(|it| it.instance_id())
            .map(str::to_owned)
            .collect(),
        protects_new: group.new_instances_protected_from_scale_in() == Some(true),
        // At least a day; 0 is none (CreateAutoScalingGroup's reference).
        lifetime: lifetime
            .and_then(|it| u32::try_from(it).ok())
            .filter(|it| *it > 0),
        ..Fleet::default()
    }
}

/// The target groups that it registers its members with. Traffic sources are the same ones under their newer name.
fn attached(group: &AutoScalingGroup) -> Vec<String> {
    let sources = group.traffic_sources().iter();
    let sources = sources.filter_map(|it| it.identifier().map(str::to_owned));
    let mut attached = group.target_group_arns().to_vec();
    attached.extend(sources);
    attached
}
