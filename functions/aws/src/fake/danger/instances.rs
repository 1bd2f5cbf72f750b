//! What a preflight looks for at EC2 and Auto Scaling: termination protection and lifetimes.

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::{
    DescribeAutoScalingGroupsError, DescribeAutoScalingGroupsInput, DescribeAutoScalingGroupsOutput,
};
use aws_sdk_autoscaling::types::AutoScalingGroup;
use aws_sdk_ec2::operation::describe_instance_attribute::{
    DescribeInstanceAttributeError, DescribeInstanceAttributeInput, DescribeInstanceAttributeOutput,
};
use aws_sdk_ec2::types::AttributeBooleanValue;
use aws_smithy_runtime_api::client::interceptors::context::Input;

use crate::fake::World;
use crate::fake::answer::{Acted, Answer, operation};

pub(in crate::fake) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    let error = DescribeInstanceAttributeError::generic;
    operation(
        world,
        input,
        "DescribeInstanceAttribute",
        error,
        of_instance,
    )
    .or_else(|| {
        // Without a lifetime anywhere, Auto Scaling's own part of the fake answers.
        if world.dangers.lifetimes.is_empty() {
            return None;
        }
        let error = DescribeAutoScalingGroupsError::generic;
        operation(world, input, "DescribeAutoScalingGroups", error, of_groups)
    })
}

fn of_instance(
    world: &mut World,
    input: &DescribeInstanceAttributeInput,
) -> Acted<DescribeInstanceAttributeOutput> {
    let id = input.instance_id().unwrap_or_default().to_owned();
    if !world.instances.iter().any(|instance| instance.id == id) {
        return Err(("InvalidInstanceID.NotFound", format!("no instance {id}")));
    }
    let value = AttributeBooleanValue::builder()
        .value(world.dangers.protected.contains(&id))
        .build();
    Ok(DescribeInstanceAttributeOutput::builder()
        .disable_api_termination(value)
        .build())
}

fn of_groups(
    world: &mut World,
    input: &DescribeAutoScalingGroupsInput,
) -> Acted<DescribeAutoScalingGroupsOutput> {
    let asked = world
        .dangers
        .lifetimes
        .iter()
        .filter(|(name, _)| input.auto_scaling_group_names().contains(name));
    let groups = asked.map(|(name, seconds)| {
        AutoScalingGroup::builder()
            .auto_scaling_group_name(name)
            .max_instance_lifetime(*seconds)
            .build()
    });
    Ok(DescribeAutoScalingGroupsOutput::builder()
        .set_auto_scaling_groups(Some(groups.collect()))
        .build())
}
