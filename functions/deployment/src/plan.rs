//! Whether a deployment may begin, and what it will do: the preflight.
//!
//! Refuses a world in which a deployment could cut sessions or leave traffic without servers; every refusal is told at
//! once and carries its numbers. Called by `plan-deployment`, which hands the plan to every later state.

mod document;
mod refusal;
mod spread;

use crate::input::Input;
use crate::observed::{Forward, Target, healthy};
use crate::record::Record;
use crate::roles::{Roles, roles};
use crate::settings::{Defaults, MOST_INSTANCES};
use crate::shape::Environment;
use crate::wait;

pub use document::{Blue, Epoch, Green, Owner, Plan, Policy, SubnetShare};
pub use refusal::Refusal;
pub use spread::spread;

/// The load balancer's kind, which decides how long it keeps sending sessions to blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadBalancer {
    /// Application is when it is an ALB.
    Application,
    /// Network is when it is an NLB.
    Network,
    /// Unfit is when it is anything else; its name.
    Unfit(String),
}

/// One of the two configured target groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub environment: Environment,
    /// What its targets are; only `instance` can be launched and registered by id.
    pub target_type: String,
    /// Whether `stickiness.enabled` is on.
    pub sticky: bool,
    /// Its targets, without those whose instance EC2 calls terminated.
    pub targets: Vec<Target>,
}

/// A forward to one of the two groups that this deployment would not move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherForward {
    /// The listener or rule that has it.
    pub from: String,
    /// The target group.
    pub target_group_arn: String,
}

/// What the preflight saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The live forward action.
    pub forward: Forward,
    /// The kind of load balancer.
    pub load_balancer: LoadBalancer,
    /// The two configured groups.
    pub groups: [Group; 2],
    /// Forwards to either group from other listeners and rules of the load balancer.
    pub other_forwards: Vec<OtherForward>,
    /// The subnet of each of blue's live instances.
    pub blue_subnets: Vec<String>,
    /// Instances in green's group that this very deployment launched: a plan made anew.
    pub own_green: Vec<String>,
    /// The subnets that the stack names; none: as blue's.
    pub configured_subnets: Vec<String>,
    /// The launch template.
    pub launch_template_id: String,
    /// The number of the version asked for, if there is such a version.
    pub launch_template_version: Option<String>,
    /// Whether that version has network interfaces of its own.
    pub network_interfaces: bool,
    /// The version asked for.
    pub requested_version: String,
}

/// The parts of a plan that the preflight decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The environment that serves now.
    pub blue: Blue,
    /// The environment to launch.
    pub green: Green,
    /// The numbers that bound the deployment.
    pub policy: Policy,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// The deployment that holds the service, when it is another one.
pub fn owner(record: &Record, deployment: &str) -> Option<Owner> {
    record.other_owner(deployment).map(|owner| Owner {
        deployment: owner.to_owned(),
        execution: record.execution.clone().unwrap_or_default(),
        epoch: record.epoch,
        stage: record.stage.clone().unwrap_or_default(),
        switched: record.switched,
        blue: record.blue.as_deref().map(Environment::of_arn),
        green: record.green.as_deref().map(Environment::of_arn),
        waiting_for: record.waiting_for.clone(),
    })
}

/// Whether this very deployment has moved weights before: a name used again, which must not be planned a second time.
pub fn is_repeat(record: &Record, deployment: &str) -> bool {
    record.owner.as_deref() == Some(deployment) && record.switched
}

/// Decides whether the deployment may begin, and what it will do.
///
/// # Errors
/// Every reason against it.
pub fn decide(
    seen: &Observation,
    input: &Input,
    defaults: &Defaults,
) -> Result<Decision, Vec<Refusal>> {
    let mut refusals = refuse_setting(seen);
    let configured =
        [0, 1].map(|index: usize| seen.groups[index].environment.target_group_arn.clone());
    let roles = match roles(&seen.forward, &configured) {
        Ok(roles) => roles,
        Err(unclear) => {
            refusals.extend(unclear.into_iter().map(Refusal::Unclear));
            return Err(refusals);
        }
    };
    let (blue, green) = by_role(&seen.groups, &roles);
    let healthy = healthy(&blue.targets);
    let count = input.count.unwrap_or(healthy);
    let policy = policy(input, defaults, healthy, &seen.load_balancer);
    refusals.extend(refuse_blue(blue, healthy));
    refusals.extend(refuse_green(seen, green, count, policy.minimum_healthy));
    refusals.extend(refuse_length(&policy));
    let (Some(version), true) = (&seen.launch_template_version, refusals.is_empty()) else {
        return Err(refusals);
    };
    Ok(Decision {
        blue: Blue {
            environment: blue.environment.clone(),
            healthy,
        },
        green: Green {
            environment: green.environment.clone(),
            launch_template_id: seen.launch_template_id.clone(),
            launch_template_version: version.clone(),
            subnets: spread(count, &seen.configured_subnets, &seen.blue_subnets),
            count,
        },
        policy,
        warnings: warnings(&policy, blue, healthy, count),
    })
}

fn by_role<'a>(groups: &'a [Group; 2], roles: &Roles) -> (&'a Group, &'a Group) {
    let [first, second] = groups;
    if first.environment.target_group_arn == roles.blue {
        (first, second)
    } else {
        (second, first)
    }
}

/// What is wrong whichever group is blue.
fn refuse_setting(seen: &Observation) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if let LoadBalancer::Unfit(kind) = &seen.load_balancer {
        refusals.push(Refusal::LoadBalancerUnfit(kind.clone()));
    }
    if seen.forward.sticky {
        refusals.push(Refusal::StickyForward);
    }
    for group in &seen.groups {
        let name = &group.environment.name;
        if group.sticky {
            refusals.push(Refusal::StickyGroup(name.clone()));
        }
        if group.target_type != "instance" {
            refusals.push(Refusal::TargetsNotInstances {
                group: name.clone(),
                target_type: group.target_type.clone(),
            });
        }
        for other in &seen.other_forwards {
            if other.target_group_arn == group.environment.target_group_arn {
                refusals.push(Refusal::ForwardedElsewhere {
                    group: name.clone(),
                    from: other.from.clone(),
                });
            }
        }
    }
    refusals.extend(refuse_template(seen));
    refusals
}

fn refuse_template(seen: &Observation) -> Option<Refusal> {
    let template = seen.launch_template_id.clone();
    match &seen.launch_template_version {
        None => Some(Refusal::NoSuchVersion {
            template,
            version: seen.requested_version.clone(),
        }),
        Some(version) if seen.network_interfaces => Some(Refusal::OwnInterfaces {
            template,
            version: version.clone(),
        }),
        Some(_) => None,
    }
}

fn refuse_blue(blue: &Group, healthy: u32) -> Vec<Refusal> {
    let group = blue.environment.name.clone();
    let registered = blue
        .targets
        .iter()
        .filter(|target| target.registered)
        .count();
    let mut refusals = Vec::new();
    if healthy == 0 {
        refusals.push(Refusal::BlueUnhealthy {
            group: group.clone(),
            targets: registered,
        });
    }
    if registered > MOST_INSTANCES as usize {
        refusals.push(Refusal::TooManyServers {
            group,
            servers: registered,
            most: MOST_INSTANCES,
        });
    }
    refusals
}

fn refuse_green(seen: &Observation, green: &Group, count: u32, minimum: u32) -> Vec<Refusal> {
    let group = green.environment.name.clone();
    let mut refusals = Vec::new();
    let strangers: Vec<String> = green
        .targets
        .iter()
        .filter(|target| target.registered && !seen.own_green.contains(&target.instance))
        .map(|target| target.instance.clone())
        .collect();
    if !strangers.is_empty() {
        refusals.push(Refusal::GreenNotEmpty {
            group: group.clone(),
            instances: strangers,
        });
    }
    if count > MOST_INSTANCES {
        refusals.push(Refusal::TooManyServers {
            group,
            servers: count as usize,
            most: MOST_INSTANCES,
        });
    }
    if count < minimum {
        refusals.push(Refusal::CountBelowMinimum { count, minimum });
    }
    if seen.configured_subnets.is_empty() && seen.blue_subnets.is_empty() {
        refusals.push(Refusal::NoSubnet);
    }
    refusals
}

/// What one execution's history has no room for would fail half-way, and could not be redriven.
fn refuse_length(policy: &Policy) -> Option<Refusal> {
    let passes = wait::most_passes(
        policy.bake_seconds,
        policy.poll_seconds,
        policy.deadline_seconds,
    );
    (passes > wait::MOST_PASSES).then_some(Refusal::TooLong {
        bake_seconds: policy.bake_seconds,
        poll_seconds: policy.poll_seconds,
        deadline_seconds: policy.deadline_seconds,
        most: wait::MOST_PASSES,
    })
}

fn policy(
    input: &Input,
    defaults: &Defaults,
    blue_healthy: u32,
    load_balancer: &LoadBalancer,
) -> Policy {
    let percent = input
        .minimum_healthy_percent
        .unwrap_or(defaults.minimum_healthy_percent);
    // New sessions reached blue for 75 s and 120 s after a switch, measured on NLBs; ALBs follow within seconds.
    let by_kind = if *load_balancer == LoadBalancer::Network {
        180
    } else {
        30
    };
    Policy {
        healthy_seconds: input.healthy_seconds.unwrap_or(defaults.healthy_seconds),
        minimum_healthy: (percent.saturating_mul(blue_healthy)).div_ceil(100).max(1),
        bake_seconds: input.bake_seconds.unwrap_or(defaults.bake_seconds),
        settle_seconds: input
            .settle_seconds
            .or(defaults.settle_seconds)
            .unwrap_or(by_kind),
        closures_per_second: input
            .closures_per_second
            .unwrap_or(defaults.closures_per_second),
        poll_seconds: input.poll_seconds.unwrap_or(defaults.poll_seconds),
        deadline_seconds: input.deadline_seconds.unwrap_or(defaults.deadline_seconds),
    }
}

fn warnings(policy: &Policy, blue: &Group, healthy: u32, count: u32) -> Vec<String> {
    let mut warnings = Vec::new();
    let registered = blue
        .targets
        .iter()
        .filter(|target| target.registered)
        .count();
    if registered > healthy as usize {
        warnings.push(format!(
            "{healthy} of {registered} targets of {} are healthy",
            blue.environment.name
        ));
    }
    if count < healthy {
        warnings.push(format!(
            "green gets {count} servers, blue has {healthy} healthy ones"
        ));
    }
    let first_seal = policy.bake_seconds.max(policy.settle_seconds);
    if policy.deadline_seconds <= first_seal {
        warnings.push(format!(
            "the drain's deadline, {} s after the switch, is over before the first server can be sealed, {first_seal} s after it",
            policy.deadline_seconds
        ));
    }
    warnings
}

#[cfg(test)]
mod tests;
