//! An Auto Scaling group that has some of blue's servers.

use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, Tag};
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;

use super::LocalCloud;
use crate::error::{Error, Result};
use crate::world::missing;

impl LocalCloud {
    /// Makes a group of this name whose members, protected from scale-in, are servers of blue's; its desired capacity is
    /// lowered then, which ends nobody that is protected. The members are registered one by one, so that moto does not
    /// register them again whenever the group changes.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn scaling_group(&self, name: &str, members: i32, desired: i32) -> Result<()> {
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(&self.world().launch_template)
            .version("1")
            .build();
        let making = self
            .clients()
            .auto_scaling
            .create_auto_scaling_group()
            .auto_scaling_group_name(name)
            .launch_template(template)
            .vpc_zone_identifier(self.world().subnets.join(","))
            .new_instances_protected_from_scale_in(true)
            .min_size(0)
            .max_size(members)
            .desired_capacity(members)
            .tags(tag(name, "ebbtide:service", self.service()))
            .tags(tag(name, "ebbtide:environment", &self.world().a.name));
        making
            .send()
            .await
            .map_err(Error::aws("CreateAutoScalingGroup"))?;
        let lowering = self.clients().auto_scaling.set_desired_capacity();
        let lowering = lowering
            .auto_scaling_group_name(name)
            .desired_capacity(desired);
        lowering
            .send()
            .await
            .map_err(Error::aws("SetDesiredCapacity"))?;
        let group = self.scaling_group_now(name).await?;
        let ids = group.instances().iter().filter_map(|it| it.instance_id());
        let targets = ids.map(|id| TargetDescription::builder().id(id).build());
        self.clients()
            .elb
            .register_targets()
            .target_group_arn(&self.world().a.arn)
            .set_targets(Some(targets.collect()))
            .send()
            .await
            .map_err(Error::aws("RegisterTargets"))?;
        Ok(())
    }

    /// The group of this name.
    ///
    /// # Errors
    /// If there is none.
    pub async fn scaling_group_now(&self, name: &str) -> Result<AutoScalingGroup> {
        let described = self
            .clients()
            .auto_scaling
            .describe_auto_scaling_groups()
            .auto_scaling_group_names(name)
            .send()
            .await
            .map_err(Error::aws("DescribeAutoScalingGroups"))?;
        let group = described.auto_scaling_groups().first().cloned();
        group.ok_or_else(|| missing("DescribeAutoScalingGroups", name))
    }
}

fn tag(group: &str, key: &str, value: &str) -> Tag {
    Tag::builder()
        .resource_id(group)
        .resource_type("auto-scaling-group")
        .key(key)
        .value(value)
        .propagate_at_launch(true)
        .build()
}
