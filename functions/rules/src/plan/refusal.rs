//! Why a deployment may not begin: each refusal with its numbers, and with what an operator does about it.

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
        "the load balancer closes a connection after {idle_seconds} s without data ({attribute}), and the servers ping \
         every {ping_seconds} s: raise the attribute above that, or let the servers ping more often and set PingSeconds"
    )]
    IdleTimeout {
        /// The attribute's name.
        attribute: &'static str,
        /// Its value.
        idle_seconds: u32,
        /// How often the servers ping.
        ping_seconds: u32,
    },
    /// ServesAnother is when another load balancer sends traffic to one of its groups.
    #[error(
        "load balancer {load_balancer} sends traffic to {group} too, and a deployment would not move it: its users would \
         be left without servers; let it use other target groups"
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
    /// TemplateProtects is when green's instances would be protected from termination, so that none could be replaced.
    #[error(
        "version {version} of launch template {template} turns termination protection on, and green could never be \
         replaced: make a version without it"
    )]
    TemplateProtects {
        /// The template's id.
        template: String,
        /// The version's number.
        version: String,
    },
    /// StickyForward is when the forward action has target group stickiness: its cookie beats weights.
    #[error(
        "target group stickiness is on in the forward action: its cookie would bring clients back to blue; turn it off"
    )]
    StickyForward,
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
    /// ForwardedElsewhere is when another listener or rule sends traffic to one of its groups.
    #[error(
        "{from} forwards to {group} too, and a deployment would not move it: its users would be left without servers; \
         let it use other target groups"
    )]
    ForwardedElsewhere {
        /// The target group's name.
        group: String,
        /// The other listener or rule.
        from: String,
    },
    /// NoSuchVersion is when the launch template has no such version.
    #[error("launch template {template} has no version {version}")]
    NoSuchVersion {
        /// The launch template.
        template: String,
        /// The version asked for.
        version: String,
    },
    /// OwnInterfaces is when the version has network interfaces: RunInstances takes a subnet only without them.
    #[error(
        "version {version} of launch template {template} has network interfaces, and EC2 launches no such version into a \
         given subnet: make a version with the security groups on the template itself instead of on a network interface"
    )]
    OwnInterfaces {
        /// The template's id.
        template: String,
        /// The version's number.
        version: String,
    },
    /// BlueUnhealthy is when nobody serves: there is nothing to take over from.
    #[error("blue, {group}, has no healthy target among {targets}; mend it first")]
    BlueUnhealthy {
        /// Blue's target group's name.
        group: String,
        /// Its registered targets.
        targets: usize,
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
        servers: usize,
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

/// Instances by name, the first ten of them: a Cause has an end.
pub(super) fn named(instances: &[String]) -> String {
    const MOST: usize = 10;
    let first = instances.iter().take(MOST).cloned().collect::<Vec<_>>();
    match instances.len().saturating_sub(MOST) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
