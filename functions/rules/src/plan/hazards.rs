//! What AWS itself may do to sessions and servers during a deployment: cut connections, protected instances, instances
//! that somebody else ends or brings back.
//!
//! Refuses what would cut sessions or leave the deployment without an end for certain; warns of what may.

use super::refusal::named;
use super::{Environment, Fleet, FleetFault, Group, Observation, Refusal};

/// What may end blue's instances, or keep them from being ended, apart from Ebbtide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hazards {
    /// Instances with termination protection.
    pub protected: Vec<String>,
    /// Instances whose protection could not be read, because AWS asked for fewer calls.
    pub unread: Vec<String>,
    /// Spot instances.
    pub spot: Vec<String>,
    /// Those of them whose request is persistent: it brings back what is ended.
    pub persistent: Vec<String>,
    /// Instances without a private IPv4 address: nobody can ask them for their sessions.
    pub no_address: Vec<String>,
    /// Auto Scaling groups of blue's: its environment's own, and whichever else has a server of it.
    pub fleets: Vec<Fleet>,
    /// Green's own.
    pub green_fleet: Option<Fleet>,
}

/// Servers that could never be ended: a deployment would wait for them for good, this one or the next.
pub(super) fn refuse(hazards: &Hazards) -> Vec<Refusal> {
    let some = |names: &Vec<String>, refusal: fn(Vec<String>) -> Refusal| {
        (!names.is_empty()).then(|| refusal(names.clone()))
    };
    [
        some(&hazards.protected, Refusal::Protected),
        some(&hazards.persistent, Refusal::PersistentSpot),
        some(&hazards.no_address, Refusal::NoAddress),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Auto Scaling groups that would cut sessions, could not launch green, or not be emptied.
pub(super) fn refuse_fleets(
    seen: &Observation,
    blue: &Environment,
    green: &Environment,
) -> Vec<Refusal> {
    let wanted = seen.configured_template.as_deref();
    let Hazards {
        fleets,
        green_fleet,
        ..
    } = &seen.hazards;
    let blues = fleets.iter().map(|it| (it, it.faults_of_blue(blue)));
    let greens = green_fleet
        .iter()
        .map(|it| (it, it.faults_of_green(green, wanted)));
    let unfit = |(fleet, faults): (&Fleet, Vec<FleetFault>)| {
        let name = fleet.name.clone();
        faults.into_iter().map(move |fault| Refusal::FleetUnfit {
            fleet: name.clone(),
            fault,
        })
    };
    blues.chain(greens).flat_map(unfit).collect()
}

/// What may cut sessions, and does not stop the deployment.
pub(super) fn warnings(seen: &Observation) -> Vec<String> {
    let mut warnings = Vec::new();
    if seen.is_network() {
        warnings.push(
            "a Network Load Balancer ends the connections of a target group within an hour of its leaving the action: \
             blue stays in it at weight 0 until it is empty, do not remove it by hand; of connections at weight 0 AWS's \
             guide says both that they continue and that they are closed after a short time: try it on yours once, as \
             docs/load-balancers.md says"
                .to_owned(),
        );
    }
    warnings.extend(seen.groups.iter().flat_map(of_group));
    warnings.extend(of_instances(&seen.hazards));
    warnings
}

fn of_group(group: &Group) -> Vec<String> {
    let name = group.name();
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
    let fleets = hazards.fleets.iter().chain(&hazards.green_fleet);
    warnings.extend(fleets.flat_map(Fleet::warnings));
    warnings
}
