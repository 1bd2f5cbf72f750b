//! What Auto Scaling groups do by themselves, in the fake: the same for every group.

use aws_sdk_autoscaling::operation::describe_instance_refreshes::{
    DescribeInstanceRefreshesError, DescribeInstanceRefreshesInput, DescribeInstanceRefreshesOutput,
};
use aws_sdk_autoscaling::operation::describe_lifecycle_hooks::{
    DescribeLifecycleHooksError, DescribeLifecycleHooksInput, DescribeLifecycleHooksOutput,
};
use aws_sdk_autoscaling::types::builders::AutoScalingGroupBuilder;
use aws_sdk_autoscaling::types::{
    Instance, InstanceLifecyclePolicy, InstanceRefresh, InstanceReusePolicy, LaunchTemplate,
    LaunchTemplateOverrides, LaunchTemplateSpecification, LifecycleHook, LifecycleState,
    MixedInstancesPolicy, RetentionAction, RetentionTriggers, WarmPoolConfiguration,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_rules::plan::Fleet;

use super::World;
use super::answer::{Acted, Answer, operation};

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
    operation(world, input, "DescribeInstanceRefreshes", error, refreshes).or_else(|| {
        let error = DescribeLifecycleHooksError::generic;
        operation(world, input, "DescribeLifecycleHooks", error, hooks)
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
    _: &DescribeLifecycleHooksInput,
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
    Ok(DescribeLifecycleHooksOutput::builder()
        .set_lifecycle_hooks(Some(
            std::iter::once(hook("LAUNCHING", ("warm-up", 60)))
                .chain(ending)
                .collect(),
        ))
        .build())
}

/// A group's settings as DescribeAutoScalingGroups has them: one version by its template, more by overrides.
pub(super) fn set(group: AutoScalingGroupBuilder, fleet: &Fleet) -> AutoScalingGroupBuilder {
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
    launching(group, &fleet.versions)
        .instance_lifecycle_policy(policy.build())
        .warm_pool_configuration(warm.build())
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
