//! Auto Scaling groups: one that has some of blue's servers, and fleets that have a group for each environment.

use std::time::Duration;

use aws_sdk_autoscaling::operation::create_auto_scaling_group::builders::CreateAutoScalingGroupFluentBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, Tag};

use super::LocalCloud;
use crate::error::{Error, Result};
use crate::observation::Forwarding;
use crate::wait::{Seen, until};
use crate::world::{TargetGroup, missing};

/// How long a fleet's first members may take to be healthy.
const HEALTHY_LIMIT: Duration = Duration::from_secs(300);

impl LocalCloud {
    /// A group that is not made yet, of an environment that has this target group: tagged, in every subnet, of the launch
    /// template's first version, parked. Whoever asks for it completes it, attaches it and makes it.
    pub fn new_scaling_group(
        &self,
        name: &str,
        environment: &TargetGroup,
    ) -> CreateAutoScalingGroupFluentBuilder {
        let making = self.clients().auto_scaling.create_auto_scaling_group();
        making
            .auto_scaling_group_name(name)
            .launch_template(self.template("1"))
            .vpc_zone_identifier(self.world().subnets.join(","))
            .new_instances_protected_from_scale_in(true)
            .min_size(0)
            .max_size(0)
            .desired_capacity(0)
            .tags(tag(name, "ebbtide:service", self.service()))
            .tags(tag(name, "ebbtide:environment", &environment.name))
    }

    fn template(&self, version: &str) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder()
            .launch_template_id(&self.world().launch_template)
            .version(version)
            .build()
    }

    /// Makes the group of somebody who never heard of Ebbtide, attached to the first environment's target group: untagged, of
    /// the launch template's default version, its members unprotected. They are healthy when this returns.
    ///
    /// # Errors
    /// If moto refuses, or the members are not healthy within a minute.
    pub async fn strangers_group(&self, name: &str, members: i32) -> Result<()> {
        let environment = &self.world().a;
        let making = self.new_scaling_group(name, environment).set_tags(None);
        let making = making.launch_template(self.template("$Default"));
        let making = making.new_instances_protected_from_scale_in(false);
        let making = making.target_group_arns(&environment.arn);
        let making = making.min_size(members).max_size(2 * members);
        let made = making.desired_capacity(members).send().await;
        made.map_err(Error::aws("CreateAutoScalingGroup"))?;
        self.until_in_service(name).await
    }

    /// Makes a fleet: a group for each environment, attached to its target groups. The first one has this many protected
    /// members, which are healthy when this returns, and room for as many more; the others are parked. Returns the groups'
    /// names, in the environments' order.
    ///
    /// # Errors
    /// If moto refuses, or the members are not healthy within a minute.
    pub async fn fleet(&self, members: i32) -> Result<[String; 3]> {
        let environments = self.world().groups();
        let names = environments.map(|environment| format!("{}-fleet", environment.name));
        for (name, environment) in names.iter().zip(environments) {
            let making = self.new_scaling_group(name, environment);
            let attached = self.world().groups_of(environment);
            let mut making = making.set_target_group_arns(Some(attached));
            if environment == &self.world().a {
                making = making.min_size(members).max_size(2 * members);
                making = making.desired_capacity(members);
            }
            let made = making.send().await;
            made.map_err(Error::aws("CreateAutoScalingGroup"))?;
        }
        self.until_in_service(&names[0]).await?;
        Ok(names)
    }

    /// Waits until every member of the first environment's group is a healthy target, in each target group.
    async fn until_in_service(&self, name: &str) -> Result<()> {
        let group = self.scaling_group_now(name).await?;
        let mut members: Vec<_> = group
            .instances()
            .iter()
            .filter_map(|it| it.instance_id())
            .collect();
        members.sort_unstable();
        until("a fleet's healthy members", HEALTHY_LIMIT, || async {
            let seen = self.observed().borrow().clone();
            let blue = self.world().groups_of(&self.world().a);
            let blue: Vec<_> = blue.iter().map(|group| seen.group(group)).collect();
            let serves = |group: &Forwarding| {
                members
                    .iter()
                    .all(|member| group.healthy.iter().any(|it| it == member))
            };
            Ok(if blue.iter().all(|group| group.is_some_and(serves)) {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{blue:?}"))
            })
        })
        .await
    }

    /// Makes a group of this name whose members, protected from scale-in, are servers of blue's; its desired capacity is
    /// lowered then, which ends nobody that is protected. The group is attached to no target group: its members are
    /// registered one by one.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn scaling_group(&self, name: &str, members: i32, desired: i32) -> Result<()> {
        let making = self.new_scaling_group(name, &self.world().a);
        let making = making.max_size(members).desired_capacity(members);
        let made = making.send().await;
        made.map_err(Error::aws("CreateAutoScalingGroup"))?;
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
        let ids: Vec<_> = ids.collect();
        self.world().register_with_blue(self.clients(), &ids).await
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
