//! What AWS would refuse in mid-deployment is refused by the plan: nothing is touched, and it is mended by what is said.

mod balancers;
mod templates;

use aws_sdk_autoscaling::types::Tag;
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use serde_json::{Value, json};

use crate::scene::Scene;

const GROUP: &str = "tunnel-scaling";

/// Then a deployment is refused with these words, before anything is touched.
async fn refused(scene: &Scene, input: &Value, words: &str) {
    let execution = scene.deploy(input).await;
    let cause = scene.fails_with(&execution, "PreflightRefused").await;
    assert!(cause.contains(words), "{words} in {cause}");
    scene.untouched().await;
}

/// Then a deployment would begin.
async fn planned(scene: &Scene, input: &Value) {
    let mut input = input.clone();
    input["dryRun"] = json!(true);
    let execution = scene.deploy(&input).await;
    scene.ends_well(&execution).await;
    scene.untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_would_refuse_of_a_launch_a_group_or_a_target_is_refused_before_the_claim() {
    let scene = Scene::of_three_blue_servers().await;
    Box::pin(templates::are_refused(&scene)).await;
    a_group_without_the_tag(&scene).await;
    a_target_on_a_port_of_its_own(&scene).await;
    scene.ends().await;
}

/// A group that the functions' roles may not change.
async fn a_group_without_the_tag(scene: &Scene) {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let template = aws_sdk_autoscaling::types::LaunchTemplateSpecification::builder()
        .launch_template_id(&scene.cloud.world().launch_template)
        .build();
    let making = auto_scaling
        .create_auto_scaling_group()
        .auto_scaling_group_name(GROUP)
        .launch_template(template)
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
    refused(scene, &json!({}), &format!("tag {GROUP}")).await;
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

/// A target that is not on its group's port, where green's would be.
async fn a_target_on_a_port_of_its_own(scene: &Scene) {
    let (elb, world) = (&scene.cloud.clients().elb, scene.cloud.world());
    let registered = async |port: Option<i32>| {
        let target = TargetDescription::builder()
            .id(&scene.blue()[0])
            .set_port(port);
        let call = elb.register_targets().target_group_arn(&world.a.arn);
        call.targets(target.build())
            .send()
            .await
            .expect("registered");
    };
    registered(Some(i32::from(scene.cloud.session_port()))).await;
    refused(scene, &json!({}), "on ports of their own").await;
    registered(None).await;
    planned(scene, &json!({})).await;
}
