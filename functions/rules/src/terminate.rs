//! Which instances may be ended: the only rules in Ebbtide that lead to a server's end.
//!
//! Owns rules 1, 2 and 6 on the AWS side: an instance ends only with its licence (its seal acknowledged for this
//! deployment, or an environment that never had weight), tagged as this deployment's, and in no target group of weight
//! above 0. Everything else is refused, with its reason, and stays alive. Called by `terminate-blue`.

mod blocked;
mod parking;
mod scaling;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::check::HeldBack;
use crate::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, GroupTargets, Instance, InstanceState, RETIRING_TAG,
};
use crate::scaling::ScalingGroup;
use crate::shape::Environment;

pub use blocked::Blocked;
pub use parking::Parking;
pub use scaling::{GroupEnd, MemberEnd, group_end};

/// The most refusals that are answered by name: the execution's document stays small.
const MOST_REFUSALS: usize = 20;

/// On what ground instances are to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Licence {
    /// Sealed is when a server promised never to take a session again, and holds none.
    Sealed,
    /// NeverServed is when the environment never had weight: no user can be on it. Whether it had is the record's to say,
    /// which admits such an end only before the switch (`Work::EndUnserved`).
    NeverServed,
}

/// What was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    /// The deployment whose tag the instances must carry.
    pub deployment: String,
    /// The environment to empty.
    pub environment: Environment,
    /// On what ground.
    pub licence: Licence,
    /// The instances whose seal was acknowledged for this deployment's epoch.
    pub sealed: Vec<String>,
    /// The version that the environment's own Auto Scaling group is to name once it is parked; none: as it does.
    pub version_before: Option<String>,
}

impl Termination {
    /// To end what has sealed for `deployment`.
    ///
    /// # Errors
    /// [`Blocked::Misnamed`].
    pub fn sealed(
        deployment: &str,
        environment: &Environment,
        sealed: &[String],
    ) -> Result<Self, Blocked> {
        Self::new(deployment, environment, Licence::Sealed, sealed)
    }

    /// To end what `deployment` launched and what never served.
    ///
    /// # Errors
    /// [`Blocked::Misnamed`].
    pub fn unserved(deployment: &str, environment: &Environment) -> Result<Self, Blocked> {
        Self::new(deployment, environment, Licence::NeverServed, &[])
    }

    fn new(
        deployment: &str,
        environment: &Environment,
        licence: Licence,
        sealed: &[String],
    ) -> Result<Self, Blocked> {
        blocked::refuse_misnamed(environment)?;
        Ok(Self {
            deployment: deployment.to_owned(),
            environment: environment.clone(),
            licence,
            sealed: sealed.to_vec(),
            version_before: None,
        })
    }

    /// The same, with the version that the environment's own Auto Scaling group named before it launched these.
    #[must_use]
    pub fn giving_back(self, version: Option<&str>) -> Self {
        Self {
            version_before: version.map(str::to_owned),
            ..self
        }
    }

    /// The tag by which its instances are this deployment's.
    pub fn ownership(&self) -> &'static str {
        match self.licence {
            Licence::Sealed => RETIRING_TAG,
            Licence::NeverServed => DEPLOYMENT_TAG,
        }
    }
}

/// One target group with weight above 0, and who is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedGroup {
    /// Its ARN.
    pub target_group_arn: String,
    /// Its weight.
    pub weight: u32,
    /// The instances that are registered in it.
    pub instances: Vec<String>,
}

/// What AWS shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Every instance of the environment: listed, tagged or registered.
    pub instances: Vec<Instance>,
    /// Instances that were listed and that EC2 does not show: not known to be gone.
    pub unseen: Vec<String>,
    /// The targets of each of the environment's groups.
    pub targets: Vec<GroupTargets>,
    /// The groups that have weight at any of the service's listeners.
    pub weighted: Vec<WeightedGroup>,
    /// The environment's own Auto Scaling group, with its members; none where it has none, or it was deleted.
    pub group: Option<ScalingGroup>,
}

/// Why an instance is not ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// NotSealed is when its seal was not acknowledged (rule 1); it may hold a session.
    #[error("it has not acknowledged a seal for deployment {0}")]
    NotSealed(String),
    /// GroupHasWeight is when its environment's group gets new sessions (rule 6).
    #[error("its group {group} has weight {weight}")]
    GroupHasWeight {
        /// The target group's name.
        group: String,
        /// The weight.
        weight: u32,
    },
    /// TargetOfWeightedGroup is when another group with weight has it as a target (rule 6).
    #[error("it is also a target of {target_group_arn}, which has weight {weight}")]
    TargetOfWeightedGroup {
        /// The other group.
        target_group_arn: String,
        /// The weight.
        weight: u32,
    },
    /// NotTagged is when it does not carry this deployment's tag (rule 6): it may be anybody's.
    #[error("its tag {key} is {} and not {wanted}", found.as_deref().unwrap_or("missing"))]
    NotTagged {
        /// The tag.
        key: &'static str,
        /// What it must be.
        wanted: String,
        /// What it is.
        found: Option<String>,
    },
    /// NotMember is when it is in the environment that never served and not in its Auto Scaling group: it may be anybody's.
    #[error("it is no member of Auto Scaling group {0}")]
    NotMember(String),
    /// Unseen is when EC2 does not show it: only `terminated` makes a server gone (rule 2).
    #[error("EC2 does not show it at the moment")]
    Unseen,
}

/// The answer of `terminate-blue`, as read after everything was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terminated {
    /// The next step.
    pub verdict: Verdict,
    /// The instances that EC2 calls terminated, or has called so before.
    pub terminated: Vec<String>,
    /// Those that are shutting down.
    pub ending: Vec<String>,
    /// Those that must not be ended, the first 20.
    pub refused: Vec<HeldBack>,
    /// How many are not terminated.
    pub remaining: usize,
    /// Since when it is tried.
    #[serde(default)]
    pub tried: Option<Tried>,
}

/// Since when an environment is being ended, without a redrive in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// Since when.
    pub since: Timestamp,
    /// How often the execution had been redriven then.
    pub redrives: u64,
}

impl Terminated {
    /// Notes since when it is tried: a redrive begins anew.
    ///
    /// # Errors
    /// [`Blocked::Lingering`]: an environment that never served has no deadline of its own.
    pub fn tried(
        &mut self,
        former: Option<&Self>,
        order: &Termination,
        redrives: u64,
        now: Timestamp,
    ) -> Result<(), Blocked> {
        let before = former.and_then(|former| former.tried);
        let before = before.filter(|it| it.redrives == redrives);
        let tried = before.unwrap_or(Tried {
            since: now,
            redrives,
        });
        self.tried = Some(tried);
        blocked::refuse_lingering(order, self, now.duration_since(tried.since))
    }

    /// Adds what ended before: EC2 forgets it after about an hour, and a drain takes days.
    pub fn remember(&mut self, former: Option<&Self>) {
        let before = former.map(|former| former.terminated.as_slice());
        for instance in before.unwrap_or_default() {
            if !self.terminated.contains(instance) {
                self.terminated.push(instance.clone());
            }
        }
        self.terminated.sort();
    }
}

/// Whether anything is left, in the word that the definition's Choices compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Everything is terminated, and the group has no target.
    Gone,
    /// Something is not.
    Left,
}

/// What may be ended, and what not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// The instances to deregister and terminate.
    pub terminate: Vec<String>,
    /// Those that the environment's own group is ending already, to be let go by the hook that holds up their end.
    pub release: Vec<String>,
    /// The others that live on, each with its reason.
    pub refused: Vec<(String, Refusal)>,
}

/// Decides which instances are ended.
pub fn decide(seen: &Observation, order: &Termination) -> Decision {
    let mut decision = Decision::default();
    for instance in seen.instances.iter().filter(|instance| instance.is_live()) {
        match refuse(seen, order, instance) {
            Some(refusal) => decision.refused.push((instance.id.clone(), refusal)),
            None => decision.terminate.push(instance.id.clone()),
        }
    }
    decision
        .refused
        .extend(seen.unseen.iter().map(|id| (id.clone(), Refusal::Unseen)));
    decision.release = release(seen, order);
    decision
}

/// A member whose end is held up by the hook needs the same licence: it may still hold sessions.
fn release(seen: &Observation, order: &Termination) -> Vec<String> {
    let held_up = |instance: &&Instance| {
        let group = seen.group.as_ref().filter(|group| group.holds_ends);
        let mut members = group.into_iter().flat_map(|group| &group.members);
        instance.state != InstanceState::Terminated
            && members.any(|it| it.instance == instance.id && it.is_held_up())
    };
    let instances = seen.instances.iter().filter(held_up);
    instances
        .filter(|instance| refuse(seen, order, instance).is_none())
        .map(|instance| instance.id.clone())
        .collect()
}

fn refuse(seen: &Observation, order: &Termination, instance: &Instance) -> Option<Refusal> {
    refuse_weight(seen, order, instance)
        .or_else(|| refuse_stranger(seen, order, instance))
        .or_else(|| match order.licence {
            Licence::Sealed if !order.sealed.contains(&instance.id) => {
                Some(Refusal::NotSealed(order.deployment.clone()))
            }
            Licence::Sealed | Licence::NeverServed => None,
        })
}

fn refuse_weight(seen: &Observation, order: &Termination, instance: &Instance) -> Option<Refusal> {
    let own = &order.environment;
    if let Some(group) = seen
        .weighted
        .iter()
        .find(|group| own.has(&group.target_group_arn))
    {
        return Some(Refusal::GroupHasWeight {
            group: order.environment.name.clone(),
            weight: group.weight,
        });
    }
    let other = seen
        .weighted
        .iter()
        .find(|group| group.instances.contains(&instance.id))?;
    Some(Refusal::TargetOfWeightedGroup {
        target_group_arn: other.target_group_arn.clone(),
        weight: other.weight,
    })
}

/// Whose it is, is said by tags. What an Auto Scaling group launched carries none of a deployment: there it is membership
/// in the environment's own group, which was empty before this deployment woke it.
fn refuse_stranger(
    seen: &Observation,
    order: &Termination,
    instance: &Instance,
) -> Option<Refusal> {
    match (order.licence, &order.environment.auto_scaling_group) {
        (Licence::NeverServed, Some(name)) => {
            let member = seen.group.as_ref().is_some_and(|it| it.has(&instance.id));
            (!member).then(|| Refusal::NotMember(name.clone()))
        }
        _ => refuse_tags(order, instance),
    }
}

fn refuse_tags(order: &Termination, instance: &Instance) -> Option<Refusal> {
    let wanted = [
        (ENVIRONMENT_TAG, &order.environment.name),
        (order.ownership(), &order.deployment),
    ];
    let (key, value) = wanted
        .into_iter()
        .find(|(key, value)| instance.tag(key) != Some(value))?;
    Some(Refusal::NotTagged {
        key,
        wanted: value.clone(),
        found: instance.tag(key).map(str::to_owned),
    })
}

/// How much of the environment is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The instances that EC2 calls terminated.
    pub terminated: Vec<String>,
    /// Those that are shutting down.
    pub ending: Vec<String>,
    /// How many are not terminated.
    pub remaining: usize,
    /// Whether nothing is left: everything terminated, no target in the group, and the environment's own group parked.
    pub empty: bool,
}

/// What is deregistered beside what is ended: registered instances that are gone. The groups leave the forward actions
/// next, and nobody could tell there that these hold nobody's connection.
pub fn stale(seen: &Observation) -> Vec<String> {
    let registered: BTreeSet<&String> = registered(seen).collect();
    let gone = seen.instances.iter();
    gone.filter(|it| it.state == InstanceState::Terminated && registered.contains(&it.id))
        .map(|it| it.id.clone())
        .collect()
}

fn registered(seen: &Observation) -> impl Iterator<Item = &String> {
    seen.targets.iter().flat_map(GroupTargets::registered)
}

/// Says how the environment stands, by what is seen after everything was ordered.
///
/// # Errors
/// [`Blocked::Foreign`].
pub fn conclude(seen: &Observation, order: &Termination) -> Result<Terminated, Blocked> {
    let rest = rest(seen, order);
    let refused = decide(seen, order).refused;
    blocked::refuse_foreign(order, &rest, &refused)?;
    Ok(Terminated {
        verdict: if rest.empty {
            Verdict::Gone
        } else {
            Verdict::Left
        },
        terminated: rest.terminated,
        ending: rest.ending,
        refused: refused
            .into_iter()
            .take(MOST_REFUSALS)
            .map(|(instance, refusal)| HeldBack {
                instance,
                reason: refusal.to_string(),
            })
            .collect(),
        remaining: rest.remaining,
        tried: None,
    })
}

/// Counts what is left of the environment.
pub fn rest(seen: &Observation, order: &Termination) -> Rest {
    let ids = |state: InstanceState| -> Vec<String> {
        seen.instances
            .iter()
            .filter(|instance| instance.state == state)
            .map(|instance| instance.id.clone())
            .collect()
    };
    let terminated = ids(InstanceState::Terminated);
    let remaining = seen.instances.len() - terminated.len() + seen.unseen.len();
    let registered = registered(seen).next().is_some();
    Rest {
        ending: ids(InstanceState::ShuttingDown),
        remaining,
        empty: remaining == 0 && !registered && Parking::of(seen, order).is_none(),
        terminated,
    }
}

#[cfg(test)]
mod tests;
