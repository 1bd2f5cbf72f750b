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

/// What stands against the deployment whichever environment is blue.
pub(super) fn refuse(seen: &Observation, ping_seconds: u32) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for balancer in &seen.balancers {
        let against = refuse_balancer(balancer, ping_seconds);
        for refusal in against {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
    }
    refusals.extend(
        seen.groups
            .iter()
            .flat_map(|group| refuse_others(seen, group)),
    );
    refusals.extend(refuse_dns(seen));
    refusals
}

fn refuse_balancer(balancer: &Balancer, ping_seconds: u32) -> Vec<Refusal> {
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
    kind.into_iter().chain(silent).collect()
}

fn refuse_others(seen: &Observation, group: &Group) -> Vec<Refusal> {
    let own = seen.balancer_of(group).map(|it| &it.arn);
    let others = group.load_balancers.iter();
    others
        .filter(|other| Some(*other) != own)
        .map(|other| Refusal::ServesAnother {
            group: group.name(),
            load_balancer: other.clone(),
        })
        .collect()
}

/// A zone in which a group of the action, at weight 0 too, has no healthy target leaves the load balancer's DNS, unless
/// its nodes reach the targets of other zones ("Health checks for Network Load Balancer target groups"; the same
/// attributes are an ALB's, which crosses zones unless a group says otherwise).
fn refuse_dns(seen: &Observation) -> Option<Refusal> {
    let leaving = |group: &&Group| group.leaves_dns && !crosses_zones(seen, group);
    let leaving = seen.groups.iter().filter(leaving);
    let groups: Vec<String> = leaving.map(Group::name).collect();
    (!groups.is_empty()).then_some(Refusal::ZonesLeaveDns(groups))
}

/// More targets than a load balancer takes, green's among them: registering green would fail half-way.
pub(super) fn refuse_targets(seen: &Observation, count: u32) -> Option<Refusal> {
    let over = each(seen).find_map(|balancer| {
        let mut groups = groups_behind(seen, balancer);
        let crosses = groups.any(|group| crosses_zones(seen, group));
        let network = matches!(balancer.kind, LoadBalancer::Network(_));
        let targets = targets(seen, balancer, count);
        (network && crosses && targets > MOST_NETWORK_TARGETS).then_some(targets)
    });
    over.map(|targets| Refusal::TooManyTargets {
        targets,
        most: MOST_NETWORK_TARGETS,
    })
}

/// A quota that may have been raised stops nothing.
pub(super) fn warn_of_targets(seen: &Observation, count: u32) -> Option<String> {
    let over = each(seen).find_map(|balancer| {
        let targets = targets(seen, balancer, count);
        let application = balancer.kind == LoadBalancer::Application;
        (application && targets > USUAL_APPLICATION_TARGETS).then_some(targets)
    });
    over.map(|targets| {
        format!(
            "blue, green and what retires will have {targets} targets, and an ALB takes {USUAL_APPLICATION_TARGETS} \
             unless its quota was raised"
        )
    })
}

/// Each load balancer once, however many of the listeners are its.
fn each(seen: &Observation) -> impl Iterator<Item = &Balancer> {
    let balancers = seen.balancers.iter().enumerate();
    balancers
        .filter(|(at, it)| {
            !seen.balancers[..*at]
                .iter()
                .any(|before| before.arn == it.arn)
        })
        .map(|(_, balancer)| balancer)
}

fn groups_behind<'a>(
    seen: &'a Observation,
    balancer: &'a Balancer,
) -> impl Iterator<Item = &'a Group> {
    let behind = |group: &&Group| {
        seen.balancer_of(group)
            .is_some_and(|it| it.arn == balancer.arn)
    };
    seen.groups.iter().filter(behind)
}

/// The targets that a load balancer has in all once green is whole: a server counts in each of its groups.
fn targets(seen: &Observation, balancer: &Balancer, count: u32) -> usize {
    let others = groups_behind(seen, balancer)
        .flat_map(Group::registered)
        .filter(|instance| !seen.own_green.contains(instance));
    let listeners = seen.balancers.iter().filter(|it| it.arn == balancer.arn);
    others.count() + count as usize * listeners.count()
}

fn crosses_zones(seen: &Observation, group: &Group) -> bool {
    let balancer = seen.balancer_of(group);
    let of_balancer = balancer.is_some_and(|balancer| balancer.cross_zone);
    group.cross_zone.unwrap_or(of_balancer)
}
