//! Auto Scaling in the fake: groups that hold some of the instances.

use aws_sdk_autoscaling::operation::create_or_update_tags::{
    CreateOrUpdateTagsError, CreateOrUpdateTagsInput, CreateOrUpdateTagsOutput,
};
use aws_sdk_autoscaling::operation::delete_tags::{
    DeleteTagsError, DeleteTagsInput, DeleteTagsOutput,
};
use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::{
    DescribeAutoScalingGroupsError, DescribeAutoScalingGroupsInput, DescribeAutoScalingGroupsOutput,
};
use aws_sdk_autoscaling::operation::describe_auto_scaling_instances::{
    DescribeAutoScalingInstancesError, DescribeAutoScalingInstancesInput,
    DescribeAutoScalingInstancesOutput,
};
use aws_sdk_autoscaling::operation::resume_processes::{
    ResumeProcessesError, ResumeProcessesInput, ResumeProcessesOutput,
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
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, AutoScalingInstanceDetails, Filter, SuspendedProcess, Tag, TagDescription,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_rules::observed::ENVIRONMENT_TAG;
use ebbtide_rules::scaling::{ScalingGroup, ScalingMember, Sizes};

use super::answer::{Acted, Answer, operation};
use super::{World, fleet};

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
    .or_else(|| {
        let error = ResumeProcessesError::generic;
        operation(world, input, "ResumeProcesses", error, resume)
    })
    .or_else(|| {
        let error = CreateOrUpdateTagsError::generic;
        operation(world, input, "CreateOrUpdateTags", error, tag)
    })
    .or_else(|| {
        // EC2 has an operation of this name too.
        let error = DeleteTagsError::generic;
        operation(world, input, "DeleteTags of a group", error, untag)
    })
    .or_else(|| fleet::answer(world, input))
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
    let names = input.auto_scaling_group_names();
    let asked = world.scaling.iter().filter(|group| {
        (names.is_empty() || names.contains(&group.name))
            && input.filters().iter().all(|filter| matches(group, filter))
    });
    let found = asked.map(|group| {
        let suspended = group
            .suspended
            .iter()
            .map(|name| SuspendedProcess::builder().process_name(name).build());
        let described = AutoScalingGroup::builder()
            .auto_scaling_group_name(&group.name)
            .min_size(i32::try_from(group.sizes.min).unwrap_or_default())
            .max_size(i32::try_from(group.sizes.max).unwrap_or_default())
            .desired_capacity(i32::try_from(group.sizes.desired).unwrap_or_default())
            .set_target_group_arns(Some(attached(world, group)))
            .set_suspended_processes(Some(suspended.collect()))
            .set_tags(Some(group.tags.iter().map(description).collect()))
            .set_instances(Some(group.members.iter().map(member).collect()));
        fleet::set(described, &world.dangers.fleet, &group.version).build()
    });
    Ok(DescribeAutoScalingGroupsOutput::builder()
        .set_auto_scaling_groups(Some(found.collect()))
        .build())
}

/// A fleet's group is attached where its tag says.
fn attached(world: &World, group: &ScalingGroup) -> Vec<String> {
    let name = group.tags.get(ENVIRONMENT_TAG);
    let groups = world.groups.iter();
    groups
        .filter(|it| Some(&it.environment) == name)
        .map(|it| it.arn.clone())
        .collect()
}

fn member(member: &ScalingMember) -> aws_sdk_autoscaling::types::Instance {
    aws_sdk_autoscaling::types::Instance::builder()
        .instance_id(&member.instance)
        .lifecycle_state(member.lifecycle.as_str().into())
        .protected_from_scale_in(member.protected)
        .build()
}

fn matches(group: &ScalingGroup, filter: &Filter) -> bool {
    let name = filter.name().unwrap_or_default();
    filter
        .values()
        .iter()
        .any(|wanted| match name.strip_prefix("tag:") {
            Some(key) => group.tags.get(key) == Some(wanted),
            None => name == "tag-key" && group.tags.contains_key(wanted),
        })
}

fn description((key, value): (&String, &String)) -> TagDescription {
    TagDescription::builder().key(key).value(value).build()
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
    let size = |size: Option<i32>, kept: u32| {
        size.and_then(|size| u32::try_from(size).ok())
            .unwrap_or(kept)
    };
    let sizes = Sizes {
        min: size(input.min_size(), group.sizes.min),
        max: size(input.max_size(), group.sizes.max),
        desired: size(input.desired_capacity(), group.sizes.desired),
    };
    if sizes.min > sizes.max || !(sizes.min..=sizes.max).contains(&sizes.desired) {
        return Err(("ValidationError", format!("sizes {sizes}")));
    }
    group.sizes = sizes;
    if let Some(template) = input.launch_template() {
        group.version = template.version().unwrap_or_default().to_owned();
    }
    if input.desired_capacity().is_some() {
        let name = group.name.clone();
        fleet::grow(world, &name);
    }
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
    let staying = |it: &&mut ScalingMember| it.instance == id && !it.is_terminating();
    let Some(member) = group.members.iter_mut().find(staying) else {
        return Err(("ValidationError", format!("{id} is not in service")));
    };
    let shrinks = input.should_decrement_desired_capacity() == Some(true);
    // AWS refuses to go below the smallest size (TerminateInstanceInAutoScalingGroup's reference).
    if shrinks && group.sizes.desired <= group.sizes.min {
        return Err((
            "ValidationError",
            format!("{} is at its smallest size", group.name),
        ));
    }
    if shrinks {
        group.sizes.desired -= 1;
    }
    if hooked || group.holds_ends {
        "Terminating:Wait".clone_into(&mut member.lifecycle);
    } else {
        group.members.retain(|member| member.instance != id);
        world.instance(&id).state = ended;
    }
    Ok(TerminateInstanceInAutoScalingGroupOutput::builder().build())
}

fn resume(world: &mut World, input: &ResumeProcessesInput) -> Acted<ResumeProcessesOutput> {
    let group = find(world, input.auto_scaling_group_name())?;
    let asked = input.scaling_processes();
    // Without a name, all of them are meant (ResumeProcesses' reference).
    group
        .suspended
        .retain(|process| !(asked.is_empty() || asked.contains(process)));
    Ok(ResumeProcessesOutput::builder().build())
}

fn tag(world: &mut World, input: &CreateOrUpdateTagsInput) -> Acted<CreateOrUpdateTagsOutput> {
    for tag in input.tags() {
        let (group, key) = tagged(world, tag)?;
        let value = tag.value().unwrap_or_default();
        // 256 characters are a tag's most; what a group passes on would say of new instances what is not so.
        if value.len() > 256 || tag.propagate_at_launch() != Some(false) {
            return Err(("ValidationError", format!("a tag like {tag:?}")));
        }
        group.tags.insert(key, value.to_owned());
    }
    Ok(CreateOrUpdateTagsOutput::builder().build())
}

fn untag(world: &mut World, input: &DeleteTagsInput) -> Acted<DeleteTagsOutput> {
    for tag in input.tags() {
        let (group, key) = tagged(world, tag)?;
        group.tags.remove(&key);
    }
    Ok(DeleteTagsOutput::builder().build())
}

fn tagged<'a>(world: &'a mut World, tag: &Tag) -> Acted<(&'a mut ScalingGroup, String)> {
    if tag.resource_type() != Some("auto-scaling-group") {
        return Err(("ValidationError", "no such resource type".to_owned()));
    }
    let key = tag.key().unwrap_or_default().to_owned();
    Ok((find(world, tag.resource_id())?, key))
}
