//! How long the load balancer keeps a connection on which nothing is said.

use ebbtide_rules::plan::{Idle, LoadBalancer};

use super::Listener;
use crate::CloudError;
use crate::error::Called;

/// An ALB's attribute, and what it is where it was never set (LoadBalancerAttribute's reference: "The default is 60").
const APPLICATION: (&str, u32) = ("idle_timeout.timeout_seconds", 60);
/// An NLB listener's attribute, and what it is where it was never set (ListenerAttribute's reference: "The default is
/// 350"). A TLS listener has no such attribute and the same time-out, fixed (NLB's user guide, "update the TCP idle
/// timeout").
const NETWORK: (&str, u32) = ("tcp.idle_timeout.seconds", 350);

impl Listener {
    /// The idle time-out of this listener's connections; none for a load balancer that has none.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn idle(
        &self,
        load_balancer: &str,
        kind: &LoadBalancer,
    ) -> Result<Option<Idle>, CloudError> {
        let ((attribute, default), set) = match kind {
            LoadBalancer::Application => (APPLICATION, self.of_balancer(load_balancer).await?),
            LoadBalancer::Network => (NETWORK, self.of_listener().await?),
            LoadBalancer::Unfit(_) => return Ok(None),
        };
        Ok(Some(Idle {
            attribute,
            seconds: set.and_then(|text| text.parse().ok()).unwrap_or(default),
        }))
    }

    async fn of_balancer(&self, arn: &str) -> Result<Option<String>, CloudError> {
        let answer = self
            .client
            .describe_load_balancer_attributes()
            .load_balancer_arn(arn)
            .send()
            .await;
        let answer = answer.called(|| format!("DescribeLoadBalancerAttributes of {arn}"))?;
        let mut attributes = answer.attributes().iter();
        let found = attributes.find(|attribute| attribute.key() == Some(APPLICATION.0));
        Ok(found.and_then(|attribute| attribute.value().map(str::to_owned)))
    }

    async fn of_listener(&self) -> Result<Option<String>, CloudError> {
        let arn = self.listener_arn();
        let answer = self
            .client
            .describe_listener_attributes()
            .listener_arn(&arn)
            .send()
            .await;
        let answer = answer.called(|| format!("DescribeListenerAttributes of {arn}"))?;
        let mut attributes = answer.attributes().iter();
        let found = attributes.find(|attribute| attribute.key() == Some(NETWORK.0));
        Ok(found.and_then(|attribute| attribute.value().map(str::to_owned)))
    }
}
