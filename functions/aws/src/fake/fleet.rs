//! What Auto Scaling groups do by themselves, in the fake: settings that are the same for every group, what a group launches,
//! and the ends that Ebbtide's hook holds up.

use aws_sdk_autoscaling::operation::complete_lifecycle_action::{
    CompleteLifecycleActionError, CompleteLifecycleActionInput, CompleteLifecycleActionOutput,
};
use aws_sdk_autoscaling::operation::delete_lifecycle_hook::{
    DeleteLifecycleHookError, DeleteLifecycleHookInput, DeleteLifecycleHookOutput,
};
use aws_sdk_autoscaling::operation::describe_instance_refreshes::{
    DescribeInstanceRefreshesError, DescribeInstanceRefreshesInput, DescribeInstanceRefreshesOutput,
};
use aws_sdk_autoscaling::operation::describe_lifecycle_hooks::{
    DescribeLifecycleHooksError, DescribeLifecycleHooksInput, DescribeLifecycleHooksOutput,
};
use aws_sdk_autoscaling::operation::describe_scaling_activities::{
    DescribeScalingActivitiesError, DescribeScalingActivitiesInput, DescribeScalingActivitiesOutput,
};
use aws_sdk_autoscaling::operation::put_lifecycle_hook::{
    PutLifecycleHookError, PutLifecycleHookInput, PutLifecycleHookOutput,
};
use aws_sdk_autoscaling::operation::record_lifecycle_action_heartbeat::{
    RecordLifecycleActionHeartbeatError, RecordLifecycleActionHeartbeatInput,
    RecordLifecycleActionHeartbeatOutput,
};
use aws_sdk_autoscaling::primitives::DateTime;
use aws_sdk_autoscaling::types::builders::AutoScalingGroupBuilder;
use aws_sdk_autoscaling::types::{
    Activity, Instance, InstanceLifecyclePolicy, InstanceRefresh, InstanceReusePolicy,
    LaunchTemplate, LaunchTemplateOverrides, LaunchTemplateSpecification, LifecycleHook,
    LifecycleState, MixedInstancesPolicy, RetentionAction, RetentionTriggers,
    ScalingActivityStatusCode, WarmPoolConfiguration,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_rules::observed::ENVIRONMENT_TAG;
use ebbtide_rules::plan::Fleet;
use ebbtide_rules::scaling::{HOLD_HOOK, ScalingGroup, ScalingMember};

use super::answer::{Acted, Answer, operation};
use super::{World, target};

/// A group that stops no deployment.
pub(super) fn sound() -> Fleet {
    Fleet {
        versions: vec!["6".to_owned()],
        protects_new: true,
        ..Fleet::default()
    }
}

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    let error = DescribeInstanceRefreshesError::generic;
    operation(world, input, "DescribeInstanceRefreshes", error, refreshes)
        .or_else(|| {
            let error = DescribeLifecycleHooksError::generic;
            operation(world, input, "DescribeLifecycleHooks", error, hooks)
        })
        .or_else(|| {
            let error = DescribeScalingActivitiesError::generic;
            operation(world, input, "DescribeScalingActivities", error, activities)
        })
        .or_else(|| {
            let error = PutLifecycleHookError::generic;
            operation(world, input, "PutLifecycleHook", error, put)
        })
        .or_else(|| {
            let error = DeleteLifecycleHookError::generic;
            operation(world, input, "DeleteLifecycleHook", error, delete)
        })
        .or_else(|| {
            let error = CompleteLifecycleActionError::generic;
            operation(world, input, "CompleteLifecycleAction", error, complete)
        })
        .or_else(|| {
            let error = RecordLifecycleActionHeartbeatError::generic;
            let operation_of = "RecordLifecycleActionHeartbeat";
            operation(world, input, operation_of, error, heartbeat)
        })
}

/// A refresh of before has ended, whatever the one of now does.
fn refreshes(
    world: &mut World,
    _: &DescribeInstanceRefreshesInput,
) -> Acted<DescribeInstanceRefreshesOutput> {
    let now = world.dangers.fleet.refresh.as_deref();
    let refresh = |status: &str| InstanceRefresh::builder().status(status.into()).build();
    Ok(DescribeInstanceRefreshesOutput::builder()
        .set_instance_refreshes(Some(
            ["Successful"].into_iter().chain(now).map(refresh).collect(),
        ))
        .build())
}

/// One that holds up launches is there always.
fn hooks(
    world: &mut World,
    input: &DescribeLifecycleHooksInput,
) -> Acted<DescribeLifecycleHooksOutput> {
    let hook = |transition: &str, (name, seconds): (&str, u32)| {
        LifecycleHook::builder()
            .lifecycle_hook_name(name)
            .lifecycle_transition(format!("autoscaling:EC2_INSTANCE_{transition}"))
            .heartbeat_timeout(i32::try_from(seconds).unwrap_or_default())
            .build()
    };
    let ending = world.dangers.fleet.ending_hooks.iter();
    let ending = ending.map(|(name, seconds)| hook("TERMINATING", (name, *seconds)));
    let named =
        |group: &&ScalingGroup| Some(group.name.as_str()) == input.auto_scaling_group_name();
    let held = world.scaling.iter().find(named).filter(|it| it.holds_ends);
    let held = held.map(|_| hook("TERMINATING", (HOLD_HOOK, 7200)));
    let names = input.lifecycle_hook_names();
    let asked = |hook: &LifecycleHook| {
        let name = hook.lifecycle_hook_name().unwrap_or_default();
        names.is_empty() || names.iter().any(|it| it == name)
    };
    let all = std::iter::once(hook("LAUNCHING", ("warm-up", 60)));
    Ok(DescribeLifecycleHooksOutput::builder()
        .set_lifecycle_hooks(Some(all.chain(ending).chain(held).filter(asked).collect()))
        .build())
}

/// Launches that failed, all of them now.
fn activities(
    world: &mut World,
    _: &DescribeScalingActivitiesInput,
) -> Acted<DescribeScalingActivitiesOutput> {
    let failed = |words: &String| {
        Activity::builder()
            .activity_id("activity")
            .auto_scaling_group_name("fleet")
            .cause("a launch")
            .start_time(DateTime::from_secs(world.now.as_second()))
            .status_code(ScalingActivityStatusCode::Failed)
            .status_message(words)
            .build()
    };
    Ok(DescribeScalingActivitiesOutput::builder()
        .set_activities(Some(world.launches_failed.iter().map(failed).collect()))
        .build())
}

/// A fleet's group has as many members as it desires; each is a healthy target at once, or as the world says.
pub(super) fn grow(world: &mut World, name: &str) {
    let named = |group: &ScalingGroup| group.name == name;
    while let Some(at) = world.scaling.iter().position(named) {
        let group = &world.scaling[at];
        let (desired, fails) = (
            group.sizes.desired as usize,
            !world.launches_failed.is_empty(),
        );
        let environment = group.tags.get(ENVIRONMENT_TAG).cloned();
        if group.members.len() >= desired || fails || environment.is_none() {
            return;
        }
        let id = format!("i-{}", world.instances.len() + 1);
        world.add(&id, "subnet-1", None, &[]);
        world.instance(&id).state = world.launched;
        world.scaling[at].members.push(ScalingMember {
            instance: id.clone(),
            protected: true,
            lifecycle: "InService".to_owned(),
        });
        let healthy = world.healthy;
        let groups = world.groups.iter_mut();
        let own = groups.filter(|it| Some(&it.environment) == environment.as_ref());
        own.for_each(|group| group.targets.push(target(&id, healthy)));
    }
}

fn group<'a>(world: &'a mut World, name: Option<&str>) -> Acted<&'a mut ScalingGroup> {
    let mut groups = world.scaling.iter_mut();
    let found = groups.find(|group| Some(group.name.as_str()) == name);
    found.ok_or_else(|| ("ValidationError", "no such group".to_owned()))
}

fn put(world: &mut World, input: &PutLifecycleHookInput) -> Acted<PutLifecycleHookOutput> {
    let seconds = input.heartbeat_timeout().unwrap_or_default();
    if !(30..=7200).contains(&seconds) || input.lifecycle_hook_name() != Some(HOLD_HOOK) {
        return Err(("ValidationError", format!("a hook like {input:?}")));
    }
    group(world, input.auto_scaling_group_name())?.holds_ends = true;
    Ok(PutLifecycleHookOutput::builder().build())
}

/// What a hook held up goes on once it is deleted (DeleteLifecycleHook's reference).
fn delete(world: &mut World, input: &DeleteLifecycleHookInput) -> Acted<DeleteLifecycleHookOutput> {
    let found = group(world, input.auto_scaling_group_name())?;
    found.holds_ends = false;
    let held_up = found.members.iter().filter(|it| it.is_held_up());
    let held_up: Vec<String> = held_up.map(|it| it.instance.clone()).collect();
    for id in held_up {
        end(world, input.auto_scaling_group_name(), &id)?;
    }
    Ok(DeleteLifecycleHookOutput::builder().build())
}

fn complete(
    world: &mut World,
    input: &CompleteLifecycleActionInput,
) -> Acted<CompleteLifecycleActionOutput> {
    let id = input.instance_id().unwrap_or_default();
    held_up(world, input.auto_scaling_group_name(), id)?;
    end(world, input.auto_scaling_group_name(), id)?;
    Ok(CompleteLifecycleActionOutput::builder().build())
}

fn heartbeat(
    world: &mut World,
    input: &RecordLifecycleActionHeartbeatInput,
) -> Acted<RecordLifecycleActionHeartbeatOutput> {
    let id = input.instance_id().unwrap_or_default();
    held_up(world, input.auto_scaling_group_name(), id)?;
    Ok(RecordLifecycleActionHeartbeatOutput::builder().build())
}

fn held_up(world: &mut World, name: Option<&str>, id: &str) -> Acted<()> {
    let group = group(world, name)?;
    let mut members = group.members.iter();
    if members.any(|it| it.instance == id && it.is_held_up()) {
        return Ok(());
    }
    let words = format!("No active Lifecycle Action found with instance ID {id}");
    Err(("ValidationError", words))
}

fn end(world: &mut World, name: Option<&str>, id: &str) -> Acted<()> {
    let group = group(world, name)?;
    group.members.retain(|it| it.instance != id);
    let ended = world.ended;
    world.instance(id).state = ended;
    Ok(())
}

/// A group's settings as DescribeAutoScalingGroups has them: one version by its template, more by overrides.
pub(super) fn set(
    group: AutoScalingGroupBuilder,
    fleet: &Fleet,
    version: &str,
) -> AutoScalingGroupBuilder {
    let standby = fleet.standby.iter().map(|id| {
        Instance::builder()
            .instance_id(id)
            .lifecycle_state(LifecycleState::Standby)
            .build()
    });
    let group = standby.fold(group, AutoScalingGroupBuilder::instances);
    let retention = if fleet.retains {
        RetentionAction::Retain
    } else {
        RetentionAction::Terminate
    };
    let triggers = RetentionTriggers::builder().terminate_hook_abandon(retention);
    let policy = InstanceLifecyclePolicy::builder().retention_triggers(triggers.build());
    let reuse = InstanceReusePolicy::builder().reuse_on_scale_in(fleet.reuses);
    let warm = WarmPoolConfiguration::builder().instance_reuse_policy(reuse.build());
    let warm = (fleet.is_warm || fleet.reuses).then(|| warm.build());
    let own = [version.to_owned()];
    let versions = if version.is_empty() {
        &fleet.versions[..]
    } else {
        &own[..]
    };
    launching(group, versions)
        .instance_lifecycle_policy(policy.build())
        .set_warm_pool_configuration(warm)
        .new_instances_protected_from_scale_in(fleet.protects_new)
        .max_instance_lifetime(
            fleet
                .lifetime
                .and_then(|it| i32::try_from(it).ok())
                .unwrap_or(0),
        )
}

fn launching(group: AutoScalingGroupBuilder, versions: &[String]) -> AutoScalingGroupBuilder {
    let template = |version: &String| {
        LaunchTemplateSpecification::builder()
            .launch_template_id("lt-1")
            .version(version)
            .build()
    };
    match versions {
        [] => group,
        [one] => group.launch_template(template(one)),
        [first, others @ ..] => {
            let mixed = LaunchTemplate::builder().launch_template_specification(template(first));
            let others = others.iter().map(|it| {
                LaunchTemplateOverrides::builder()
                    .launch_template_specification(template(it))
                    .build()
            });
            let mixed = mixed.set_overrides(Some(others.collect())).build();
            group.mixed_instances_policy(
                MixedInstancesPolicy::builder()
                    .launch_template(mixed)
                    .build(),
            )
        }
    }
}
