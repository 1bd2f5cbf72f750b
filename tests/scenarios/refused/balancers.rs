//! A Network Load Balancer with a TLS listener, of which AWS answers no attributes, then with one of TCP; and whose zones
//! leave DNS.

use aws_sdk_elasticloadbalancingv2::types::{
    Certificate, LoadBalancerTypeEnum, ProtocolEnum, TargetGroupAttribute,
};
use serde_json::json;

use super::{planned, refused};
use crate::groups::{all_serve, forward, group, has_blue};
use crate::scene::Scene;

const DNS_COUNT: &str = "target_group_health.dns_failover.minimum_healthy_targets.count";

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_listener_is_planned_for_once_its_zones_stay_in_dns() {
    // Given blue's servers behind a TLS listener, in groups as AWS makes them
    let mut scene = Scene::of_three_blue_servers().await;
    let groups = [group(&scene, "tls-a").await, group(&scene, "tls-b").await];
    has_blue(&scene, &groups[0]).await;
    let balancer = balancer(&scene).await;
    let listener = tls(&scene, &balancer, &groups[0]).await;
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
    // And so it is behind a TCP listener, of which AWS answers the attributes
    let elb = &scene.cloud.clients().elb;
    let deleting = elb.delete_listener().listener_arn(&listener);
    deleting.send().await.expect("deleted");
    let listener = tcp(&scene, &balancer, &groups[0]).await;
    let update = [("ListenerArn", listener.as_str())];
    scene.cloud.update(&update).await.expect("an update");
    planned(&scene, &json!({})).await;
    scene.ends().await;
}

async fn balancer(scene: &Scene) -> String {
    let elb = &scene.cloud.clients().elb;
    let making = elb
        .create_load_balancer()
        .name("tunnel-tls")
        .r#type(LoadBalancerTypeEnum::Network)
        .set_subnets(Some(scene.cloud.world().subnets.clone()));
    let made = making.send().await.expect("a load balancer");
    let arn = made.load_balancers()[0].load_balancer_arn();
    arn.expect("an ARN").to_owned()
}

async fn tcp(scene: &Scene, balancer: &str, group: &str) -> String {
    let elb = &scene.cloud.clients().elb;
    let making = elb
        .create_listener()
        .load_balancer_arn(balancer)
        .protocol(ProtocolEnum::Tcp)
        .port(80)
        .default_actions(forward(group));
    let made = making.send().await.expect("a listener");
    let arn = made.listeners()[0].listener_arn();
    arn.expect("an ARN").to_owned()
}

async fn tls(scene: &Scene, balancer: &str, group: &str) -> String {
    let elb = &scene.cloud.clients().elb;
    let certificate = "arn:aws:iam::123456789012:server-certificate/tunnel";
    let certificate = Certificate::builder().certificate_arn(certificate);
    let making = elb
        .create_listener()
        .load_balancer_arn(balancer)
        .protocol(ProtocolEnum::Tls)
        .port(443)
        .certificates(certificate.build())
        .default_actions(forward(group));
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
