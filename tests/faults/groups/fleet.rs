//! Blue's group, what is done to it, and what is seen of it then.

use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance, LifecycleState};
use ebbtide_tests::scene::{ENVIRONMENTS, Scene};

/// Blue's group.
pub(super) struct Fleet<'a> {
    scene: &'a Scene,
    pub(super) name: String,
}

impl<'a> Fleet<'a> {
    pub(super) fn of(scene: &'a Scene) -> Self {
        let name = format!("{}-fleet", ENVIRONMENTS[0]);
        Self { scene, name }
    }

    fn client(&self) -> &aws_sdk_autoscaling::Client {
        &self.scene.cloud.clients().auto_scaling
    }

    pub(super) async fn now(&self) -> AutoScalingGroup {
        let group = self.scene.cloud.scaling_group_now(&self.name).await;
        group.expect("a group")
    }

    pub(super) async fn members(&self) -> Vec<String> {
        let group = self.now().await;
        let in_service = group.instances().iter().filter(|it| is_in_service(it));
        let ids = in_service.filter_map(|it| it.instance_id().map(str::to_owned));
        ids.collect()
    }

    /// A member in service that nothing busy depends on, and none of these; the oldest.
    pub(super) async fn unused(&self, but: &[&str]) -> String {
        let in_use = self.scene.in_use().await;
        let mut members = self.members().await;
        members.retain(|id| !in_use.contains(id) && !but.contains(&id.as_str()));
        assert!(!members.is_empty(), "{in_use:?}");
        members.remove(0)
    }

    /// When its desired and largest sizes grow by one; the new member, which is healthy.
    pub(super) async fn launches_one_more(&self) -> String {
        let (before, members) = (self.now().await, self.members().await);
        let more = |size: Option<i32>| size.unwrap_or_default() + 1;
        let growing = self.client().update_auto_scaling_group();
        let growing = growing.auto_scaling_group_name(&self.name);
        let growing = growing.max_size(more(before.max_size()));
        let growing = growing.desired_capacity(more(before.desired_capacity()));
        growing.send().await.expect("it grows");
        let mut new = self.members().await;
        new.retain(|member| !members.contains(member));
        assert_eq!(new.len(), 1, "{new:?}");
        self.until_healthy().await;
        new.remove(0)
    }

    /// When its sizes are these.
    pub(super) async fn is_sized(&self, [min, max, desired]: [i32; 3]) {
        let sizing = self.client().update_auto_scaling_group();
        let sizing = sizing.auto_scaling_group_name(&self.name);
        let sizing = sizing.min_size(min).max_size(max);
        let sized = sizing.desired_capacity(desired).send().await;
        sized.expect("it is sized");
    }

    /// When a member fails every health check from now on.
    pub(super) async fn fails_its_health_check(&self, member: &str) {
        let fails = self.scene.cloud.unhealthy(member).await;
        fails.expect("a member");
    }

    /// When somebody lets scale-in have a member.
    pub(super) async fn is_unprotected(&self, member: &str) {
        let call = self.client().set_instance_protection();
        let call = call.auto_scaling_group_name(&self.name);
        let call = call.instance_ids(member).protected_from_scale_in(false);
        call.send().await.expect("it is unprotected");
    }

    /// When an instance refresh starts; one before it, that waits, is cancelled.
    pub(super) async fn refresh_starts(&self) {
        let cancelling = self.client().cancel_instance_refresh();
        let cancelling = cancelling.auto_scaling_group_name(&self.name).send();
        if let Err(error) = cancelling.await {
            let error = error.into_service_error();
            let none = error.is_active_instance_refresh_not_found_fault();
            assert!(none, "{error:?}");
        }
        let starting = self.client().start_instance_refresh();
        let starting = starting.auto_scaling_group_name(&self.name);
        starting.send().await.expect("it starts");
    }

    /// When time goes by for the refresh.
    pub(super) async fn refresh_goes_on(&self) {
        let went_on = self.scene.cloud.refresh_goes_on(&self.name).await;
        went_on.expect("a refresh");
    }

    /// When an apply resumes all of its processes.
    pub(super) async fn is_resumed(&self) {
        let resuming = self.client().resume_processes();
        let resuming = resuming.auto_scaling_group_name(&self.name);
        resuming.send().await.expect("they are resumed");
    }

    /// When an operator completes the hook that holds up a member's end.
    pub(super) async fn is_completed(&self, member: &str) {
        let completing = self.client().complete_lifecycle_action();
        let completing = completing.auto_scaling_group_name(&self.name);
        let completing = completing.lifecycle_hook_name("ebbtide-hold");
        let completing = completing.instance_id(member);
        let completing = completing.lifecycle_action_result("CONTINUE");
        completing.send().await.expect("it is completed");
    }

    /// When an operator parks it: its members hold nobody.
    pub(super) async fn is_parked(&self) {
        self.is_sized([0; 3]).await;
        for member in self.members().await {
            let ending = self.client().terminate_instance_in_auto_scaling_group();
            let ending = ending.instance_id(member);
            let ending = ending.should_decrement_desired_capacity(false);
            ending.send().await.expect("it ends");
        }
    }

    /// Then the group has ended a member, and who is in service is healthy.
    pub(super) async fn until_gone(&self, member: &str) {
        assert_eq!(self.state_of(member).await, None);
        self.until_healthy().await;
    }

    /// Then the group lets a member be.
    pub(super) async fn serves_on(&self, member: &str) {
        let state = self.state_of(member).await;
        assert_eq!(state, Some(LifecycleState::InService), "{member}");
    }

    /// Then the group is ending a member, whose server lives.
    pub(super) async fn lives_by_the_hook(&self, member: &str) {
        let state = self.state_of(member).await;
        assert_eq!(state, Some(LifecycleState::TerminatingWait), "{member}");
        assert!(self.scene.lives(member), "{member}");
        self.until_healthy().await;
    }

    async fn state_of(&self, member: &str) -> Option<LifecycleState> {
        let group = self.now().await;
        let mut members = group.instances().iter();
        let found = members.find(|it| it.instance_id() == Some(member))?;
        found.lifecycle_state().cloned()
    }

    /// When everybody in service is a healthy target, and answers.
    pub(super) async fn until_healthy(&self) {
        let arn = &self.scene.cloud.world().a.arn;
        self.scene
            .then("the members in service to be healthy", || async {
                let members = self.members().await;
                let seen = self.scene.cloud.observed().borrow().clone();
                let mut forwarding = seen.forwarding.iter();
                let blue = forwarding.find(|group| &group.group == arn);
                let is_healthy = |member: &String| {
                    blue.is_some_and(|blue| blue.healthy.iter().any(|it| it == member))
                };
                let reports = self.scene.cloud.reports().await;
                let answers = |member: &String| reports.get(member).is_some_and(Result::is_ok);
                let lacking = |member: &&String| !(is_healthy(member) && answers(member));
                let lacking: Vec<&String> = members.iter().filter(lacking).collect();
                Ok(if lacking.is_empty() {
                    Ok(())
                } else {
                    Err(format!("{lacking:?}"))
                })
            })
            .await;
    }
}

fn is_in_service(member: &Instance) -> bool {
    member.lifecycle_state() == Some(&LifecycleState::InService)
}
