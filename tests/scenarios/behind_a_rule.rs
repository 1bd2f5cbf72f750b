//! A service behind a rule of a listener, whose servers have a role of their own.

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateIamInstanceProfileSpecificationRequest, RequestLaunchTemplateData,
};
use aws_sdk_elasticloadbalancingv2::types::{PathPatternConditionConfig, RuleCondition};

use crate::groups::{all_serve, forward, group, has_blue};
use crate::scene::{Scene, hasty};

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_s_weights_move_and_green_has_the_role() {
    // Given blue behind a rule, and a version of the launch template with an instance profile
    let mut scene = Scene::of_three_blue_servers().await;
    let groups = [group(&scene, "rule-a").await, group(&scene, "rule-b").await];
    has_blue(&scene, &groups[0]).await;
    let rule = rule(&scene, &groups[0]).await;
    all_serve(&scene, &groups[0]).await;
    let update = [
        ("ListenerArn", rule.as_str()),
        ("TargetGroupArns", &groups.join(",")),
        ("InstanceRoleArn", "arn:aws:iam::123456789012:role/tunnel"),
    ];
    scene.cloud.update(&update).await.expect("an update");
    let mut input = hasty();
    input["green"]["launchTemplateVersion"] = with_role(&scene).await.into();
    // When a deployment runs
    let execution = scene.deploy(&input).await;
    // Then the rule forwards to green alone, and blue is gone
    scene.ends_well(&execution).await;
    assert_eq!(forwards_to(&scene, &rule).await, [groups[1].clone()]);
    let instances = scene.cloud.instances().await.expect("instances");
    let mut blue = instances.iter().filter(|it| scene.blue().contains(&it.id));
    assert!(blue.all(|it| !it.is_up()), "{instances:?}");
    scene.ends().await;
}

async fn rule(scene: &Scene, group: &str) -> String {
    let paths = PathPatternConditionConfig::builder().values("/*").build();
    let every_path = RuleCondition::builder()
        .field("path-pattern")
        .path_pattern_config(paths);
    let elb = &scene.cloud.clients().elb;
    let making = elb
        .create_rule()
        .listener_arn(&scene.cloud.world().listener_arn)
        .priority(10)
        .conditions(every_path.build())
        .actions(forward(group));
    let made = making.send().await.expect("a rule");
    made.rules()[0].rule_arn().expect("an ARN").to_owned()
}

async fn forwards_to(scene: &Scene, rule: &str) -> Vec<String> {
    let elb = &scene.cloud.clients().elb;
    let described = elb.describe_rules().rule_arns(rule).send().await;
    let described = described.expect("the rule");
    let forward = described.rules()[0].actions()[0].forward_config();
    let groups = forward.expect("a forward").target_groups().iter();
    groups
        .filter_map(|it| it.target_group_arn())
        .map(ToOwned::to_owned)
        .collect()
}

/// The number of a version as the first one, with an instance profile.
async fn with_role(scene: &Scene) -> String {
    let profile = LaunchTemplateIamInstanceProfileSpecificationRequest::builder();
    let data = RequestLaunchTemplateData::builder()
        .image_id("ami-12c6146b")
        .instance_type(InstanceType::T3Micro)
        .iam_instance_profile(profile.name("tunnel").build());
    let (world, clients) = (scene.cloud.world(), scene.cloud.clients());
    let version = world.add_version_of(clients, data.build()).await;
    version.expect("a version").to_string()
}
