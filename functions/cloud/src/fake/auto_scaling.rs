//! Auto Scaling in the fake: groups that hold some of the instances.

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::{
    DescribeAutoScalingGroupsError, DescribeAutoScalingGroupsInput, DescribeAutoScalingGroupsOutput,
};
use aws_sdk_autoscaling::operation::describe_auto_scaling_instances::{
    DescribeAutoScalingInstancesError, DescribeAutoScalingInstancesInput,
    DescribeAutoScalingInstancesOutput,
};
use aws_sdk_autoscaling::operation::set_instance_protection::{
    SetInstanceProtectionError, SetInstanceProtectionInput, SetInstanceProtectionOutput,
};
use aws_sdk_autoscaling::operation::suspend_processes::{
    SuspendProcessesError, SuspendProcessesInput, SuspendProcessesOutput,
};
use aws_sdk_autoscaling::operation::terminate_instance_in_auto_scaling_group::{
    TerminateInstanceInAutoScalingGroupError, TerminateInstanceInAutoScalingGroupInput,
    TerminateInstanceInAutoScalingGroupOutput,
};
use aws_sdk_autoscaling::operation::update_auto_scaling_group::{
    UpdateAutoScalingGroupError, UpdateAutoScalingGroupInput, UpdateAutoScalingGroupOutput,
};
use aws_sdk_autoscaling::types::{AutoScalingGroup, AutoScalingInstanceDetails, SuspendedProcess};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_deployment::hold::{ScalingGroup, ScalingMember};

use super::World;
use super::answer::{Acted, Answer, operation};

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    let error = DescribeAutoScalingInstancesError::generic;
    operation(
        world,
        input,
        "DescribeAutoScalingInstances",
        error,
        instances,
    )
    .or_else(|| {
        let error = DescribeAutoScalingGroupsError::generic;
        operation(world, input, "DescribeAutoScalingGroups", error, groups)
    })
    .or_else(|| {
        operation(
            world,
            input,
            "SuspendProcesses",
            SuspendProcessesError::generic,
            suspend,
        )
    })
    .or_else(|| {
        let error = SetInstanceProtectionError::generic;
        operation(world, input, "SetInstanceProtection", error, protect)
    })
    .or_else(|| {
        let error = UpdateAutoScalingGroupError::generic;
        operation(world, input, "UpdateAutoScalingGroup", error, update)
    })
    .or_else(|| {
        let error = TerminateInstanceInAutoScalingGroupError::generic;
        operation(
            world,
            input,
            "TerminateInstanceInAutoScalingGroup",
            error,
            terminate,
        )
    })
}

fn find<'a>(world: &'a mut World, name: Option<&str>) -> Acted<&'a mut ScalingGroup> {
    let found = world
        .scaling
        .iter_mut()
        .find(|group| Some(group.name.as_str()) == name);
    found.ok_or_else(|| ("ValidationError", "no such group".to_owned()))
}

fn instances(
    world: &mut World,
    input: &DescribeAutoScalingInstancesInput,
) -> Acted<DescribeAutoScalingInstancesOutput> {
    let details = world.scaling.iter().flat_map(|group| {
        let asked = group
            .members
            .iter()
            .filter(|member| input.instance_ids().contains(&member.instance));
        asked.map(|member| {
            AutoScalingInstanceDetails::builder()
                .instance_id(&member.instance)
                .auto_scaling_group_name(&group.name)
                .protected_from_scale_in(member.protected)
                .lifecycle_state(&member.lifecycle)
                .build()
        })
    });
    let details = details.collect();
    Ok(DescribeAutoScalingInstancesOutput::builder()
        .set_auto_scaling_instances(Some(details))
        .build())
}

fn groups(
    world: &mut World,
    input: &DescribeAutoScalingGroupsInput,
) -> Acted<DescribeAutoScalingGroupsOutput> {
    let asked = world
        .scaling
        .iter()
        .filter(|group| input.auto_scaling_group_names().contains(&group.name));
    let found = asked.map(|group| {
        let suspended = group
            .suspended
            .iter()
            .map(|name| SuspendedProcess::builder().process_name(name).build());
        AutoScalingGroup::builder()
            .auto_scaling_group_name(&group.name)
            .min_size(i32::try_from(group.min_size).unwrap_or_default())
            .desired_capacity(i32::try_from(group.desired).unwrap_or_default())
            .set_suspended_processes(Some(suspended.collect()))
            .build()
    });
    Ok(DescribeAutoScalingGroupsOutput::builder()
        .set_auto_scaling_groups(Some(found.collect()))
        .build())
}

fn suspend(world: &mut World, input: &SuspendProcessesInput) -> Acted<SuspendProcessesOutput> {
    let group = find(world, input.auto_scaling_group_name())?;
    group
        .suspended
        .extend(input.scaling_processes().iter().cloned());
    Ok(SuspendProcessesOutput::builder().build())
}

fn protect(
    world: &mut World,
    input: &SetInstanceProtectionInput,
) -> Acted<SetInstanceProtectionOutput> {
    let group = find(world, input.auto_scaling_group_name())?;
    let asked = |member: &&mut ScalingMember| input.instance_ids().contains(&member.instance);
    let mut members: Vec<_> = group.members.iter_mut().filter(asked).collect();
    // One member in another state fails the whole call.
    if let Some(member) = members
        .iter()
        .find(|it| !["InService", "EnteringStandby", "Standby"].contains(&it.lifecycle.as_str()))
    {
        return Err((
            "ValidationError",
            format!(
                "{} is not in InService or EnteringStandby or Standby",
                member.instance
            ),
        ));
    }
    for member in &mut members {
        member.protected = input.protected_from_scale_in().unwrap_or_default();
    }
    Ok(SetInstanceProtectionOutput::builder().build())
}

fn update(
    world: &mut World,
    input: &UpdateAutoScalingGroupInput,
) -> Acted<UpdateAutoScalingGroupOutput> {
    let group = find(world, input.auto_scaling_group_name())?;
    group.min_size = input
        .min_size()
        .and_then(|size| u32::try_from(size).ok())
        .unwrap_or(group.min_size);
    Ok(UpdateAutoScalingGroupOutput::builder().build())
}

fn terminate(
    world: &mut World,
    input: &TerminateInstanceInAutoScalingGroupInput,
) -> Acted<TerminateInstanceInAutoScalingGroupOutput> {
    let id = input.instance_id().unwrap_or_default().to_owned();
    let (hooked, ended) = (world.hooked, world.ended);
    let holds =
        |group: &&mut ScalingGroup| group.members.iter().any(|member| member.instance == id);
    let group = world.scaling.iter_mut().find(holds);
    let group = group.ok_or_else(|| ("ValidationError", format!("{id} is in no group")))?;
    let staying = |it: &&mut ScalingMember| it.instance == id && it.lifecycle == "InService";
    let Some(member) = group.members.iter_mut().find(staying) else {
        return Err(("ValidationError", format!("{id} is not in service")));
    };
    // AWS refuses to go below the smallest size (TerminateInstanceInAutoScalingGroup's reference).
    if group.desired <= group.min_size {
        return Err((
            "ValidationError",
            format!("{} is at its smallest size", group.name),
        ));
    }
    group.desired -= 1;
    if hooked {
        "Terminating:Wait".clone_into(&mut member.lifecycle);
    } else {
        group.members.retain(|member| member.instance != id);
        world.instance(&id).state = ended;
    }
    Ok(TerminateInstanceInAutoScalingGroupOutput::builder().build())
}
