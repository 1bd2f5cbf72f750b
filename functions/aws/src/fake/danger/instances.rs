//! What a preflight looks for at EC2: termination protection and Spot requests.

use aws_sdk_ec2::operation::describe_instance_attribute::{
    DescribeInstanceAttributeError, DescribeInstanceAttributeInput, DescribeInstanceAttributeOutput,
};
use aws_sdk_ec2::operation::describe_spot_instance_requests::{
    DescribeSpotInstanceRequestsError, DescribeSpotInstanceRequestsInput,
    DescribeSpotInstanceRequestsOutput,
};
use aws_sdk_ec2::types::{AttributeBooleanValue, SpotInstanceRequest};
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
        let error = DescribeSpotInstanceRequestsError::generic;
        operation(world, input, "DescribeSpotInstanceRequests", error, of_spot)
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

/// As if every request were persistent and active; the filter for instances counts.
fn of_spot(
    world: &mut World,
    input: &DescribeSpotInstanceRequestsInput,
) -> Acted<DescribeSpotInstanceRequestsOutput> {
    let mut filters = input.filters().iter();
    let asked = filters.find(|filter| filter.name() == Some("instance-id"));
    let asked = asked.map(|filter| filter.values()).unwrap_or_default();
    let requests = world
        .dangers
        .persistent
        .iter()
        .filter(|it| asked.contains(it));
    let requests = requests.map(|id| SpotInstanceRequest::builder().instance_id(id).build());
    Ok(DescribeSpotInstanceRequestsOutput::builder()
        .set_spot_instance_requests(Some(requests.collect()))
        .build())
}
