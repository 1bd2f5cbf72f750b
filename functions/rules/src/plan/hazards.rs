//! What AWS itself may do to sessions and servers during a deployment: idle time-outs, cut connections, protected
//! instances, instances that somebody else ends.
//!
//! Refuses what would cut sessions or leave the deployment without an end for certain; warns of what may.

use super::refusal::named;
use super::{Group, LoadBalancer, Observation, Refusal};

/// How long the load balancer keeps a silent connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    /// The attribute that says so.
    pub attribute: &'static str,
    /// Its value.
    pub seconds: u32,
}

/// What may end blue's instances, or keep them from being ended, apart from Ebbtide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hazards {
    /// Instances with termination protection.
    pub protected: Vec<String>,
    /// Instances whose protection could not be read, because AWS asked for fewer calls.
    pub unread: Vec<String>,
    /// Spot instances.
    pub spot: Vec<String>,
    /// Auto Scaling groups of blue's that replace their instances after so many seconds.
    pub lifetimes: Vec<(String, u32)>,
}

/// What stands against the deployment whichever group is blue.
pub(super) fn refuse_load_balancer(seen: &Observation, ping_seconds: u32) -> Vec<Refusal> {
    let silent = seen
        .idle
        .iter()
        .filter(|idle| idle.seconds <= ping_seconds)
        .map(|idle| Refusal::IdleTimeout {
            attribute: idle.attribute,
            idle_seconds: idle.seconds,
            ping_seconds,
        });
    let mut refusals: Vec<Refusal> = silent.collect();
    for group in &seen.groups {
        let others = group
            .load_balancers
            .iter()
            .filter(|balancer| **balancer != seen.load_balancer_arn);
        refusals.extend(others.map(|balancer| Refusal::ServesAnother {
            group: group.environment.name.clone(),
            load_balancer: balancer.clone(),
        }));
    }
    refusals
}

/// Servers that could never be ended: a deployment would wait for them for good, this one or the next.
pub(super) fn refuse_protection(seen: &Observation) -> Vec<Refusal> {
    let protected = &seen.hazards.protected;
    let mut refusals = Vec::new();
    if !protected.is_empty() {
        refusals.push(Refusal::Protected(protected.clone()));
    }
    if let (Some(version), true) = (&seen.launch_template_version, seen.template_protects) {
        refusals.push(Refusal::TemplateProtects {
            template: seen.launch_template_id.clone(),
            version: version.clone(),
        });
    }
    refusals
}

/// What may cut sessions, and does not stop the deployment.
pub(super) fn warnings(seen: &Observation) -> Vec<String> {
    let mut warnings = Vec::new();
    if seen.load_balancer == LoadBalancer::Network {
        warnings.push(
            "a Network Load Balancer ends the connections of a target group within an hour of its leaving the action: \
             blue stays in it at weight 0 until it is empty, do not remove it by hand; what AWS does to connections at \
             weight 0 is not documented"
                .to_owned(),
        );
    }
    warnings.extend(seen.groups.iter().flat_map(of_group));
    warnings.extend(of_instances(&seen.hazards));
    if seen.template_spot {
        warnings.push(
            "green would be Spot instances: AWS ends them with two minutes' notice, busy or not"
                .to_owned(),
        );
    }
    warnings
}

fn of_group(group: &Group) -> Vec<String> {
    let name = &group.environment.name;
    let mut warnings = Vec::new();
    if group.cuts_unhealthy {
        warnings.push(format!(
            "the load balancer cuts the connections of a server in {name} that becomes unhealthy: turn \
             target_health_state.unhealthy.connection_termination.enabled off"
        ));
    }
    if group.cuts_deregistered {
        warnings.push(format!(
            "the load balancer cuts the connections of a server that is deregistered from {name}; Ebbtide deregisters \
             only empty ones, but whoever else does it cuts sessions: turn \
             deregistration_delay.connection_termination.enabled off"
        ));
    }
    warnings
}

fn of_instances(hazards: &Hazards) -> Vec<String> {
    let mut warnings = Vec::new();
    if !hazards.unread.is_empty() {
        warnings.push(format!(
            "AWS asked for fewer calls before the termination protection of {} of blue's instances was read: if it is \
             on, the deployment fails when it ends them, and a redrive goes on once it is off",
            hazards.unread.len()
        ));
    }
    if !hazards.spot.is_empty() {
        warnings.push(format!(
            "blue has {} Spot instances, which AWS ends with two minutes' notice, busy or not: {}",
            hazards.spot.len(),
            named(&hazards.spot)
        ));
    }
    for (group, seconds) in &hazards.lifetimes {
        warnings.push(format!(
            "Auto Scaling group {group} replaces its instances after {seconds} s, busy or not: clear its maximum \
             instance lifetime"
        ));
    }
    warnings
}
