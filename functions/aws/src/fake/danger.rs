//! What the fake has of what a preflight looks for: attributes, protected and Spot instances, Auto Scaling groups.

#[cfg(feature = "instances")]
pub(super) mod instances;

use aws_sdk_elasticloadbalancingv2::operation::describe_listener_attributes::{
    DescribeListenerAttributesError, DescribeListenerAttributesInput,
    DescribeListenerAttributesOutput,
};
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancer_attributes::{
    DescribeLoadBalancerAttributesError, DescribeLoadBalancerAttributesInput,
    DescribeLoadBalancerAttributesOutput,
};
use aws_sdk_elasticloadbalancingv2::types::{
    ListenerAttribute, LoadBalancerAttribute, ProtocolEnum,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;

#[cfg(feature = "instances")]
use ebbtide_rules::plan::Fleet;

use super::World;
use super::answer::{Acted, Answer, operation};

/// Attributes by key, as AWS spells both.
pub type Attributes = Vec<(&'static str, &'static str)>;

/// Everything that may cut sessions or outlive a deployment; nothing of it at first.
#[derive(Debug, Clone, Default)]
pub struct Dangers {
    /// The load balancer's attributes.
    pub load_balancer: Attributes,
    /// The listener's.
    pub listener: Attributes,
    /// Its protocol, where it is not HTTP or TCP.
    pub protocol: Option<ProtocolEnum>,
    /// Those of every target group.
    pub groups: Attributes,
    /// The port of their health checks, where it is not `traffic-port`.
    pub health_port: Option<&'static str>,
    /// Other load balancers that send traffic to a group of the service.
    pub other_balancers: Vec<String>,
    /// Instances with termination protection.
    pub protected: Vec<String>,
    /// Spot instances.
    pub spot: Vec<String>,
    /// Those of them whose request is persistent.
    pub persistent: Vec<String>,
    /// The settings of every Auto Scaling group; its tags and its name are in [`World::scaling`].
    #[cfg(feature = "instances")]
    pub fleet: Fleet,
}

impl Dangers {
    /// None of it.
    pub(super) fn none() -> Self {
        Self {
            #[cfg(feature = "instances")]
            fleet: super::fleet::sound(),
            ..Self::default()
        }
    }
}

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    let error = DescribeLoadBalancerAttributesError::generic;
    operation(
        world,
        input,
        "DescribeLoadBalancerAttributes",
        error,
        of_balancer,
    )
    .or_else(|| {
        let error = DescribeListenerAttributesError::generic;
        operation(
            world,
            input,
            "DescribeListenerAttributes",
            error,
            of_listener,
        )
    })
}

fn of_balancer(
    world: &mut World,
    _: &DescribeLoadBalancerAttributesInput,
) -> Acted<DescribeLoadBalancerAttributesOutput> {
    let attribute = |(key, value): &(&str, &str)| {
        LoadBalancerAttribute::builder()
            .key(*key)
            .value(*value)
            .build()
    };
    let attributes = world.dangers.load_balancer.iter().map(attribute).collect();
    Ok(DescribeLoadBalancerAttributesOutput::builder()
        .set_attributes(Some(attributes))
        .build())
}

fn of_listener(
    world: &mut World,
    _: &DescribeListenerAttributesInput,
) -> Acted<DescribeListenerAttributesOutput> {
    // TLS and UDP listeners have none, and AWS refuses the question.
    if let Some(protocol @ (ProtocolEnum::Tls | ProtocolEnum::Udp)) = &world.dangers.protocol {
        let words = format!("no attributes of a listener that speaks {protocol}");
        return Err(("InvalidConfigurationRequest", words));
    }
    let attribute =
        |(key, value): &(&str, &str)| ListenerAttribute::builder().key(*key).value(*value).build();
    let attributes = world.dangers.listener.iter().map(attribute).collect();
    Ok(DescribeListenerAttributesOutput::builder()
        .set_attributes(Some(attributes))
        .build())
}
