//! Whether a deployment may begin, and what it will do: the preflight.
//!
//! Refuses a world in which a deployment could cut sessions or leave traffic without servers; every refusal is told at
//! once and carries its numbers. Called by `plan-deployment`, which hands the plan to every later state.

mod refusal;
mod spread;

use serde::{Deserialize, Serialize};

use crate::input::Input;
use crate::observed::{Forward, Target, healthy};
use crate::record::Record;
use crate::roles::{Roles, roles};
use crate::settings::{Defaults, MOST_INSTANCES};
use crate::shape::Environment;
use crate::wait;

pub use refusal::Refusal;
pub use spread::spread;

/// What the deployment will do; the document's `plan`. Without `owner` everything below it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The deployment's name.
    pub deployment: String,
    /// The ARN of its execution.
    pub execution: String,
    /// The service.
    pub service: String,
    /// Someone else who holds the service; no preflight was done then.
    pub owner: Option<Owner>,
    /// The record's epoch, and the one to claim.
    pub epoch: Epoch,
    /// Whether to stop after the preflight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// The environment that serves now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blue: Option<Blue>,
    /// The environment to launch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub green: Option<Green>,
    /// The numbers that bound the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// What an operator should know and what does not stop the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
}

/// The deployment that holds the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Its name.
    pub deployment: String,
    /// Its execution's ARN.
    pub execution: String,
    /// Its epoch.
    pub epoch: u64,
    /// The last stage that it wrote.
    pub stage: String,
    /// Whether green may have had weight already.
    pub switched: bool,
    /// The environment that its plan called blue; none in a record that lacks it.
    pub blue: Option<Environment>,
    /// The environment that it launched: what a superseding deployment clears.
    pub green: Option<Environment>,
    /// What it was waiting for when it last wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

/// The record's fencing number as the plan saw it, and the one to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// What the record says; 0 for a service never deployed.
    pub seen: u64,
    /// One more, or the same when this deployment owns the service already.
    pub claimed: u64,
}

/// The environment that serves now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blue {
    /// Its target group.
    #[serde(flatten)]
    pub environment: Environment,
    /// How many of its targets are healthy.
    pub healthy: u32,
}

/// The environment to launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Green {
    /// Its target group.
    #[serde(flatten)]
    pub environment: Environment,
    /// The launch template.
    pub launch_template_id: String,
    /// Its version as a number: `$Latest` could move between two calls.
    pub launch_template_version: String,
    /// Where its instances go.
    pub subnets: Vec<SubnetShare>,
    /// How many instances it gets.
    pub count: u32,
}

/// How many instances go into one subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetShare {
    /// The subnet.
    pub subnet_id: String,
    /// The instances.
    pub count: u32,
}

/// The numbers that bound a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// How long green may take to become healthy, from its newest launch.
    pub healthy_seconds: u32,
    /// How many targets of a group with weight must be healthy.
    pub minimum_healthy: u32,
    /// How long both environments run after the switch.
    pub bake_seconds: u32,
    /// How long after the switch nothing is drained or sealed.
    pub settle_seconds: u32,
    /// How many idle sessions are closed per second.
    pub closures_per_second: u32,
    /// The longest wait between passes while baking.
    pub poll_seconds: u32,
    /// When the drain fails with an alert, from the switch.
    pub deadline_seconds: u32,
}

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
