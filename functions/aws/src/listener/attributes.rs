//! What the attributes of a load balancer and its listener say: how long a connection is kept on which nothing is said,
//! and whether the nodes send to the targets of every zone.

use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use ebbtide_rules::plan::{Balancer, Idle, IdleSource, LoadBalancer, Protocol};

use super::Listener;
use crate::CloudError;
use crate::error::Called;

/// An ALB's attribute, and what it is where it was never set (LoadBalancerAttribute's reference: "The default is 60").
const APPLICATION: (&str, u32) = ("idle_timeout.timeout_seconds", 60);
/// An NLB listener's attribute, and what it is where it was never set (ListenerAttribute's reference: "The default is
/// 350"). TCP and TCP_UDP listeners have it; of another one AWS refuses the very question.
const NETWORK: (&str, u32) = ("tcp.idle_timeout.seconds", 350);
/// What no attribute changes (NLB's user guide, "Connection idle timeout": 350 s for TLS, 120 s for UDP).
const TLS: (&str, u32) = ("TLS", 350);
const UDP: (&str, u32) = ("UDP", 120);
/// Off on an NLB where it was never set, always on for an ALB (LoadBalancerAttribute's reference).
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";

/// A listener's protocol; a word that this version does not know is kept as it is.
pub(super) fn protocol(protocol: Option<&ProtocolEnum>) -> Protocol {
    match protocol {
        Some(ProtocolEnum::Tcp) => Protocol::Tcp,
        Some(ProtocolEnum::Tls) => Protocol::Tls,
        Some(ProtocolEnum::Udp) => Protocol::Udp,
        Some(ProtocolEnum::TcpUdp) => Protocol::TcpUdp,
        other => Protocol::Other(other.map_or("unknown", ProtocolEnum::as_str).to_owned()),
    }
}

impl Listener {
    /// A load balancer of this kind, with what its attributes say.
    pub(super) async fn described(
        &self,
        arn: String,
        kind: LoadBalancer,
    ) -> Result<Balancer, CloudError> {
        let (idle, cross_zone) = match &kind {
            LoadBalancer::Application => {
                let set = self.of_balancer(&arn, APPLICATION.0).await?;
                (vec![settable(APPLICATION, set)], true)
            }
            LoadBalancer::Network(protocol) => {
                let crosses = self.of_balancer(&arn, CROSS_ZONE).await?;
                let idle = self.of_protocol(protocol).await?;
                (idle, crosses.as_deref() == Some("true"))
            }
            LoadBalancer::Unfit(_) => (Vec::new(), false),
        };
        Ok(Balancer {
            arn,
            kind,
            idle,
            cross_zone,
        })
    }

    async fn of_protocol(&self, protocol: &Protocol) -> Result<Vec<Idle>, CloudError> {
        Ok(match protocol {
            Protocol::Tcp => vec![settable(NETWORK, self.of_listener(NETWORK.0).await?)],
            Protocol::Tls => vec![fixed(TLS)],
            Protocol::Udp => vec![fixed(UDP)],
            Protocol::TcpUdp => {
                let set = self.of_listener(NETWORK.0).await?;
                vec![settable(NETWORK, set), fixed(UDP)]
            }
            Protocol::Other(_) => Vec::new(),
        })
    }

    async fn of_balancer(&self, arn: &str, key: &str) -> Result<Option<String>, CloudError> {
        let answer = self
            .client
            .describe_load_balancer_attributes()
            .load_balancer_arn(arn)
            .send()
            .await;
        let answer = answer.called(|| format!("DescribeLoadBalancerAttributes of {arn}"))?;
        let mut attributes = answer.attributes().iter();
        let found = attributes.find(|attribute| attribute.key() == Some(key));
        Ok(found.and_then(|attribute| attribute.value().map(str::to_owned)))
    }

    async fn of_listener(&self, key: &str) -> Result<Option<String>, CloudError> {
        let arn = self.listener_arn();
        let answer = self
            .client
            .describe_listener_attributes()
            .listener_arn(&arn)
            .send()
            .await;
        let answer = answer.called(|| format!("DescribeListenerAttributes of {arn}"))?;
        let mut attributes = answer.attributes().iter();
        let found = attributes.find(|attribute| attribute.key() == Some(key));
        Ok(found.and_then(|attribute| attribute.value().map(str::to_owned)))
    }
}

fn settable((attribute, default): (&'static str, u32), set: Option<String>) -> Idle {
    Idle {
        set_by: IdleSource::Attribute(attribute),
        seconds: set.and_then(|text| text.parse().ok()).unwrap_or(default),
    }
}

fn fixed((protocol, seconds): (&'static str, u32)) -> Idle {
    Idle {
        set_by: IdleSource::Protocol(protocol),
        seconds,
    }
}
