//! Auto Scaling groups that would cut sessions by themselves, or that the functions' roles may not change.

use aws_sdk_autoscaling::types::{LaunchTemplateSpecification, Tag};
use serde_json::json;

use super::{planned, refused};
use crate::scene::Scene;

const GROUP: &str = "tunnel-scaling";

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_would_replace_or_mix_its_servers_is_refused_until_it_does_not() {
    // Given blue in an Auto Scaling group that launches whatever version is the newest
    let (scene, fleet) = Scene::of_a_fleet().await;
    launches(&scene, &fleet, "$Latest").await;
    refused(&scene, &json!({}), "launches from version $Latest").await;
    launches(&scene, &fleet, "1").await;
    // And one whose servers are being replaced
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let starting = auto_scaling.start_instance_refresh();
    let starting = starting.auto_scaling_group_name(&fleet);
    starting.send().await.expect("a refresh");
    refused(&scene, &json!({}), "has an instance refresh").await;
    let cancelling = auto_scaling.cancel_instance_refresh();
    let cancelling = cancelling.auto_scaling_group_name(&fleet);
    cancelling.send().await.expect("it is cancelled");
    // Then a deployment of it is planned
    planned(&scene, &json!({})).await;
    scene.ends().await;
}

async fn launches(scene: &Scene, fleet: &str, version: &str) {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let updating = auto_scaling
        .update_auto_scaling_group()
        .auto_scaling_group_name(fleet)
        .launch_template(template(scene, version));
    updating.send().await.expect("it is updated");
}

fn template(scene: &Scene, version: &str) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder()
        .launch_template_id(&scene.cloud.world().launch_template)
        .version(version)
        .build()
}

/// A group that the functions' roles may not change.
pub(super) async fn a_group_without_the_tag(scene: &Scene) {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let making = auto_scaling
        .create_auto_scaling_group()
        .auto_scaling_group_name(GROUP)
        .launch_template(template(scene, "1"))
        .vpc_zone_identifier(&scene.cloud.world().subnets[0])
        .min_size(0)
        .max_size(3)
        .desired_capacity(0);
    making.send().await.expect("a group");
    let attaching = auto_scaling
        .attach_instances()
        .auto_scaling_group_name(GROUP)
        .instance_ids(&scene.blue()[0]);
    attaching.send().await.expect("it gets a member");
    // What AWS would say in mid-deployment
    let holding = auto_scaling
        .suspend_processes()
        .auto_scaling_group_name(GROUP);
    let denied = holding.send().await.expect_err("it is not allowed");
    assert_eq!(
        denied.into_service_error().meta().code(),
        Some("AccessDenied")
    );
    // Is said before it
    refused(
        scene,
        &json!({}),
        &format!("{GROUP} does not carry the tag"),
    )
    .await;
    let tag = Tag::builder()
        .resource_id(GROUP)
        .resource_type("auto-scaling-group")
        .key("ebbtide:service")
        .value(scene.cloud.service())
        .propagate_at_launch(false);
    let tagging = auto_scaling.create_or_update_tags().tags(tag.build());
    tagging.send().await.expect("it is tagged");
    planned(scene, &json!({})).await;
}
