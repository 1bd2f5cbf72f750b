//! A group under test, and what is asked of it again and again.

use aws_sdk_autoscaling::operation::create_auto_scaling_group::builders::CreateAutoScalingGroupFluentBuilder;
use aws_sdk_autoscaling::operation::update_auto_scaling_group::builders::UpdateAutoScalingGroupFluentBuilder;
use ebbtide_local_cloud::world::TargetGroup;

use super::*;

/// A group of one of the environments, attached to its target group, that no listener forwards to.
pub(super) struct Group<'a> {
    pub cloud: &'a LocalCloud,
    pub name: &'static str,
}

impl<'a> Group<'a> {
    /// Makes a group of at most five unprotected members.
    pub(super) async fn made(cloud: &'a LocalCloud, name: &'static str, desired: i32) -> Self {
        Self::made_with(cloud, name, desired, |making| making).await
    }

    /// The same, with something more in the call.
    pub(super) async fn made_with(
        cloud: &'a LocalCloud,
        name: &'static str,
        desired: i32,
        more: impl FnOnce(CreateAutoScalingGroupFluentBuilder) -> CreateAutoScalingGroupFluentBuilder,
    ) -> Self {
        let group = Self { cloud, name };
        let making = cloud.new_scaling_group(name, group.environment());
        let making = making.target_group_arns(&group.environment().arn);
        let making = making.new_instances_protected_from_scale_in(false);
        let making = making.max_size(5).desired_capacity(desired);
        more(making).send().await.unwrap();
        group
    }

    pub(super) fn environment(&self) -> &TargetGroup {
        &self.cloud.world().c
    }

    pub(super) fn client(&self) -> &aws_sdk_autoscaling::Client {
        &self.cloud.clients().auto_scaling
    }

    pub(super) async fn now(&self) -> scaling::AutoScalingGroup {
        self.cloud.scaling_group_now(self.name).await.unwrap()
    }

    /// The members' ids, the oldest first.
    pub(super) async fn members(&self) -> Vec<String> {
        let group = self.now().await;
        let members = group.instances().iter();
        let members = members.map(|it| it.instance_id().unwrap().to_owned());
        members.collect()
    }

    /// The members' lifecycle states, the oldest member's first.
    pub(super) async fn states(&self) -> Vec<String> {
        let group = self.now().await;
        let members = group.instances().iter();
        let states = members.map(|it| it.lifecycle_state().unwrap().as_str().to_owned());
        states.collect()
    }

    /// Who is registered in the group's target group, in order.
    pub(super) async fn targets(&self) -> Vec<String> {
        let asking = self.cloud.clients().elb.describe_target_health();
        let asking = asking.target_group_arn(&self.environment().arn);
        let answer = asking.send().await.unwrap();
        let targets = answer.target_health_descriptions().iter();
        let targets = targets.map(|it| it.target().unwrap().id().unwrap().to_owned());
        let mut targets: Vec<_> = targets.collect();
        targets.sort();
        targets
    }

    pub(super) fn update(&self) -> UpdateAutoScalingGroupFluentBuilder {
        let update = self.client().update_auto_scaling_group();
        update.auto_scaling_group_name(self.name)
    }

    pub(super) async fn desire(&self, capacity: i32) {
        let update = self.update().desired_capacity(capacity);
        update.send().await.unwrap();
    }

    pub(super) async fn suspend(&self, processes: &[&str]) {
        let names = processes.iter().map(|&name| name.to_owned()).collect();
        let call = self.client().suspend_processes();
        let call = call.auto_scaling_group_name(self.name);
        let call = call.set_scaling_processes(Some(names));
        call.send().await.unwrap();
    }

    pub(super) async fn resume(&self, processes: &[&str]) {
        let names = processes.iter().map(|&name| name.to_owned()).collect();
        let call = self.client().resume_processes();
        let call = call.auto_scaling_group_name(self.name);
        let call = call.set_scaling_processes(Some(names));
        call.send().await.unwrap();
    }

    pub(super) async fn protect(&self, instance: &str, is_protected: bool) {
        let call = self.client().set_instance_protection();
        let call = call.auto_scaling_group_name(self.name);
        let call = call.instance_ids(instance);
        let call = call.protected_from_scale_in(is_protected);
        call.send().await.unwrap();
    }

    /// Ends a member, and its place with it or not.
    pub(super) async fn terminate(&self, instance: &str, shrinks: bool) {
        let call = self.client().terminate_instance_in_auto_scaling_group();
        let call = call.instance_id(instance);
        let call = call.should_decrement_desired_capacity(shrinks);
        call.send().await.unwrap();
    }

    /// Every activity's status and message; those in progress first, then the newest.
    pub(super) async fn activities(&self) -> Vec<(String, String)> {
        let call = self.client().describe_scaling_activities();
        let call = call.auto_scaling_group_name(self.name);
        let answer = call.send().await.unwrap();
        let told = answer.activities().iter().map(|it| {
            let message = it.status_message().or(it.description());
            let status = it.status_code().unwrap().as_str().to_owned();
            (status, message.unwrap_or_default().to_owned())
        });
        told.collect()
    }

    /// Whether EC2 says that the instance runs.
    pub(super) async fn runs(&self, instance: &str) -> bool {
        let instances = self.cloud.instances().await.unwrap();
        instances
            .iter()
            .any(|it| it.id == instance && it.state == "running")
    }

    /// Deletes the group and all its members, and sees that nobody is left registered.
    pub(super) async fn gone(self) {
        let members = self.members().await;
        let call = self.client().delete_auto_scaling_group();
        let call = call.auto_scaling_group_name(self.name);
        call.force_delete(true).send().await.unwrap();
        assert_eq!(self.targets().await, Vec::<String>::new());
        for member in members {
            assert!(!self.runs(&member).await, "{member}");
        }
    }
}
