//! A group's sizes, and the version that it launches.
//!
//! AWS keeps what a call leaves out, but replaces a launch template and a mixed instances policy whole: both are read
//! first, and written back with nothing but the version changed. Whoever names a template in such a call needs
//! `ec2:RunInstances` for it ("Control Amazon EC2 launch template usage in Auto Scaling groups").

use aws_sdk_autoscaling::operation::update_auto_scaling_group::builders::UpdateAutoScalingGroupFluentBuilder;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, LaunchTemplateOverrides, LaunchTemplateSpecification, MixedInstancesPolicy,
};
use ebbtide_rules::scaling::Sizes;

use super::AutoScaling;
use crate::CloudError;
use crate::error::Called;
use crate::once::once;

impl AutoScaling {
    /// Sets a group's smallest size.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn set_min_size(&self, group: &str, min_size: u32) -> Result<(), CloudError> {
        let call = self.client.update_auto_scaling_group();
        let call = call.auto_scaling_group_name(group);
        self.update(group, call.min_size(size(min_size))).await
    }

    /// Sets a group's sizes, and with `version` which one of its template it launches from now on.
    ///
    /// # Errors
    /// AWS's failure, a group that does not exist among them.
    pub async fn set_sizes(
        &self,
        group: &str,
        sizes: Sizes,
        version: Option<&str>,
    ) -> Result<(), CloudError> {
        let call = self.client.update_auto_scaling_group();
        let call = call
            .auto_scaling_group_name(group)
            .min_size(size(sizes.min))
            .max_size(size(sizes.max))
            .desired_capacity(size(sizes.desired));
        let call = match version {
            None => call,
            Some(version) => {
                let operation = format!("DescribeAutoScalingGroups of {group}");
                let found = self.raw(group).await?;
                let found = found
                    .ok_or_else(|| CloudError::unexpected(operation, "there is no such group"))?;
                launching(call, &found, version)
            }
        };
        self.update(group, call).await
    }

    async fn update(
        &self,
        group: &str,
        call: UpdateAutoScalingGroupFluentBuilder,
    ) -> Result<(), CloudError> {
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("UpdateAutoScalingGroup of {group}"))?;
        Ok(())
    }
}

/// The group's own template, or its whole policy, with this version.
fn launching(
    call: UpdateAutoScalingGroupFluentBuilder,
    found: &AutoScalingGroup,
    version: &str,
) -> UpdateAutoScalingGroupFluentBuilder {
    if let Some(policy) = found.mixed_instances_policy() {
        return call.mixed_instances_policy(with_version(policy, version));
    }
    call.set_launch_template(found.launch_template().map(|it| versioned(it, version)))
}

fn with_version(policy: &MixedInstancesPolicy, version: &str) -> MixedInstancesPolicy {
    let mut policy = policy.clone();
    let template = policy.launch_template.as_mut();
    let named = template.and_then(|it| it.launch_template_specification.as_mut());
    if let Some(named) = named {
        *named = versioned(named, version);
    }
    policy
}

/// By its id alone: AWS tells id and name, and takes one of them (LaunchTemplateSpecification's reference).
fn versioned(template: &LaunchTemplateSpecification, version: &str) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder()
        .set_launch_template_id(template.launch_template_id().map(str::to_owned))
        .version(version)
        .build()
}

/// The versions that a group launches, its overrides' among them; the first one is its own. A template that is named
/// without a version launches its default one. A launch configuration has none.
pub(crate) fn versions(group: &AutoScalingGroup) -> Vec<String> {
    let specifications = own_template(group).into_iter().chain(others(group));
    specifications
        .map(|it| it.version().unwrap_or("$Default").to_owned())
        .collect()
}

/// The template that a group launches from.
pub(crate) fn own_template(group: &AutoScalingGroup) -> Option<&LaunchTemplateSpecification> {
    let mixed = group.mixed_instances_policy();
    let mixed = mixed.and_then(|it| it.launch_template());
    let mixed = mixed.and_then(|it| it.launch_template_specification());
    group.launch_template().or(mixed)
}

/// Those that overrides name instead of it.
pub(crate) fn others(
    group: &AutoScalingGroup,
) -> impl Iterator<Item = &LaunchTemplateSpecification> {
    overrides(group).filter_map(|it| it.launch_template_specification())
}

/// The instance types and the like that a group names beside its template.
pub(crate) fn overrides(
    group: &AutoScalingGroup,
) -> impl Iterator<Item = &LaunchTemplateOverrides> {
    let mixed = group.mixed_instances_policy();
    let mixed = mixed.and_then(|it| it.launch_template());
    mixed.into_iter().flat_map(|it| it.overrides())
}

fn size(size: u32) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}
