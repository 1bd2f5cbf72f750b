//! Target groups: what they are, who is in them and how healthy, and who joins and leaves.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    ProtocolEnum, TargetDescription, TargetGroupAttribute, TargetHealth, TargetHealthReasonEnum,
    TargetHealthStateEnum,
};
use ebbtide_rules::observed::Target;
use ebbtide_rules::shape::Environment;

use crate::CloudError;
use crate::error::Called;
use crate::once::once;

const CHUNK: usize = 100;

/// Reads and changes target groups.
#[derive(Debug, Clone)]
pub struct TargetGroups {
    client: Client,
}

/// What a target group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its ARN and name.
    pub environment: Environment,
    /// What its targets are: `instance`, `ip`, ….
    pub target_type: String,
    /// Whether `stickiness.enabled` is on.
    pub sticky: bool,
    /// The load balancers that send traffic to it, by ARN.
    pub load_balancers: Vec<String>,
    /// Whether the load balancer cuts the connections of an unhealthy target.
    pub cuts_unhealthy: bool,
    /// Whether it cuts those of a deregistered one when the delay ends.
    pub cuts_deregistered: bool,
}

/// Attributes of a target group and their defaults; source of all: TargetGroupAttribute's reference.
const STICKY: &str = "stickiness.enabled";
/// An NLB's, true where it was never set, and not to be had for UDP and TCP_UDP.
const CUTS_UNHEALTHY: &str = "target_health_state.unhealthy.connection_termination.enabled";
/// An NLB's, false where it was never set, but for UDP and TCP_UDP, where AWS sets it.
const CUTS_DEREGISTERED: &str = "deregistration_delay.connection_termination.enabled";

impl TargetGroups {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What one target group is.
    ///
    /// # Errors
    /// AWS's failure, a group that does not exist among them.
    pub async fn describe(&self, arn: &str) -> Result<Described, CloudError> {
        let operation = || format!("DescribeTargetGroups of {arn}");
        let answer = self
            .client
            .describe_target_groups()
            .target_group_arns(arn)
            .send()
            .await;
        let answer = answer.called(operation)?;
        let group = answer.target_groups().first();
        let group = group
            .ok_or_else(|| CloudError::unexpected(operation(), "there is no such target group"))?;
        let attributes = self.attributes(arn).await?;
        let on = |key: &str| {
            let mut set = attributes.iter().filter(|it| it.key() == Some(key));
            set.next()
                .map(|attribute| attribute.value() == Some("true"))
        };
        let of_network = matches!(
            group.protocol(),
            Some(ProtocolEnum::Tcp | ProtocolEnum::Tls)
        );
        Ok(Described {
            environment: Environment {
                target_group_arns: vec![arn.to_owned()],
                name: group.target_group_name().unwrap_or_default().to_owned(),
            },
            target_type: group
                .target_type()
                .map_or_else(|| "instance".to_owned(), |kind| kind.as_str().to_owned()),
            sticky: on(STICKY).unwrap_or(false),
            load_balancers: group.load_balancer_arns().to_vec(),
            cuts_unhealthy: on(CUTS_UNHEALTHY).unwrap_or(of_network),
            cuts_deregistered: on(CUTS_DEREGISTERED).unwrap_or(false),
        })
    }

    async fn attributes(&self, arn: &str) -> Result<Vec<TargetGroupAttribute>, CloudError> {
        let answer = self
            .client
            .describe_target_group_attributes()
            .target_group_arn(arn)
            .send()
            .await;
        let answer = answer.called(|| format!("DescribeTargetGroupAttributes of {arn}"))?;
        Ok(answer.attributes().to_vec())
    }

    /// The targets of a group, each instance once however many of its ports are registered.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn targets(&self, arn: &str) -> Result<Vec<Target>, CloudError> {
        let answer = self
            .client
            .describe_target_health()
            .target_group_arn(arn)
            .send()
            .await;
        let answer = answer.called(|| format!("DescribeTargetHealth of {arn}"))?;
        let mut targets: BTreeMap<String, Target> = BTreeMap::new();
        for description in answer.target_health_descriptions() {
            let Some(instance) = description.target().and_then(|target| target.id()) else {
                continue;
            };
            let target = read(instance, description.target_health());
            targets
                .entry(instance.to_owned())
                .and_modify(|known| merge(known, &target))
                .or_insert(target);
        }
        Ok(targets.into_values().collect())
    }

    /// Registers instances on the group's port.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn register(&self, arn: &str, instances: &[String]) -> Result<(), CloudError> {
        for chunk in instances.chunks(CHUNK) {
            let call = self
                .client
                .register_targets()
                .target_group_arn(arn)
                .set_targets(Some(descriptions(chunk)));
            once!(aws_sdk_elasticloadbalancingv2, call)
                .await
                .called(|| format!("RegisterTargets of {} in {arn}", chunk.join(", ")))?;
        }
        Ok(())
    }

    /// Deregisters instances, on every port; one that is not registered is no error (DeregisterTargets' reference).
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn deregister(&self, arn: &str, instances: &[String]) -> Result<(), CloudError> {
        for chunk in instances.chunks(CHUNK) {
            let call = self
                .client
                .deregister_targets()
                .target_group_arn(arn)
                .set_targets(Some(descriptions(chunk)));
            once!(aws_sdk_elasticloadbalancingv2, call)
                .await
                .called(|| format!("DeregisterTargets of {} in {arn}", chunk.join(", ")))?;
        }
        Ok(())
    }
}

fn descriptions(instances: &[String]) -> Vec<TargetDescription> {
    instances
        .iter()
        .map(|id| TargetDescription::builder().id(id).build())
        .collect()
}

fn read(instance: &str, health: Option<&TargetHealth>) -> Target {
    let state = health.and_then(TargetHealth::state);
    let reason = health.and_then(TargetHealth::reason);
    // `draining` is a deregistration under way. `unused` is more than one thing: a group in no rule, a stopped
    // instance (both registered), or a target that is not registered.
    let leaving = matches!(state, Some(TargetHealthStateEnum::Draining))
        || matches!(
            reason,
            Some(
                TargetHealthReasonEnum::NotRegistered
                    | TargetHealthReasonEnum::DeregistrationInProgress
            )
        );
    let words = [
        state.map(TargetHealthStateEnum::as_str),
        reason.map(TargetHealthReasonEnum::as_str),
        health.and_then(TargetHealth::description),
    ];
    Target {
        instance: instance.to_owned(),
        registered: !leaving,
        healthy: matches!(state, Some(TargetHealthStateEnum::Healthy)),
        state: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

/// Two ports of one instance: registered if either is, healthy only if every registered one is.
fn merge(known: &mut Target, other: &Target) {
    match (known.registered, other.registered) {
        (true, true) => known.healthy &= other.healthy,
        (false, true) => *known = other.clone(),
        (_, false) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(state: TargetHealthStateEnum, reason: Option<TargetHealthReasonEnum>) -> Target {
        read(
            "i-1",
            Some(
                &TargetHealth::builder()
                    .state(state)
                    .set_reason(reason)
                    .build(),
            ),
        )
    }

    #[test]
    fn only_leaving_targets_are_not_registered() {
        use TargetHealthReasonEnum as Reason;
        use TargetHealthStateEnum as State;
        assert!(target(State::Healthy, None).registered);
        assert!(target(State::Initial, Some(Reason::RegistrationInProgress)).registered);
        assert!(
            target(State::Unused, Some(Reason::NotInUse)).registered,
            "a group in no rule"
        );
        assert!(
            target(State::Unused, Some(Reason::InvalidState)).registered,
            "a stopped instance"
        );
        assert!(!target(State::Draining, Some(Reason::DeregistrationInProgress)).registered);
        assert!(!target(State::Unused, Some(Reason::NotRegistered)).registered);
        assert!(
            read("i-1", None).registered,
            "no word about its health is no word about its leaving"
        );
    }

    #[test]
    fn an_instance_is_as_healthy_as_its_worst_port() {
        let healthy = target(TargetHealthStateEnum::Healthy, None);
        let sick = target(TargetHealthStateEnum::Unhealthy, None);
        let leaving = target(TargetHealthStateEnum::Draining, None);
        let merged = |mut one: Target, other: &Target| {
            merge(&mut one, other);
            (one.registered, one.healthy)
        };
        assert_eq!(merged(healthy.clone(), &sick), (true, false));
        assert_eq!(merged(healthy.clone(), &leaving), (true, true));
        assert_eq!(merged(leaving, &healthy), (true, true));
    }
}
