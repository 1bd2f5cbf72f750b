//! EC2 in the fake: instances and one launch template.

use aws_sdk_ec2::operation::create_tags::{CreateTagsError, CreateTagsInput, CreateTagsOutput};
use aws_sdk_ec2::operation::delete_tags::{DeleteTagsError, DeleteTagsInput, DeleteTagsOutput};
use aws_sdk_ec2::operation::describe_instances::{
    DescribeInstancesError, DescribeInstancesInput, DescribeInstancesOutput,
};
use aws_sdk_ec2::operation::describe_launch_template_versions::{
    DescribeLaunchTemplateVersionsError, DescribeLaunchTemplateVersionsInput,
    DescribeLaunchTemplateVersionsOutput,
};
use aws_sdk_ec2::operation::run_instances::{
    RunInstancesError, RunInstancesInput, RunInstancesOutput,
};
use aws_sdk_ec2::operation::terminate_instances::{
    TerminateInstancesError, TerminateInstancesInput, TerminateInstancesOutput,
};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    Filter, InstanceLifecycleType, InstanceState as SdkState, InstanceStateName, InstanceType,
    LaunchTemplateVersion, Reservation, ResponseLaunchTemplateData, StateReason, Tag,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use ebbtide_rules::observed::{Instance, InstanceState};

use super::World;
use super::answer::{Acted, Answer, operation, page};

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    operation(
        world,
        input,
        "DescribeInstances",
        DescribeInstancesError::generic,
        describe,
    )
    .or_else(|| {
        operation(
            world,
            input,
            "RunInstances",
            RunInstancesError::generic,
            run,
        )
    })
    .or_else(|| operation(world, input, "CreateTags", CreateTagsError::generic, tag))
    .or_else(|| {
        operation(
            world,
            input,
            "TerminateInstances",
            TerminateInstancesError::generic,
            terminate,
        )
    })
    .or_else(|| {
        let error = DescribeLaunchTemplateVersionsError::generic;
        operation(
            world,
            input,
            "DescribeLaunchTemplateVersions",
            error,
            versions,
        )
    })
    .or_else(|| operation(world, input, "DeleteTags", DeleteTagsError::generic, untag))
}

fn describe(world: &mut World, input: &DescribeInstancesInput) -> Acted<DescribeInstancesOutput> {
    let found: Vec<Instance> = world
        .instances
        .iter()
        .filter(|it| input.filters().iter().all(|filter| matches(it, filter)))
        .cloned()
        .collect();
    let (found, next) = page(&found, input.next_token());
    let reservations = found
        .iter()
        .map(|instance| {
            let mut shown = sdk(instance);
            let spot = world.dangers.spot.contains(&instance.id);
            shown.instance_lifecycle = spot.then_some(InstanceLifecycleType::Spot);
            Reservation::builder().instances(shown).build()
        })
        .collect();
    Ok(DescribeInstancesOutput::builder()
        .set_reservations(Some(reservations))
        .set_next_token(next)
        .build())
}

fn matches(instance: &Instance, filter: &Filter) -> bool {
    let name = filter.name().unwrap_or_default();
    let value = match name.strip_prefix("tag:") {
        Some(key) => instance.tag(key),
        None => (name == "instance-id").then_some(instance.id.as_str()),
    };
    value.is_some_and(|value| filter.values().iter().any(|wanted| wanted == value))
}

fn run(world: &mut World, input: &RunInstancesInput) -> Acted<RunInstancesOutput> {
    let token = input.client_token().unwrap_or_default().to_owned();
    let subnet = input.subnet_id().unwrap_or_default();
    refuse_template(world)?;
    if let Some((_, ids)) = world.launches.iter().find(|(known, _)| *known == token) {
        let ids = ids.clone();
        let lives = |id: &String| {
            world
                .instances
                .iter()
                .any(|it| it.id == *id && it.is_live())
        };
        if !ids.iter().any(lives) {
            return Err((
                "IdempotentInstanceTerminated",
                "the client token is associated with a terminated instance".to_owned(),
            ));
        }
        return Ok(launched(world, &ids));
    }
    let mut ids = Vec::new();
    for _ in 0..input.max_count().unwrap_or_default() {
        let id = format!("i-{}", world.instances.len() + 1);
        world.add(&id, subnet, None, &[]);
        let state = world.launched;
        let instance = world.instance(&id);
        instance.state = state;
        let tags = input
            .tag_specifications()
            .first()
            .map(|specification| specification.tags())
            .unwrap_or_default();
        instance.tags.extend(tags.iter().filter_map(pair));
        ids.push(id);
    }
    world.launches.push((token, ids.clone()));
    Ok(launched(world, &ids))
}

/// What RunInstances does not take of a launch template, into a given subnet.
fn refuse_template(world: &World) -> Acted<()> {
    let data = &world.template;
    let refused = |words: &str| Err(("InvalidParameterCombination", words.to_owned()));
    if !data.network_interfaces().is_empty() {
        return refused("network interfaces and an instance-level subnet ID");
    }
    if !data.security_groups().is_empty() {
        return refused("the parameter groupName cannot be used with the parameter subnet");
    }
    if data.instance_requirements().is_some() {
        return refused("instance requirements are not supported by RunInstances");
    }
    if data.image_id().is_none() {
        return Err(("MissingParameter", "the parameter ImageId".to_owned()));
    }
    Ok(())
}

/// A launch template that RunInstances takes.
pub(super) fn plain_template() -> ResponseLaunchTemplateData {
    ResponseLaunchTemplateData::builder()
        .image_id("ami-1")
        .instance_type(InstanceType::T3Micro)
        .build()
}

fn launched(world: &World, ids: &[String]) -> RunInstancesOutput {
    let instances = world
        .instances
        .iter()
        .filter(|instance| ids.contains(&instance.id))
        .map(sdk)
        .collect();
    RunInstancesOutput::builder()
        .set_instances(Some(instances))
        .build()
}

fn tag(world: &mut World, input: &CreateTagsInput) -> Acted<CreateTagsOutput> {
    for id in input.resources() {
        world
            .instance(id)
            .tags
            .extend(input.tags().iter().filter_map(pair));
    }
    Ok(CreateTagsOutput::builder().build())
}

fn terminate(
    world: &mut World,
    input: &TerminateInstancesInput,
) -> Acted<TerminateInstancesOutput> {
    for id in input.instance_ids() {
        let ended = world.ended;
        let instance = world.instance(id);
        // Ending it again changes nothing (TerminateInstances' reference).
        if instance.is_live() {
            instance.state = ended;
        }
    }
    Ok(TerminateInstancesOutput::builder().build())
}

fn versions(
    world: &mut World,
    input: &DescribeLaunchTemplateVersionsInput,
) -> Acted<DescribeLaunchTemplateVersionsOutput> {
    let wanted = input
        .versions()
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let number = if wanted == "$Latest" {
        Some(world.versions)
    } else {
        wanted.parse().ok()
    };
    let Some(number) = number.filter(|number| (1..=world.versions).contains(number)) else {
        return Err((
            "InvalidLaunchTemplateId.VersionNotFound",
            format!("no version {wanted}"),
        ));
    };
    let version = LaunchTemplateVersion::builder()
        .launch_template_id("lt-1")
        .launch_template_data(world.template.clone())
        .version_number(number)
        .build();
    Ok(DescribeLaunchTemplateVersionsOutput::builder()
        .launch_template_versions(version)
        .build())
}

fn pair(tag: &Tag) -> Option<(String, String)> {
    Some((tag.key()?.to_owned(), tag.value()?.to_owned()))
}

fn sdk(instance: &Instance) -> aws_sdk_ec2::types::Instance {
    let tags = instance
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    aws_sdk_ec2::types::Instance::builder()
        .instance_id(&instance.id)
        .set_private_ip_address(instance.ip.clone())
        .set_subnet_id(instance.subnet.clone())
        .set_launch_time(
            instance
                .launched_at
                .map(|at| DateTime::from_secs(at.as_second())),
        )
        .set_state_reason(
            instance
                .ended_by
                .as_ref()
                .map(|words| StateReason::builder().message(words).build()),
        )
        .state(SdkState::builder().name(name(instance.state)).build())
        .set_tags(Some(tags))
        .build()
}

fn name(state: InstanceState) -> InstanceStateName {
    match state {
        InstanceState::Pending => InstanceStateName::Pending,
        InstanceState::Running => InstanceStateName::Running,
        InstanceState::Stopped => InstanceStateName::Stopped,
        InstanceState::ShuttingDown => InstanceStateName::ShuttingDown,
        InstanceState::Terminated => InstanceStateName::Terminated,
        InstanceState::Other => InstanceStateName::from("unheard-of"),
    }
}

fn untag(world: &mut World, input: &DeleteTagsInput) -> Acted<DeleteTagsOutput> {
    let named = |key: &String| input.tags().iter().any(|tag| tag.key() == Some(key));
    for id in input.resources() {
        let tags = &mut world.instance(id).tags;
        // Without a tag, all of them are meant (DeleteTags' reference).
        tags.retain(|key, _| !(input.tags().is_empty() || named(key)));
    }
    Ok(DeleteTagsOutput::builder().build())
}
