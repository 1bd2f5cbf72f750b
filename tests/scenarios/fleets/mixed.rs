//! Groups that launch instances of several types.

use aws_sdk_autoscaling::types::{
    InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides, LaunchTemplateSpecification,
    MixedInstancesPolicy,
};
use serde_json::json;

use super::{GROUPS, fleets, launched_by_greens_group};
use crate::scene::{Scene, hasty};

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_instances_policy_is_kept_whole_with_the_version_that_was_promoted() {
    // Given a green whose group has a mixed instances policy
    let scene = fleets().await;
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let update = auto_scaling.update_auto_scaling_group();
    let update = update.auto_scaling_group_name(GROUPS[1]);
    let update = update.mixed_instances_policy(policy(&scene)).send();
    update.await.expect("it is updated");
    let before = policy_now(&scene).await;
    assert_eq!(before.instances_distribution(), Some(&distribution()));
    let busy = scene.busy("busy").await;
    // When a release is deployed that never becomes healthy
    let release = scene.cloud.add_version("stand-in --health 503").await;
    release.expect("a version");
    let input = json!({"green": {"healthySeconds": 10}});
    let execution = scene.deploy(&input).await;
    scene.fails_with(&execution, "GreenRejected").await;
    assert_eq!(launched_by_greens_group(&scene).await, 3);
    // Then the policy is as it was, its version too
    assert_eq!(policy_now(&scene).await, before);
    scene.all_still_busy([&busy]);
    drop(busy);
    // When one is promoted
    let version = scene.cloud.add_version("").await.expect("a version");
    let execution = scene.deploy(&hasty()).await;
    scene.promoted(&execution).await;
    // Then nothing of it has changed but the version, and it counts
    let mut wanted = before.clone();
    let template = wanted.launch_template.as_mut().expect("a template");
    let named = template.launch_template_specification.as_mut();
    named.expect("a specification").version = Some(version.to_string());
    assert_eq!(policy_now(&scene).await, wanted);
    let group = scene.cloud.scaling_group_now(GROUPS[1]).await;
    let group = group.expect("a group");
    let types = group.instances().iter().map(|it| it.instance_type());
    assert_eq!(types.collect::<Vec<_>>(), [Some("t3.large"); 3]);
    scene.ends().await;
}

/// Two types beside the template's, and some On-Demand instances.
fn policy(scene: &Scene) -> MixedInstancesPolicy {
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(&scene.cloud.world().launch_template)
        .version("1")
        .build();
    let kind = |name| LaunchTemplateOverrides::builder().instance_type(name);
    let launches = LaunchTemplate::builder()
        .launch_template_specification(template)
        .overrides(kind("t3.large").weighted_capacity("1").build())
        .overrides(kind("t3.medium").build());
    MixedInstancesPolicy::builder()
        .launch_template(launches.build())
        .instances_distribution(distribution())
        .build()
}

fn distribution() -> InstancesDistribution {
    InstancesDistribution::builder()
        .on_demand_base_capacity(1)
        .on_demand_percentage_above_base_capacity(50)
        .spot_allocation_strategy("price-capacity-optimized")
        .build()
}

/// The policy of green's group.
async fn policy_now(scene: &Scene) -> MixedInstancesPolicy {
    let group = scene.cloud.scaling_group_now(GROUPS[1]).await;
    let policy = group.expect("a group").mixed_instances_policy;
    policy.expect("a policy")
}
