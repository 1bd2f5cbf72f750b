//! Versions of the launch template that RunInstances does not take, or whose instances nothing could end.

use aws_sdk_ec2::types::builders::RequestLaunchTemplateDataBuilder;
use aws_sdk_ec2::types::{
    InstanceRequirementsRequest, InstanceType,
    LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMarketOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
    LaunchTemplateSpotMarketOptionsRequest, MarketType, MemoryMiBRequest,
    RequestLaunchTemplateData, SpotInstanceType, VCpuCountRangeRequest,
};
use serde_json::json;

use super::{planned, refused};
use crate::scene::Scene;

/// Then each such version is refused in its own words, and the one before them is taken.
pub(super) async fn are_refused(scene: &Scene) {
    for (data, words) in unfit() {
        let (world, clients) = (scene.cloud.world(), scene.cloud.clients());
        let version = world.add_version_of(clients, data).await;
        let version = version.expect("a version").to_string();
        let input = json!({"green": {"launchTemplateVersion": version}});
        refused(scene, &input, words).await;
    }
    planned(scene, &json!({"green": {"launchTemplateVersion": "1"}})).await;
    let mended = plain().build();
    let mended = scene
        .cloud
        .world()
        .add_version_of(scene.cloud.clients(), mended);
    mended.await.expect("a version");
}

/// What is unfit, each with what is said of it.
fn unfit() -> [(RequestLaunchTemplateData, &'static str); 7] {
    let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .device_index(0)
        .build();
    let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder()
        .name("tunnel")
        .build();
    [
        (by_requirements(), "instance requirements"),
        (
            plain().network_interfaces(interface).build(),
            "has network interfaces",
        ),
        (
            plain().security_groups("tunnel").build(),
            "security groups by name",
        ),
        (without_image().build(), "names no image"),
        (persistent(), "persistent Spot requests"),
        (
            plain().disable_api_termination(true).build(),
            "termination protection",
        ),
        (
            plain().iam_instance_profile(profile).build(),
            "InstanceRoleArn",
        ),
    ]
}

fn without_image() -> RequestLaunchTemplateDataBuilder {
    RequestLaunchTemplateData::builder().instance_type(InstanceType::T3Micro)
}

fn plain() -> RequestLaunchTemplateDataBuilder {
    without_image().image_id("ami-12c6146b")
}

fn by_requirements() -> RequestLaunchTemplateData {
    let processors = VCpuCountRangeRequest::builder().min(2).build();
    let memory = MemoryMiBRequest::builder().min(1024).build();
    let requirements = InstanceRequirementsRequest::builder()
        .v_cpu_count(processors)
        .memory_mib(memory)
        .build();
    RequestLaunchTemplateData::builder()
        .image_id("ami-12c6146b")
        .instance_requirements(requirements)
        .build()
}

fn persistent() -> RequestLaunchTemplateData {
    let spot = LaunchTemplateSpotMarketOptionsRequest::builder()
        .spot_instance_type(SpotInstanceType::Persistent)
        .build();
    let market = LaunchTemplateInstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(spot)
        .build();
    plain().instance_market_options(market).build()
}
