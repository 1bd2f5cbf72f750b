//! Whether a deployment may begin, and what it will do: the preflight.
//!
//! Refuses a world in which a deployment could cut sessions or leave traffic without servers; every refusal is told at
//! once and carries its numbers. Called by `plan-deployment`, which hands the plan to every later state.

mod balancer;
mod document;
mod fleet;
mod group;
mod hazards;
mod policy;
mod refusal;
mod spread;
mod standing;
mod template;
mod watching;

use crate::input::Input;
use crate::knobs::MOST_INSTANCES;
use crate::observed::{Forward, Target, healthy, registered};
use crate::record::{Entry, State};
use crate::roles::{Roles, roles};
use crate::settings::Defaults;
use crate::shape::{Environment, Server};

use policy::{policy, refuse_deadline, refuse_length};

pub use balancer::{Balancer, Idle, IdleSource, LoadBalancer, Protocol};
pub use document::{
    Asked, Blue, Deploy, Green, GroupLaunch, Pages, Plan, Policy, Recorded, SubnetShare, hash,
};
pub use fleet::{Fleet, FleetFault};
pub use hazards::Hazards;
pub use refusal::{Refusal, Refusals};
pub use spread::spread;
pub use standing::{Holder, green_percent, holder, recorded};
pub use template::{Template, TemplateFault, TemplateVersion};
pub use watching::AlarmSpan;

/// One of the configured target groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub environment: Environment,
    /// What its targets are; only `instance` can be launched and registered by id.
    pub target_type: String,
    /// Whether `stickiness.enabled` is on.
    pub sticky: bool,
    /// The load balancers that send traffic to it, by ARN.
    pub load_balancers: Vec<String>,
    /// Whether the load balancer cuts the connections of an unhealthy target.
    pub cuts_unhealthy: bool,
    /// Whether it cuts those of a deregistered one when the delay ends.
    pub cuts_deregistered: bool,
    /// Whether the load balancer's nodes send to its targets in every zone; none: as the load balancer says.
    pub cross_zone: Option<bool>,
    /// Whether a zone in which it has no healthy target leaves the load balancer's DNS.
    pub leaves_dns: bool,
    /// Its port, on which a target is registered unless it has ports of its own.
    pub port: u16,
    /// Its targets, without those whose instance EC2 calls terminated.
    pub targets: Vec<Target>,
}

/// A forward to one of the configured groups that this deployment would not move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherForward {
    /// The listener or rule that has it.
    pub from: String,
    /// The target group.
    pub target_group_arn: String,
}

/// What the preflight saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The live forward action.
    pub forward: Forward,
    /// The load balancer.
    pub balancer: Balancer,
    /// The configured groups.
    pub groups: Vec<Group>,
    /// The environments that still retire.
    pub retiring: Vec<Entry>,
    /// Forwards to the groups from other listeners and rules of the load balancer.
    pub other_forwards: Vec<OtherForward>,
    /// The subnet of each of blue's live instances.
    pub blue_subnets: Vec<String>,
    /// Blue's live instances, with their addresses.
    pub blue_servers: Vec<Server>,
    /// What may happen to blue's instances.
    pub hazards: Hazards,
    /// Instances in green's group that this very deployment launched: a plan made anew.
    pub own_green: Vec<String>,
    /// The subnets that the stack names; none: as blue's.
    pub configured_subnets: Vec<String>,
    /// The launch template that the stack names; none: green's Auto Scaling group has its own.
    pub configured_template: Option<String>,
    /// The launch template, and the version asked for.
    pub template: Template,
    /// Whether the stack names a role that launching may pass.
    pub passes_role: bool,
    /// How fast the alarms are that would be watched, as far as they say.
    pub alarms: Vec<AlarmSpan>,
}

/// The parts of a plan that the preflight decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The environment that serves now.
    pub blue: Blue,
    /// The environment to launch.
    pub green: Green,
    /// Every environment of the service.
    pub environments: Vec<Environment>,
    /// The numbers that bound the deployment.
    pub policy: Policy,
    /// Blue's servers, to be asked for their session endpoints before anything begins.
    pub servers: Vec<Server>,
    /// What an operator should know.
    pub warnings: Vec<String>,
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
    refusals.extend(balancer::refuse(seen, defaults.ping_seconds));
    let green_fleet = seen.hazards.green_fleet.as_ref();
    refusals.extend(template::refuse(
        &seen.template,
        seen.passes_role,
        green_fleet,
    ));
    refusals.extend(hazards::refuse(&seen.hazards));
    let groups = seen.groups.iter();
    let configured: Vec<String> = groups
        .map(|group| group.environment.target_group().to_owned())
        .collect();
    let roles = match roles(&seen.forward, &configured, &seen.retiring) {
        Ok(roles) => roles,
        Err(unclear) => {
            refusals.extend(unclear.into_iter().map(Refusal::Unclear));
            return Err(refusals);
        }
    };
    let (Some(blue), Some(green)) = by_role(&seen.groups, &roles) else {
        return Err(refusals);
    };
    let (registered, healthy) = (registered(&blue.targets), healthy(&blue.targets));
    let sizes = group::sizes(seen, &blue.environment, registered, input.count);
    let count = sizes.desired;
    let policy = policy(input, defaults, (registered, healthy), &seen.balancer.kind);
    refusals.extend(hazards::refuse_fleets(
        seen,
        &blue.environment,
        &green.environment,
    ));
    refusals.extend(refuse_blue(blue, registered, healthy));
    refusals.extend(refuse_left_over(seen, &roles));
    refusals.extend(refuse_green(seen, green, count, policy.minimum_healthy));
    refusals.extend(balancer::refuse_targets(seen, count));
    refusals.extend(refuse_length(&policy));
    refusals.extend(refuse_deadline(&policy));
    let (Some(version), true) = (&seen.template.version, refusals.is_empty()) else {
        return Err(refusals);
    };
    let mut warnings = warnings(blue, registered, healthy, count);
    warnings.extend(balancer::warn_of_targets(seen, count));
    warnings.extend(hazards::warnings(seen));
    warnings.extend(template::warnings(version));
    warnings.extend(watching::slow(&seen.alarms, &policy));
    Ok(Decision {
        blue: Blue {
            environment: blue.environment.clone(),
            healthy,
        },
        green: Green {
            environment: green.environment.clone(),
            launch_template_id: seen.template.id.clone(),
            launch_template_version: version.number.clone(),
            subnets: match green_fleet {
                None => spread(count, &seen.configured_subnets, &seen.blue_subnets),
                Some(_) => Vec::new(),
            },
            count,
            group: green_fleet.map(|fleet| group::launch(fleet, sizes)),
        },
        environments: seen
            .groups
            .iter()
            .map(|group| group.environment.clone())
            .collect(),
        policy,
        servers: seen.blue_servers.clone(),
        warnings,
    })
}

fn by_role<'a>(groups: &'a [Group], roles: &Roles) -> (Option<&'a Group>, Option<&'a Group>) {
    let group = |arn: &String| {
        let mut groups = groups.iter();
        groups.find(|group| group.environment.has(arn))
    };
    (group(&roles.blue), group(&roles.green))
}

/// What is wrong whichever group is blue.
fn refuse_setting(seen: &Observation) -> Vec<Refusal> {
    let mut refusals = Vec::new();
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
            if group.environment.has(&other.target_group_arn) {
                refusals.push(Refusal::ForwardedElsewhere {
                    group: name.clone(),
                    from: other.from.clone(),
                });
            }
        }
    }
    refusals
}

fn refuse_blue(blue: &Group, registered: u32, healthy: u32) -> Vec<Refusal> {
    let group = blue.environment.name.clone();
    let mut refusals = Vec::new();
    if healthy == 0 {
        refusals.push(Refusal::BlueUnhealthy {
            group: group.clone(),
            targets: registered,
        });
    }
    if registered > MOST_INSTANCES {
        refusals.push(Refusal::TooManyServers {
            group: group.clone(),
            servers: registered,
            most: MOST_INSTANCES,
        });
    }
    // Green would be registered on the group's port, where nothing may listen.
    let elsewhere = |target: &&Target| target.registered && target.ports != [blue.port];
    let elsewhere: Vec<String> = blue
        .targets
        .iter()
        .filter(elsewhere)
        .map(|target| target.instance.clone())
        .collect();
    if !elsewhere.is_empty() {
        refusals.push(Refusal::OwnPorts {
            group,
            port: blue.port,
            instances: elsewhere,
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
            servers: count,
            most: MOST_INSTANCES,
        });
    }
    if count < minimum {
        refusals.push(Refusal::CountBelowMinimum { count, minimum });
    }
    let launches_by_itself = green.environment.auto_scaling_group.is_some();
    if !launches_by_itself && seen.configured_subnets.is_empty() && seen.blue_subnets.is_empty() {
        refusals.push(Refusal::NoSubnet);
    }
    refusals
}

/// A group that the action names besides the pair and what still drains leaves it when green is attached.
fn refuse_left_over(seen: &Observation, roles: &Roles) -> Vec<Refusal> {
    let stays = |arn: &str| {
        let draining = |entry: &Entry| entry.state == State::Draining && entry.environment.has(arn);
        [roles.blue.as_str(), &roles.green].contains(&arn) || seen.retiring.iter().any(draining)
    };
    let leaves = |group: &&Group| {
        let arn = group.environment.target_group();
        seen.forward.names(arn) && !stays(arn)
    };
    let registered = |group: &Group| -> Vec<String> {
        let registered = group.targets.iter().filter(|target| target.registered);
        registered.map(|target| target.instance.clone()).collect()
    };
    let leaving = seen.groups.iter().filter(leaves);
    leaving
        .map(|group| (group.environment.name.clone(), registered(group)))
        .filter(|(_, instances)| !instances.is_empty())
        .map(|(group, instances)| Refusal::StillServed { group, instances })
        .collect()
}

fn warnings(blue: &Group, registered: u32, healthy: u32, count: u32) -> Vec<String> {
    let mut warnings = Vec::new();
    if registered > healthy {
        warnings.push(format!(
            "{healthy} of {registered} targets of {} are healthy",
            blue.environment.name
        ));
    }
    if count < registered {
        warnings.push(format!("green gets {count} servers, blue has {registered}"));
    }
    warnings
}

#[cfg(test)]
mod tests;
