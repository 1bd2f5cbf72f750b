//! A Network Load Balancer with a TLS listener, of which AWS answers no attributes, and whose zones leave DNS.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, ForwardActionConfig, LoadBalancerTypeEnum, ProtocolEnum,
    TargetDescription, TargetGroupAttribute, TargetGroupTuple,
};
use serde_json::json;

use super::{planned, refused};
use crate::scene::Scene;

const DNS_COUNT: &str = "target_group_health.dns_failover.minimum_healthy_targets.count";

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_listener_is_planned_for_once_its_zones_stay_in_dns() {
    // Given blue's servers behind a TLS listener, in groups as AWS makes them
    let mut scene = Scene::of_three_blue_servers().await;
    let groups = [group(&scene, "tls-a").await, group(&scene, "tls-b").await];
    let listener = listener(&scene, &groups[0]).await;
    all_serve(&scene, &groups[0]).await;
    let update = [
        ("ListenerArn", listener.as_str()),
        ("TargetGroupArns", &groups.join(",")),
    ];
    scene.cloud.update(&update).await.expect("an update");
    // Then a deployment, in which a group is empty for a while, is refused for that alone
    refused(&scene, &json!({}), "leaves the load balancer's DNS").await;
    // And is planned once an empty group does no harm
    for arn in &groups {
        let off = TargetGroupAttribute::builder().key(DNS_COUNT).value("off");
        let elb = &scene.cloud.clients().elb;
        let call = elb.modify_target_group_attributes().target_group_arn(arn);
        call.attributes(off.build()).send().await.expect("set");
    }
    planned(&scene, &json!({})).await;
    scene.ends().await;
}

async fn group(scene: &Scene, name: &str) -> String {
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

async fn listener(scene: &Scene, group: &str) -> String {
    let elb = &scene.cloud.clients().elb;
    let targets = scene.blue().iter();
    let targets = targets.map(|id| TargetDescription::builder().id(id).build());
    let call = elb.register_targets().target_group_arn(group);
    let registered = call.set_targets(Some(targets.collect())).send().await;
    registered.expect("registered");
    let making = elb
        .create_load_balancer()
        .name("tunnel-tls")
        .r#type(LoadBalancerTypeEnum::Network)
        .set_subnets(Some(scene.cloud.world().subnets.clone()));
    let made = making.send().await.expect("a load balancer");
    let balancer = made.load_balancers()[0].load_balancer_arn();
    let tuple = TargetGroupTuple::builder()
        .target_group_arn(group)
        .weight(100);
    let forward = ForwardActionConfig::builder().target_groups(tuple.build());
    let action = Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .forward_config(forward.build())
        .build();
    let certificate = "arn:aws:iam::123456789012:server-certificate/tunnel";
    let certificate = Certificate::builder().certificate_arn(certificate);
    let making = elb
        .create_listener()
        .load_balancer_arn(balancer.expect("an ARN"))
        .protocol(ProtocolEnum::Tls)
        .port(443)
        .certificates(certificate.build())
        .default_actions(action);
    let made = making.send().await.expect("a listener");
    let arn = made.listeners()[0]
        .listener_arn()
        .expect("an ARN")
        .to_owned();
    // What a plan that asked for its attributes would meet with
    let asking = elb.describe_listener_attributes().listener_arn(&arn);
    let refused = asking.send().await.expect_err("TLS has none");
    let code = refused.into_service_error();
    assert_eq!(code.meta().code(), Some("InvalidConfigurationRequest"));
    arn
}

/// Given that all targets of a group are healthy.
async fn all_serve(scene: &Scene, group: &str) {
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
