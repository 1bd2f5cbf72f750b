//! Target groups: what they are, who is in them and how healthy, and who joins and leaves.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    ProtocolEnum, TargetDescription, TargetGroupAttribute, TargetHealth, TargetHealthReasonEnum,
    TargetHealthStateEnum,
};
use ebbtide_rules::observed::{GroupTargets, Target};
use ebbtide_rules::plan::Group;
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

/// Attributes of a target group and their defaults; source of all: TargetGroupAttribute's reference.
const STICKY: &str = "stickiness.enabled";
/// An NLB's, true where it was never set, and not to be had for UDP and TCP_UDP.
const CUTS_UNHEALTHY: &str = "target_health_state.unhealthy.connection_termination.enabled";
/// An NLB's, false where it was never set, but for UDP and TCP_UDP, where AWS sets it.
const CUTS_DEREGISTERED: &str = "deregistration_delay.connection_termination.enabled";
/// `true`, `false`, or `use_load_balancer_configuration`, which it is where it was never set.
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
/// How many healthy targets keep a zone in DNS: a number or `off`, 1 where it was never set; and the same as a share,
/// `off` where it was never set.
const DNS_COUNT: &str = "target_group_health.dns_failover.minimum_healthy_targets.count";
const DNS_PERCENTAGE: &str = "target_group_health.dns_failover.minimum_healthy_targets.percentage";

impl TargetGroups {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What one target group is, without its targets.
    ///
    /// # Errors
    /// AWS's failure, a group that does not exist among them.
    pub async fn describe(&self, arn: &str) -> Result<Group, CloudError> {
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
        let set = |key: &str| {
            let mut set = attributes.iter().filter(|it| it.key() == Some(key));
            set.next().and_then(|attribute| attribute.value())
        };
        let on = |key: &str| set(key).map(|value| value == "true");
        let off = |key: &str, default: &str| set(key).unwrap_or(default) == "off";
        let of_network = matches!(
            group.protocol(),
            Some(ProtocolEnum::Tcp | ProtocolEnum::Tls)
        );
        Ok(Group {
            arn: arn.to_owned(),
            target_type: group
                .target_type()
                .map_or_else(|| "instance".to_owned(), |kind| kind.as_str().to_owned()),
            sticky: on(STICKY).unwrap_or(false),
            load_balancers: group.load_balancer_arns().to_vec(),
            cuts_unhealthy: on(CUTS_UNHEALTHY).unwrap_or(of_network),
            cuts_deregistered: on(CUTS_DEREGISTERED).unwrap_or(false),
            cross_zone: set(CROSS_ZONE).and_then(|value| value.parse().ok()),
            leaves_dns: !(off(DNS_COUNT, "1") && off(DNS_PERCENTAGE, "off")),
            port: port(group.port()).unwrap_or_default(),
            // A number, or `traffic-port`: TargetGroup's reference.
            health_port: group.health_check_port().and_then(|it| it.parse().ok()),
            targets: Vec::new(),
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
            let described = description.target();
            let Some(target) = described.and_then(|it| read(it, description.target_health()))
            else {
                continue;
            };
            targets
                .entry(target.instance.clone())
                .and_modify(|known| merge(known, &target))
                .or_insert(target);
        }
        Ok(targets.into_values().collect())
    }

    /// The targets of each of an environment's groups.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn of(&self, environment: &Environment) -> Result<Vec<GroupTargets>, CloudError> {
        let mut groups = Vec::new();
        for arn in &environment.target_group_arns {
            groups.push(GroupTargets {
                target_group_arn: arn.clone(),
                targets: self.targets(arn).await?,
            });
        }
        Ok(groups)
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

    /// Deregisters targets, on every port that they have: without one only the group's own is meant
    /// (DeregisterTargets' reference). One that is not registered is no error.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn deregister(&self, arn: &str, targets: &[Target]) -> Result<(), CloudError> {
        let descriptions: Vec<TargetDescription> = targets.iter().flat_map(on_its_ports).collect();
        for chunk in descriptions.chunks(CHUNK) {
            let call = self
                .client
                .deregister_targets()
                .target_group_arn(arn)
                .set_targets(Some(chunk.to_vec()));
            let ids = || chunk.iter().filter_map(|it| it.id()).collect::<Vec<_>>();
            once!(aws_sdk_elasticloadbalancingv2, call)
                .await
                .called(|| format!("DeregisterTargets of {} in {arn}", ids().join(", ")))?;
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

fn on_its_ports(target: &Target) -> Vec<TargetDescription> {
    let on = |port: &u16| {
        TargetDescription::builder()
            .id(&target.instance)
            .port(i32::from(*port))
            .build()
    };
    if target.ports.is_empty() {
        return descriptions(std::slice::from_ref(&target.instance));
    }
    target.ports.iter().map(on).collect()
}

fn port(port: Option<i32>) -> Option<u16> {
    port.and_then(|port| u16::try_from(port).ok())
}

fn read(target: &TargetDescription, health: Option<&TargetHealth>) -> Option<Target> {
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
    Some(Target {
        instance: target.id()?.to_owned(),
        registered: !leaving,
        healthy: matches!(state, Some(TargetHealthStateEnum::Healthy)),
        state: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
        ports: port(target.port()).into_iter().collect(),
    })
}

/// Two ports of one instance: registered if either is, healthy only if every registered one is.
fn merge(known: &mut Target, other: &Target) {
    match (known.registered, other.registered) {
        (true, true) => {
            known.healthy &= other.healthy;
            known.ports.extend(&other.ports);
            known.ports.sort_unstable();
        }
        (false, true) => *known = other.clone(),
        (_, false) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(state: TargetHealthStateEnum, reason: Option<TargetHealthReasonEnum>) -> Target {
        let health = TargetHealth::builder().state(state).set_reason(reason);
        on(80, Some(&health.build()))
    }

    fn on(port: i32, health: Option<&TargetHealth>) -> Target {
        let described = TargetDescription::builder().id("i-1").port(port).build();
        read(&described, health).unwrap()
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
            on(80, None).registered,
            "no word about its health is no word about its leaving"
        );
    }

    #[test]
    fn a_target_leaves_by_the_ports_that_it_is_registered_on() {
        let healthy = TargetHealth::builder().state(TargetHealthStateEnum::Healthy);
        let healthy = healthy.build();
        let mut both = on(8081, Some(&healthy));
        merge(&mut both, &on(8080, Some(&healthy)));
        let left = target(TargetHealthStateEnum::Draining, None);
        merge(&mut both, &left);
        assert_eq!(both.ports, [8080, 8081]);
        let ports = |target: &Target| -> Vec<Option<i32>> {
            let described = on_its_ports(target);
            described.iter().map(TargetDescription::port).collect()
        };
        assert_eq!(ports(&both), [Some(8080), Some(8081)]);
        both.ports.clear();
        assert_eq!(ports(&both), [None], "the group's own");
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
