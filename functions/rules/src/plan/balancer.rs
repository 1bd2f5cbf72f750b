//! The load balancer as the preflight sees it: its kind, the listener's protocol, and what follows from them.
//!
//! Refuses a listener that a deployment cannot serve, one that cuts a silent session, and groups whose emptiness would
//! take zones out of DNS: during every deployment one of them is empty for a while.

use super::{Group, Observation, Refusal};

/// The load balancer that carries the service's traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    /// Its ARN.
    pub arn: String,
    /// Its kind.
    pub kind: LoadBalancer,
    /// How long it keeps a silent connection: one for each protocol of the listener, none where nothing says so.
    pub idle: Vec<Idle>,
    /// Whether its nodes send to the targets of every zone, where a target group says nothing else.
    pub cross_zone: bool,
}

/// The load balancer's kind, which decides how long it keeps sending sessions to blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadBalancer {
    /// Application is when it is an ALB.
    Application,
    /// Network is when it is an NLB; its listener's protocol.
    Network(Protocol),
    /// Unfit is when it is anything else; its name.
    Unfit(String),
}

/// What an NLB's listener speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// TLS, ended at the load balancer.
    Tls,
    /// UDP.
    Udp,
    /// TCP and UDP on one port.
    TcpUdp,
    /// Anything else; its name.
    Other(String),
}

/// How long the load balancer keeps a silent connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    /// Who says so.
    pub set_by: IdleSource,
    /// The time-out.
    pub seconds: u32,
}

/// Who says how long a silent connection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleSource {
    /// An attribute that an operator can set; its name.
    Attribute(&'static str),
    /// AWS, for every listener of a protocol; its name.
    Protocol(&'static str),
}

/// How many targets an NLB takes in all with cross-zone load balancing on ("Quotas for your Network Load Balancers").
const MOST_NETWORK_TARGETS: usize = 500;
/// How many an ALB takes in all before its quota is raised ("Quotas for your Application Load Balancers").
const USUAL_APPLICATION_TARGETS: usize = 1000;

/// What stands against the deployment whichever group is blue.
pub(super) fn refuse(seen: &Observation, ping_seconds: u32) -> Vec<Refusal> {
    let balancer = &seen.balancer;
    let kind = match &balancer.kind {
        LoadBalancer::Unfit(kind) => Some(Refusal::LoadBalancerUnfit(kind.clone())),
        LoadBalancer::Network(Protocol::Other(protocol)) => {
            Some(Refusal::ProtocolUnfit(protocol.clone()))
        }
        LoadBalancer::Application | LoadBalancer::Network(_) => None,
    };
    let silent = balancer.idle.iter().filter(|it| it.seconds <= ping_seconds);
    let silent = silent.map(|idle| Refusal::IdleTimeout {
        set_by: idle.set_by,
        idle_seconds: idle.seconds,
        ping_seconds,
    });
    let another = seen.groups.iter().flat_map(|group| {
        let others = group.load_balancers.iter();
        others
            .filter(|other| **other != balancer.arn)
            .map(|other| Refusal::ServesAnother {
                group: group.environment.name.clone(),
                load_balancer: other.clone(),
            })
    });
    let mut refusals: Vec<Refusal> = kind.into_iter().chain(silent).chain(another).collect();
    refusals.extend(refuse_dns(seen));
    refusals
}

/// A zone in which a group of the action, at weight 0 too, has no healthy target leaves the load balancer's DNS, unless
/// its nodes reach the targets of other zones ("Health checks for Network Load Balancer target groups"; the same
/// attributes are an ALB's, which crosses zones unless a group says otherwise).
fn refuse_dns(seen: &Observation) -> Option<Refusal> {
    let leaving = |group: &&Group| group.leaves_dns && !crosses_zones(group, &seen.balancer);
    let groups: Vec<String> = seen
        .groups
        .iter()
        .filter(leaving)
        .map(|group| group.environment.name.clone())
        .collect();
    (!groups.is_empty()).then_some(Refusal::ZonesLeaveDns(groups))
}

/// More targets than the load balancer takes, green's among them: registering green would fail half-way.
pub(super) fn refuse_targets(seen: &Observation, count: u32) -> Option<Refusal> {
    let crosses = |group: &Group| crosses_zones(group, &seen.balancer);
    let network = matches!(seen.balancer.kind, LoadBalancer::Network(_));
    let targets = targets(seen, count);
    let over = network && targets > MOST_NETWORK_TARGETS && seen.groups.iter().any(crosses);
    over.then_some(Refusal::TooManyTargets {
        targets,
        most: MOST_NETWORK_TARGETS,
    })
}

/// A quota that may have been raised stops nothing.
pub(super) fn warn_of_targets(seen: &Observation, count: u32) -> Option<String> {
    let targets = targets(seen, count);
    let application = seen.balancer.kind == LoadBalancer::Application;
    (application && targets > USUAL_APPLICATION_TARGETS).then(|| {
        format!(
            "blue, green and what retires will have {targets} targets, and an ALB takes {USUAL_APPLICATION_TARGETS} \
             unless its quota was raised"
        )
    })
}

/// The targets of every environment together, once green is whole.
fn targets(seen: &Observation, count: u32) -> usize {
    let registered = seen.groups.iter().flat_map(|group| &group.targets);
    let others = registered.filter(|it| it.registered && !seen.own_green.contains(&it.instance));
    others.count() + count as usize
}

fn crosses_zones(group: &Group, balancer: &Balancer) -> bool {
    group.cross_zone.unwrap_or(balancer.cross_zone)
}
