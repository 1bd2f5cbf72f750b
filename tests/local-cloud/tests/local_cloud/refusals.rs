//! What AWS refuses, and the emulators by themselves would allow.

use aws_sdk_autoscaling::types::Tag as GroupTag;
use aws_sdk_ec2::types::builders::RequestLaunchTemplateDataBuilder;
use aws_sdk_ec2::types::{
    InstanceRequirementsRequest, InstanceType,
    LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, RequestLaunchTemplateData,
    VCpuCountRangeRequest,
};
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;

use super::*;

const GROUP: &str = "tunnel-scaling";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the venv and the built programs"]
async fn the_emulators_refuse_what_aws_refuses() {
    let mut cloud = LocalCloud::start(Options::default()).await.unwrap();
    a_token_is_spent_when_what_it_launched_has_ended(&cloud).await;
    Box::pin(a_template_is_one_that_run_instances_takes(&cloud)).await;
    a_role_is_passed_by_who_may(&mut cloud).await;
    a_target_leaves_by_its_own_port_only(&cloud).await;
    a_group_is_emptied_as_aws_lets_it(&cloud).await;
    a_group_without_the_tag_is_left_alone(&cloud).await;
    cloud.stop().await;
}

/// Launches as a function does, with a client token, from a version of the launch template.
async fn launched(cloud: &LocalCloud, version: i64, token: &str) -> Result<String, String> {
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(&cloud.world().launch_template)
        .version(version.to_string());
    let call = cloud.clients().ec2.run_instances();
    let call = call.launch_template(template.build()).client_token(token);
    let call = call.subnet_id(&cloud.world().subnets[0]);
    let answer = call.min_count(1).max_count(1).send().await;
    let answer = answer.map_err(|error| code(&error))?;
    Ok(answer.instances()[0].instance_id().unwrap().to_owned())
}

async fn a_token_is_spent_when_what_it_launched_has_ended(cloud: &LocalCloud) {
    let first = launched(cloud, 1, "spent").await.unwrap();
    assert_eq!(launched(cloud, 1, "spent").await.unwrap(), first);
    let why = "Client error on launch";
    let ended = cloud.ends_by_itself(&first, "Client.InternalError", why);
    ended.await.unwrap();
    let described = cloud.clients().ec2.describe_instances();
    let described = described.instance_ids(&first).send().await.unwrap();
    let instance = &described.reservations()[0].instances()[0];
    let reason = instance.state_reason().and_then(|reason| reason.message());
    assert_eq!(reason, Some(why));
    // Before EC2 has forgotten it, and after
    let spent = Err("IdempotentInstanceTerminated".to_owned());
    assert_eq!(launched(cloud, 1, "spent").await, spent);
    cloud.forget_ended().await.unwrap();
    let known = cloud.instances().await.unwrap();
    assert_eq!(known.len(), 3, "{known:?}");
    assert_eq!(launched(cloud, 1, "spent").await, spent);
    let anew = launched(cloud, 1, "fresh").await.unwrap();
    cloud.terminate(&anew).await.unwrap();
}

fn plain() -> RequestLaunchTemplateDataBuilder {
    RequestLaunchTemplateData::builder()
        .image_id("ami-12c6146b")
        .instance_type(InstanceType::T3Micro)
}

async fn version(cloud: &LocalCloud, data: RequestLaunchTemplateDataBuilder) -> i64 {
    let made = cloud.world().add_version_of(cloud.clients(), data.build());
    made.await.unwrap()
}

async fn a_template_is_one_that_run_instances_takes(cloud: &LocalCloud) {
    let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder();
    let processors = VCpuCountRangeRequest::builder().min(2).build();
    let requirements = InstanceRequirementsRequest::builder().v_cpu_count(processors);
    let requirements = RequestLaunchTemplateData::builder()
        .image_id("ami-12c6146b")
        .instance_requirements(requirements.build());
    for (token, data, refusal) in [
        (
            "interfaces",
            plain().network_interfaces(interface.device_index(0).build()),
            "InvalidParameterCombination",
        ),
        (
            "names",
            plain().security_groups("tunnel"),
            "InvalidParameterCombination",
        ),
        ("requirements", requirements, "InvalidParameterCombination"),
        ("no image", plain().set_image_id(None), "MissingParameter"),
    ] {
        let version = version(cloud, data).await;
        let refused = launched(cloud, version, token).await;
        assert_eq!(refused, Err(refusal.to_owned()), "{token}");
    }
}

async fn a_role_is_passed_by_who_may(cloud: &mut LocalCloud) {
    let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder();
    let data = plain().iam_instance_profile(profile.name("tunnel").build());
    let version = version(cloud, data).await;
    let refused = launched(cloud, version, "role").await;
    assert_eq!(refused, Err("UnauthorizedOperation".to_owned()));
    let role = "arn:aws:iam::123456789012:role/tunnel";
    cloud.update(&[("InstanceRoleArn", role)]).await.unwrap();
    let instance = launched(cloud, version, "role").await.unwrap();
    cloud.terminate(&instance).await.unwrap();
}

async fn a_target_leaves_by_its_own_port_only(cloud: &LocalCloud) {
    let (elb, group) = (&cloud.clients().elb, &cloud.world().c.arn);
    let instance = &cloud.servers()[0].instance;
    let on = |port| TargetDescription::builder().id(instance).set_port(port);
    let registering = elb.register_targets().target_group_arn(group);
    let registering = registering.targets(on(Some(8081)).build());
    registering.send().await.unwrap();
    let ports = async || {
        let asking = elb.describe_target_health().target_group_arn(group);
        let answer = asking.send().await.unwrap();
        let targets = answer.target_health_descriptions().iter();
        let ports = targets.map(|it| it.target().unwrap().port());
        ports.collect::<Vec<_>>()
    };
    for (port, left) in [(None, vec![Some(8081)]), (Some(8081), vec![])] {
        assert_eq!(ports().await, [Some(8081)]);
        let leaving = elb.deregister_targets().target_group_arn(group);
        leaving.targets(on(port).build()).send().await.unwrap();
        assert_eq!(ports().await, left);
    }
}

async fn a_group_is_emptied_as_aws_lets_it(cloud: &LocalCloud) {
    cloud.scaling_group(GROUP, 2, 1).await.unwrap();
    let members = async || {
        let group = cloud.scaling_group_now(GROUP).await.unwrap();
        let members = group.instances().iter();
        let members = members.map(|it| it.instance_id().unwrap().to_owned());
        (
            group.desired_capacity().unwrap(),
            members.collect::<Vec<_>>(),
        )
    };
    let ended = async |member: &str, shrinks| {
        let scaling = &cloud.clients().auto_scaling;
        let call = scaling.terminate_instance_in_auto_scaling_group();
        let call = call.instance_id(member);
        let call = call.should_decrement_desired_capacity(shrinks);
        call.send().await.map(|_| ()).map_err(|error| code(&error))
    };
    let (_, both) = members().await;
    // What is beyond the desired capacity ends without it, and is not replaced
    ended(&both[0], false).await.unwrap();
    assert_eq!(members().await, (1, both[1..].to_vec()));
    // At the smallest size nothing ends with the capacity
    let size = |least| {
        let call = cloud.clients().auto_scaling.update_auto_scaling_group();
        call.auto_scaling_group_name(GROUP).min_size(least)
    };
    size(1).send().await.unwrap();
    let refused = ended(&both[1], true).await;
    assert_eq!(refused, Err("ValidationError".to_owned()));
    assert_eq!(members().await, (1, both[1..].to_vec()));
    size(0).send().await.unwrap();
    ended(&both[1], true).await.unwrap();
    assert_eq!(members().await, (0, vec![]));
}

async fn a_group_without_the_tag_is_left_alone(cloud: &LocalCloud) {
    let scaling = &cloud.clients().auto_scaling;
    let tag = GroupTag::builder()
        .resource_id(GROUP)
        .resource_type("auto-scaling-group")
        .key("ebbtide:service");
    let untagging = scaling.delete_tags().tags(tag.build());
    untagging.send().await.unwrap();
    let denied = "AccessDenied";
    let suspending = scaling.suspend_processes().auto_scaling_group_name(GROUP);
    assert_eq!(code(&suspending.send().await.unwrap_err()), denied);
    let resuming = scaling.resume_processes().auto_scaling_group_name(GROUP);
    assert_eq!(code(&resuming.send().await.unwrap_err()), denied);
    let protecting = scaling.set_instance_protection();
    let protecting = protecting
        .auto_scaling_group_name(GROUP)
        .instance_ids("i-1")
        .protected_from_scale_in(true);
    assert_eq!(code(&protecting.send().await.unwrap_err()), denied);
    let updating = scaling.update_auto_scaling_group();
    let updating = updating.auto_scaling_group_name(GROUP).min_size(0);
    assert_eq!(code(&updating.send().await.unwrap_err()), denied);
}
