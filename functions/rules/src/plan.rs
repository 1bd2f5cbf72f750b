//! Whether a deployment may begin, and what it will do: the preflight.
//!
//! Refuses a world in which a deployment could cut sessions or leave traffic without servers; every refusal is told at
//! once and carries its numbers. Called by `plan-deployment`, which hands the plan to every later state.

mod agents;
mod balancer;
mod blue;
mod document;
mod fleet;
mod group;
mod hazards;
mod policy;
mod refusal;
mod spread;
mod standing;
mod template;
mod test_forward;
mod watching;

use crate::input::Input;
use crate::knobs::MOST_INSTANCES;
use crate::observed::{Listener, Target};
use crate::record::{Entry, State};
use crate::roles::{Roles, roles};
use crate::settings::Defaults;
use crate::shape::{Environment, Server, group_name};

use policy::{policy, refuse_deadline, refuse_length};

pub use balancer::{Balancer, Idle, IdleSource, LoadBalancer, Protocol};
pub use document::{
    Asked, Blue, Deploy, Gate, Green, GroupLaunch, Halt, Pages, Plan, Policy, Recorded,
    SubnetShare, WebSockets, hash,
};
pub use fleet::{Fleet, FleetFault};
pub use hazards::Hazards;
pub use refusal::{Refusal, Refusals};
pub use spread::spread;
pub use standing::{Holder, green_percent, holder, recorded};
pub use template::{Template, TemplateFault, TemplateVersion};
pub use test_forward::TestForward;
pub use watching::{AlarmSpan, alarm_prefix};

/// One of the configured target groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
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
    /// The port that its health check asks; none: the one on which the target is registered.
    pub health_port: Option<u16>,
    /// Its targets, without those whose instance EC2 calls terminated.
    pub targets: Vec<Target>,
}

impl Group {
    fn name(&self) -> String {
        group_name(&self.arn).to_owned()
    }

    fn registered(&self) -> impl Iterator<Item = &String> {
        let registered = self.targets.iter().filter(|target| target.registered);
        registered.map(|target| &target.instance)
    }
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
    /// The listeners and rules that the stack names.
    pub listeners: Vec<Listener>,
    /// The load balancer of each of them.
    pub balancers: Vec<Balancer>,
    /// The configured environments.
    pub environments: Vec<Environment>,
    /// Their target groups.
    pub groups: Vec<Group>,
    /// The environments that still retire.
    pub retiring: Vec<Entry>,
    /// Forwards to the groups from other listeners and rules of these load balancers.
    pub other_forwards: Vec<OtherForward>,
    /// The forwards that green is tested through, in the environments' order; none where the stack names none.
    pub tests: Vec<TestForward>,
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
    /// The service's own alarms that fire.
    pub firing: Vec<String>,
}

impl Observation {
    /// The groups of an environment, in the order of the listeners.
    fn groups_of(&self, environment: &Environment) -> Vec<&Group> {
        let arns = environment.target_group_arns.iter();
        arns.filter_map(|arn| self.groups.iter().find(|group| group.arn == *arn))
            .collect()
    }

    /// The load balancer of the listener that a group belongs to.
    fn balancer_of(&self, group: &Group) -> Option<&Balancer> {
        let mut places = self.environments.iter().filter_map(|it| {
            let mut arns = it.target_group_arns.iter();
            arns.position(|arn| *arn == group.arn)
        });
        self.balancers.get(places.next()?)
    }

    fn is_network(&self) -> bool {
        let mut kinds = self.balancers.iter().map(|it| &it.kind);
        kinds.any(|kind| matches!(kind, LoadBalancer::Network(_)))
    }
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
    /// The listeners and rules whose weights move, in the order of their changes.
    pub listeners: Vec<String>,
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
    refusals.extend(test_forward::refuse(seen));
    let Roles { blue, green } = match roles(&seen.listeners, &seen.environments, &seen.retiring) {
        Ok(roles) => roles,
        Err(unclear) => {
            refusals.extend(unclear.into_iter().map(Refusal::Unclear));
            return Err(refusals);
        }
    };
    let counts = blue::Counts::of(&seen.groups_of(&blue));
    let sizes = group::sizes(seen, &blue, counts.registered, input.count);
    let count = sizes.desired;
    let mut policy = policy(seen, input, defaults, counts);
    let place = seen.environments.iter().position(|it| *it == green);
    let test = place.and_then(|place| seen.tests.get(place));
    policy.pages.green = test.map(|test| test.url.clone());
    refusals.extend(hazards::refuse_fleets(seen, &blue, &green));
    refusals.extend(blue::refuse(seen, &blue, counts));
    refusals.extend(refuse_left_over(seen, &blue, &green));
    refusals.extend(refuse_green(seen, &green, count, policy.minimum_healthy));
    refusals.extend(balancer::refuse_targets(seen, count));
    refusals.extend(refuse_length(&policy));
    refusals.extend(refuse_deadline(&policy));
    let (Some(version), true) = (&seen.template.version, refusals.is_empty()) else {
        return Err(refusals);
    };
    let mut warnings = blue::warnings(seen, &blue, counts, count);
    warnings.extend(balancer::warn_of_targets(seen, count));
    warnings.extend(hazards::warnings(seen));
    warnings.extend(template::warnings(version));
    warnings.extend(watching::slow(&seen.alarms, &policy));
    warnings.extend(watching::firing(&seen.firing, &policy));
    Ok(Decision {
        blue: Blue {
            environment: blue,
            healthy: counts.healthy,
        },
        green: Green {
            environment: green,
            launch_template_id: seen.template.id.clone(),
            launch_template_version: version.number.clone(),
            subnets: match green_fleet {
                None => spread(count, &seen.configured_subnets, &seen.blue_subnets),
                Some(_) => Vec::new(),
            },
            count,
            group: green_fleet.map(|fleet| group::launch(fleet, sizes)),
        },
        environments: seen.environments.clone(),
        listeners: seen.listeners.iter().map(|it| it.arn.clone()).collect(),
        policy,
        servers: seen.blue_servers.clone(),
        warnings,
    })
}

/// What is wrong whichever group is blue.
fn refuse_setting(seen: &Observation) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for listener in seen.listeners.iter().filter(|it| it.forward.sticky) {
        refusals.push(Refusal::StickyForward(listener.arn.clone()));
    }
    for group in &seen.groups {
        let name = &group.name();
        if group.sticky {
            refusals.push(Refusal::StickyGroup(name.clone()));
        }
        if group.target_type != "instance" {
            refusals.push(Refusal::TargetsNotInstances {
                group: name.clone(),
                target_type: group.target_type.clone(),
            });
        }
        let others = seen.other_forwards.iter();
        for other in others.filter(|other| !test_forward::is_one(seen, other)) {
            if group.arn == other.target_group_arn {
                refusals.push(Refusal::ForwardedElsewhere {
                    group: name.clone(),
                    from: other.from.clone(),
                });
            }
        }
    }
    refusals
}

fn refuse_green(seen: &Observation, green: &Environment, count: u32, minimum: u32) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for group in seen.groups_of(green) {
        let strangers = group.registered().filter(|it| !seen.own_green.contains(it));
        let strangers: Vec<String> = strangers.cloned().collect();
        if !strangers.is_empty() {
            refusals.push(Refusal::GreenNotEmpty {
                group: group.name(),
                instances: strangers,
            });
        }
    }
    if count > MOST_INSTANCES {
        refusals.push(Refusal::TooManyServers {
            group: green.name.clone(),
            servers: count,
            most: MOST_INSTANCES,
        });
    }
    if count < minimum {
        refusals.push(Refusal::CountBelowMinimum { count, minimum });
    }
    let launches_by_itself = green.auto_scaling_group.is_some();
    if !launches_by_itself && seen.configured_subnets.is_empty() && seen.blue_subnets.is_empty() {
        refusals.push(Refusal::NoSubnet);
    }
    refusals
}

/// A group that an action names besides the pair and what still drains leaves it when green is attached.
fn refuse_left_over(seen: &Observation, blue: &Environment, green: &Environment) -> Vec<Refusal> {
    let stays = |arn: &str| {
        let draining = |entry: &Entry| entry.state == State::Draining && entry.environment.has(arn);
        blue.has(arn) || green.has(arn) || seen.retiring.iter().any(draining)
    };
    let named = |arn: &str| seen.listeners.iter().any(|it| it.forward.names(arn));
    let leaves = |group: &&Group| named(&group.arn) && !stays(&group.arn);
    let leaving = seen.groups.iter().filter(leaves);
    leaving
        .map(|group| {
            (
                group.name(),
                group.registered().cloned().collect::<Vec<_>>(),
            )
        })
        .filter(|(_, instances)| !instances.is_empty())
        .map(|(group, instances)| Refusal::StillServed { group, instances })
        .collect()
}

#[cfg(test)]
mod tests;
