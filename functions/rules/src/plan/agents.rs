//! What of the load balancer speaks against servers that an agent reports for: what such a server demands of its groups.
//!
//! Which servers have an agent is not known before they are asked, so this is decided at the plan and demanded by the
//! tests of blue and green.

use super::{Group, Observation};

/// A sentence for each demand that is not met, with the groups; none where agents are welcome.
pub(super) fn against(seen: &Observation) -> Vec<String> {
    let served = |group: &&Group| match group.health_port {
        None => true,
        Some(asked) => seen.groups.iter().any(|it| it.port == asked),
    };
    let groups = |which: &dyn Fn(&&Group) -> bool| {
        let names: Vec<String> = seen.groups.iter().filter(which).map(Group::name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    // A connection of the health check is a session to the agent, and no seal is given while one is open.
    let spoils_seals = groups(&served).map(|names| {
        format!("set HealthCheckPort to the agent's port, which serves nobody, in {names}")
    });
    // The agent resets new connections; an NLB's passive health checks may judge that, and cannot be switched off.
    let cuts = groups(&|group| group.cuts_unhealthy).map(|names| {
        format!("turn target_health_state.unhealthy.connection_termination.enabled off in {names}")
    });
    [spoils_seals, cuts].into_iter().flatten().collect()
}
