//! Why a deployment may not begin: each refusal with its numbers, and with what an operator does about it.

use crate::roles::Unclear;

/// One reason against a deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Unclear is when the forward action does not say which environment is blue.
    #[error(transparent)]
    Unclear(Unclear),
    /// NameUsed is when a deployment of this very name has moved weights and still owns the service.
    #[error(
        "deployment {0} has already moved traffic and still owns the service: redrive its execution, or start one under \
         another name"
    )]
    NameUsed(String),
    /// TooLong is when bake and drain could take more passes than one execution's history has room for.
    #[error(
        "a bake of {bake_seconds} s looked at every {poll_seconds} s and a deadline after {deadline_seconds} s can take \
         more than {most} passes, and an execution's history has no room for them: raise drain.pollSeconds, or lower \
         bake.seconds or drain.deadlineSeconds"
    )]
    TooLong {
        /// How long the bake is.
        bake_seconds: u32,
        /// How often it is looked at.
        poll_seconds: u32,
        /// How long the drain may take.
        deadline_seconds: u32,
        /// How many passes there is room for.
        most: u64,
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
    /// ForwardedElsewhere is when another listener or rule sends traffic to one of the two groups.
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
    #[error("green, {group}, still has targets: {}; deregister and end them first", .instances.join(", "))]
    GreenNotEmpty {
        /// Green's target group's name.
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
