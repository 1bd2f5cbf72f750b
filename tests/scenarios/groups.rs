//! Given target groups besides those that every service has, with blue's servers in one of them.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, ProtocolEnum, TargetDescription, TargetGroupTuple,
};

use crate::scene::Scene;

/// Given an empty target group of this name; returns its ARN.
pub(crate) async fn group(scene: &Scene, name: &str) -> String {
    let elb = &scene.cloud.clients().elb;
    let (world, port) = (scene.cloud.world(), scene.cloud.service_port());
    let described = elb.describe_target_groups().target_group_arns(&world.a.arn);
    let described = described.send().await.expect("blue's group");
    let vpc = described.target_groups()[0].vpc_id().expect("a network");
    let making = elb
        .create_target_group()
        .name(name)
        .protocol(ProtocolEnum::Tcp)
        .port(i32::from(port))
        .vpc_id(vpc)
        .health_check_interval_seconds(5)
        .health_check_timeout_seconds(2);
    let made = making.send().await.expect("a group");
    let arn = made.target_groups()[0].target_group_arn();
    arn.expect("an ARN").to_owned()
}

/// Given that blue's servers are targets of this group.
pub(crate) async fn has_blue(scene: &Scene, group: &str) {
    let targets = scene.blue().iter();
    let targets = targets.map(|id| TargetDescription::builder().id(id).build());
    let elb = &scene.cloud.clients().elb;
    let call = elb.register_targets().target_group_arn(group);
    let registered = call.set_targets(Some(targets.collect())).send().await;
    registered.expect("registered");
}

/// An action that forwards to this group alone.
pub(crate) fn forward(group: &str) -> Action {
    let tuple = TargetGroupTuple::builder()
        .target_group_arn(group)
        .weight(100);
    let forward = ForwardActionConfig::builder().target_groups(tuple.build());
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .forward_config(forward.build())
        .build()
}

/// Given that all three targets of a group are healthy.
pub(crate) async fn all_serve(scene: &Scene, group: &str) {
    scene
        .then("three healthy targets", || async {
            let elb = &scene.cloud.clients().elb;
            let asking = elb.describe_target_health().target_group_arn(group);
            let answer = asking.send().await.expect("their health");
            let states = answer.target_health_descriptions().iter();
            let states: Vec<_> = states
                .filter_map(|it| it.target_health()?.state())
                .map(|state| state.as_str().to_owned())
                .collect();
            Ok(if states == ["healthy"; 3] {
                Ok(())
            } else {
                Err(format!("{states:?}"))
            })
        })
        .await;
}
