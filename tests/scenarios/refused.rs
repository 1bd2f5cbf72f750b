//! What AWS would refuse in mid-deployment is refused by the plan: nothing is touched, and it is mended by what is said.

mod balancers;
mod fleets;
mod templates;

use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use serde_json::{Value, json};

use crate::scene::Scene;

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
    fleets::a_group_without_the_tag(&scene).await;
    a_target_on_a_port_of_its_own(&scene).await;
    scene.ends().await;
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
