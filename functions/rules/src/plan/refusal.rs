//! Why a deployment may not begin: each refusal with its numbers, and with what an operator does about it.

use std::fmt;

use super::{FleetFault, IdleSource, TemplateFault};
use crate::roles::Unclear;
use crate::{ErrorName, Failure};

/// One reason against a deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Unclear is when the forward action does not say which environment is blue.
    #[error(transparent)]
    Unclear(Unclear),
    /// NameUsed is when a deployment of this very name has moved weights and still holds the front, or an entry.
    #[error(
        "deployment {0} has already moved traffic and has not ended: redrive its execution, or start one under \
         another name"
    )]
    NameUsed(String),
    /// TooLong is when steps and bake could take more passes than one execution's history has room for.
    #[error(
        "{steps} steps of {step_seconds} s before the last one and a bake of {bake_seconds} s, looked at every \
         {poll_seconds} s at the most, can take {passes} passes, and an execution has room for {most}: raise \
         drain.pollSeconds, or lower bake.seconds or traffic.stepSeconds"
    )]
    TooLong {
        /// How many steps come before the last one.
        steps: usize,
        /// How long each of them is.
        step_seconds: u32,
        /// How long the bake is.
        bake_seconds: u32,
        /// The longest wait between two looks.
        poll_seconds: u32,
        /// How many passes they can take.
        passes: u64,
        /// How many an execution makes.
        most: u32,
    },
    /// DeadlineBeforeSeal is when the drain's deadline is over before the first server can be sealed.
    #[error(
        "the drain's deadline, {deadline_seconds} s after the switch, is over before the first server can be sealed, \
         {first_seal} s after it: raise drain.deadlineSeconds, or lower bake.seconds"
    )]
    DeadlineBeforeSeal {
        /// When the drain fails, from the switch.
        deadline_seconds: u32,
        /// When the first server can be sealed, from the switch.
        first_seal: u32,
    },
    /// IdleTimeout is when the load balancer cuts a silent session before its server pings it.
    #[error(
        "the load balancer closes a connection after {idle_seconds} s without data ({set_by}), and the servers ping every \
         {ping_seconds} s: {}let the servers ping more often and set PingSeconds", settable(*set_by)
    )]
    IdleTimeout {
        /// Who says so.
        set_by: IdleSource,
        /// Its value.
        idle_seconds: u32,
        /// How often the servers ping.
        ping_seconds: u32,
    },
    /// ServesAnother is when another load balancer sends traffic to one of its groups.
    #[error(
        "load balancer {load_balancer} sends traffic to {group} too, and a deployment would not move it: its users would \
         be left without servers; give its listener target groups of its own, and name it in ListenerArn as well"
    )]
    ServesAnother {
        /// The target group's name.
        group: String,
        /// The other load balancer.
        load_balancer: String,
    },
    /// Protected is when instances of blue could not be terminated in the end.
    #[error(
        "termination protection is on for {} of blue's instances, and they could never be replaced: turn it off \
         (disableApiTermination) for {}", .0.len(), named(.0)
    )]
    Protected(Vec<String>),
    /// PersistentSpot is when blue's instances come of requests that bring them back.
    #[error(
        "{} of blue's instances come of persistent Spot requests, which bring back what is ended: cancel the requests, \
         the instances go on without them, for {}", .0.len(), named(.0)
    )]
    PersistentSpot(Vec<String>),
    /// NoAddress is when nobody could ask some of blue's servers for their sessions.
    #[error(
        "{} of blue's instances have no private IPv4 address, and nobody could ask them for their sessions: deregister and \
         end them, or give them one: {}", .0.len(), named(.0)
    )]
    NoAddress(Vec<String>),
    /// FleetUnfit is when an Auto Scaling group would cut sessions, could not launch green, or could not be emptied.
    #[error("Auto Scaling group {fleet} {fault}")]
    FleetUnfit {
        /// The group's name.
        fleet: String,
        /// What is wrong with it.
        fault: FleetFault,
    },
    /// TemplateUnfit is when nothing could be launched from the version, or nothing ended that was.
    #[error("version {version} of launch template {template} {fault}")]
    TemplateUnfit {
        /// The template's id.
        template: String,
        /// The version's number.
        version: String,
        /// What is wrong with it.
        fault: TemplateFault,
    },
    /// NoInstanceRole is when launching would pass a role, and the stack allows none.
    #[error(
        "version {version} of launch template {template} has an instance profile, and the stack's InstanceRoleArn is empty, \
         so that AWS would refuse to launch from it: set InstanceRoleArn to the ARN of the profile's role"
    )]
    NoInstanceRole {
        /// The template's id.
        template: String,
        /// The version's number.
        version: String,
    },
    /// StickyForward is when the forward action of a listener has target group stickiness: its cookie beats weights.
    #[error(
        "target group stickiness is on in the forward action of {0}: its cookie would bring clients back to blue; turn it \
         off"
    )]
    StickyForward(String),
    /// StickyGroup is when a target group has stickiness: clients would be bound to servers that are to go.
    #[error(
        "stickiness is on in target group {0}: it would bring clients back to blue; turn it off"
    )]
    StickyGroup(String),
    /// TargetsNotInstances is when a target group's targets cannot be registered by instance id.
    #[error("target group {group} has targets of type {target_type}; Ebbtide needs type instance")]
    TargetsNotInstances {
        /// The target group's name.
        group: String,
        /// Its target type.
        target_type: String,
    },
    /// LoadBalancerUnfit is when the load balancer is neither an ALB nor an NLB.
    #[error(
        "the load balancer is of type {0}; Ebbtide needs an application or a network load balancer"
    )]
    LoadBalancerUnfit(String),
    /// ProtocolUnfit is when the listener speaks what a deployment cannot serve.
    #[error(
        "the listener's protocol is {0}; Ebbtide serves TCP, TLS, UDP and TCP_UDP on a network load balancer"
    )]
    ProtocolUnfit(String),
    /// ZonesLeaveDns is when a group without a healthy target would take the zone out of the load balancer's DNS.
    #[error(
        "a zone in which a target group of the action has no healthy target leaves the load balancer's DNS, and in every \
         deployment a group is empty for a while: set target_group_health.dns_failover.minimum_healthy_targets.count to \
         off (and .percentage as well), or turn cross-zone load balancing on, for {}", named(.0)
    )]
    ZonesLeaveDns(Vec<String>),
    /// TooManyTargets is when the load balancer would not take all environments together.
    #[error(
        "blue, green and what retires would have {targets} targets together, and with cross-zone load balancing an NLB \
         takes {most}: let a retiring environment end first, lower green.count, or turn cross-zone load balancing off"
    )]
    TooManyTargets {
        /// All of them, green's to be among them.
        targets: usize,
        /// The most that the load balancer takes.
        most: usize,
    },
    /// OwnPorts is when targets of blue's are registered on other ports than the group's.
    #[error(
        "targets of {group} are registered on ports of their own, and green's would be registered on the group's port \
         {port} only: register them on that port: {}", named(.instances)
    )]
    OwnPorts {
        /// Blue's target group's name.
        group: String,
        /// The group's port.
        port: u16,
        /// The instances.
        instances: Vec<String>,
    },
    /// ForwardedElsewhere is when another listener or rule sends traffic to one of its groups.
    #[error(
        "{from} forwards to {group} too, and a deployment would not move it: its users would be left without servers; \
         name it in ListenerArn as well, with target groups of its own in each environment, or let it forward elsewhere"
    )]
    ForwardedElsewhere {
        /// The target group's name.
        group: String,
        /// The other listener or rule.
        from: String,
    },
    /// TestForwardAstray is when the test forward of an environment does not forward to that environment alone.
    #[error(
        "{from} is the test forward of {environment} in TestListenerArns and has to forward to its target group, and to no \
         other: put TestListenerArns into the order of TargetGroupArns, or let it forward there"
    )]
    TestForwardAstray {
        /// The listener or rule.
        from: String,
        /// The environment's name.
        environment: String,
    },
    /// NoSuchVersion is when the launch template has no such version.
    #[error("launch template {template} has no version {version}")]
    NoSuchVersion {
        /// The launch template.
        template: String,
        /// The version asked for.
        version: String,
    },
    /// BlueDiffers is when a listener of the service does not reach all of blue's servers.
    #[error(
        "blue's target groups have different servers, and green's will have the same: register these in {group} as well, or \
         take them out of the others: {}", named(.instances)
    )]
    BlueDiffers {
        /// The target group's name.
        group: String,
        /// The servers that it lacks.
        instances: Vec<String>,
    },
    /// BlueUnhealthy is when nobody serves: there is nothing to take over from.
    #[error("blue, {group}, has no healthy target among {targets}; mend it first")]
    BlueUnhealthy {
        /// Blue's target group's name.
        group: String,
        /// Its registered targets.
        targets: u32,
    },
    /// GreenNotEmpty is when green's group has targets that this deployment did not launch.
    #[error("green, {group}, still has targets: {}; deregister and end them first", named(.instances))]
    GreenNotEmpty {
        /// Green's target group's name.
        group: String,
        /// The instances.
        instances: Vec<String>,
    },
    /// StillServed is when the action names a group, at weight 0, that would leave it and still has targets.
    #[error(
        "{group} is in the forward action, is neither blue nor green and has targets: {}; its connections would be cut when \
         it leaves the action: deregister and end them first", named(.instances)
    )]
    StillServed {
        /// The target group's name.
        group: String,
        /// The instances.
        instances: Vec<String>,
    },
    /// TooManyServers is when an environment would not fit into the document.
    #[error("{group} would have {servers} servers; at most {most} are possible")]
    TooManyServers {
        /// The target group's name.
        group: String,
        /// Its servers.
        servers: u32,
        /// The most there may be.
        most: u32,
    },
    /// CountBelowMinimum is when green could never be healthy enough to be given traffic.
    #[error(
        "green would have {count} servers and needs {minimum} healthy ones; raise green.count or lower minimumHealthyPercent"
    )]
    CountBelowMinimum {
        /// `green.count`.
        count: u32,
        /// The minimum of healthy servers.
        minimum: u32,
    },
    /// NoSubnet is when neither the stack nor blue says where to launch.
    #[error(
        "there is no subnet to launch into: blue has no live instance and the stack names no subnet"
    )]
    NoSubnet,
}

/// Every reason against a deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a deployment is not possible now, nothing was touched: {}", sentences(.0))]
pub struct Refusals(pub Vec<Refusal>);

impl Failure for Refusals {
    fn name(&self) -> ErrorName {
        match self.0[..] {
            [Refusal::Unclear(Unclear::NoneFree(_))] => ErrorName::DeploymentInProgress,
            _ => ErrorName::PreflightRefused,
        }
    }
}

fn sentences(refusals: &[Refusal]) -> String {
    let sentences = refusals.iter().map(ToString::to_string);
    sentences.collect::<Vec<_>>().join("; ")
}

impl fmt::Display for IdleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => f.write_str(name),
            Self::Protocol(name) => write!(f, "fixed for {name}"),
        }
    }
}

fn settable(set_by: IdleSource) -> &'static str {
    match set_by {
        IdleSource::Attribute(_) => "raise the attribute above that, or ",
        IdleSource::Protocol(_) => "",
    }
}

/// Instances by name, the first ten of them: a Cause has an end.
pub(super) fn named(instances: &[String]) -> String {
    const MOST: usize = 10;
    let first = instances.iter().take(MOST).cloned().collect::<Vec<_>>();
    match instances.len().saturating_sub(MOST) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
