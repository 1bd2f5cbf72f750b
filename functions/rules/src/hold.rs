//! How a retiring environment is held and listed: which tags, suspensions and protections are missing, and who is in it.
//!
//! Refuses to lose a server: whatever is registered or tagged stays on the list until EC2 calls it terminated. What
//! holding takes from an Auto Scaling group is noted first, so that it can be given back ([`left`]) to a blue that serves
//! on. Called by `hold-blue`, before the first weight moves, again in every pass, and after a rollback.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::observed::{
    ENVIRONMENT_TAG, Instance, InstanceState, RETIRING_TAG, SERVICE_TAG, Target,
};
use crate::scaling::{ScalingGroup, ScalingMember};
use crate::shape::{Environment, Fence, Retiring, Server};
use crate::{ErrorName, Failure};

mod let_go;
mod note;

pub use let_go::{Left, left};
pub use note::{Note, PROTECTED_TAG, SUSPENDED_TAG};

/// What an Auto Scaling group must not do to a retiring server; each of these ends instances, or lets others do so.
/// Source: Amazon EC2 Auto Scaling user guide, "Suspend and resume processes".
pub const SUSPENDED: [&str; 6] = [
    "AZRebalance",
    "ReplaceUnhealthy",
    "HealthCheck",
    "AlarmNotification",
    "ScheduledActions",
    "InstanceRefresh",
];

/// Who holds which environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFor {
    /// The service's name.
    pub service: String,
    /// The deployment.
    pub deployment: String,
    /// The environment's name.
    pub environment: String,
    /// The environment's own Auto Scaling group, if it has one.
    pub group: Option<String>,
}

impl HeldFor {
    /// The bearer of `fence`, holding `environment`.
    pub fn new(service: &str, fence: &Fence, environment: &Environment) -> Self {
        Self {
            service: service.to_owned(),
            deployment: fence.deployment.clone(),
            environment: environment.name.clone(),
            group: environment.auto_scaling_group.clone(),
        }
    }

    /// Whether this group is the environment's own.
    pub fn owns(&self, group: &ScalingGroup) -> bool {
        self.group.as_deref() == Some(&group.name)
    }

    /// The tags of a server of a retiring environment.
    pub fn tags(&self) -> BTreeMap<String, String> {
        [
            (SERVICE_TAG, &self.service),
            (ENVIRONMENT_TAG, &self.environment),
            (RETIRING_TAG, &self.deployment),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into()
    }

    /// What is noted on a server before it is protected.
    pub fn protected_tags(&self) -> BTreeMap<String, String> {
        [(PROTECTED_TAG.to_owned(), self.deployment.clone())].into()
    }
}

/// Why an environment cannot be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Unknown is when a target is registered and EC2 does not know its instance: nobody can say what it holds.
    #[error(
        "{group} has the target {instance} and EC2 does not know that instance; deregister it, then redrive"
    )]
    Unknown {
        /// The target group's name.
        group: String,
        /// The target.
        instance: String,
    },
    /// NotHeld is when tags or suspensions were ordered and reading again does not show them.
    #[error(
        "{group} is not held: {missing} after everything was ordered; redrive once nothing else changes it"
    )]
    NotHeld {
        /// The target group's name.
        group: String,
        /// What is missing.
        missing: String,
    },
    /// NotLetGo is when everything was given back and reading again does not show it.
    #[error(
        "{group} is not let go: {left} after everything was ordered; redrive once nothing else changes it"
    )]
    NotLetGo {
        /// The target group's name.
        group: String,
        /// What is left.
        left: String,
    },
}

impl Failure for Refusal {
    /// All may mend by reading again: EC2 and ELB show new instances and tags with a delay.
    fn name(&self) -> ErrorName {
        ErrorName::NotConfirmed
    }
}

/// What is missing until nothing but this deployment ends a server of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    /// The instances that lack a tag.
    pub tags: Vec<String>,
    /// What to note on an Auto Scaling group before its processes are suspended.
    pub note: BTreeMap<String, Note>,
    /// The instances to tag as protected by us before they are.
    pub note_protected: Vec<String>,
    /// The processes to suspend, by Auto Scaling group.
    pub suspend: BTreeMap<String, Vec<String>>,
    /// The instances to protect from scale-in, by Auto Scaling group.
    pub protect: BTreeMap<String, Vec<String>>,
    /// The Auto Scaling groups that end members without waiting for the hook.
    pub hook: Vec<String>,
    /// The instances that scale-in may end and that AWS does not protect in their state, each with that state. Nothing
    /// can be ordered: they are held once they are in service.
    pub unready: Vec<(String, String)>,
}

impl Missing {
    /// Whether the environment is held.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What is missing, in words.
    pub fn words(&self) -> String {
        let suspend = self
            .suspend
            .keys()
            .map(|group| format!("Auto Scaling group {group} still acts"));
        let protect = self
            .protect
            .values()
            .flatten()
            .map(|instance| format!("{instance} is not protected"));
        let unready = self.unready.iter().map(|(instance, state)| {
            format!("{instance} is {state} and cannot be protected before it is in service")
        });
        let tags = self
            .tags
            .iter()
            .map(|instance| format!("{instance} is not tagged"));
        let note = self
            .note
            .keys()
            .map(|group| format!("Auto Scaling group {group} has no note of what is suspended"));
        let hook = self.hook.iter();
        let hook = hook.map(|group| format!("Auto Scaling group {group} has no termination hook"));
        suspend
            .chain(hook)
            .chain(protect)
            .chain(unready)
            .chain(tags)
            .chain(note)
            .take(5)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The registered targets that EC2 does not know.
///
/// # Errors
/// [`Refusal::Unknown`] for the first of them.
pub fn all_known(
    environment: &Environment,
    targets: &[Target],
    instances: &[Instance],
) -> Result<(), Refusal> {
    let known = |id: &str| instances.iter().any(|instance| instance.id == id);
    match targets
        .iter()
        .find(|target| target.registered && !known(&target.instance))
    {
        None => Ok(()),
        Some(target) => Err(Refusal::Unknown {
            group: environment.name.clone(),
            instance: target.instance.clone(),
        }),
    }
}

/// Finds what is missing until the environment is held.
pub fn missing(instances: &[Instance], groups: &[ScalingGroup], holder: &HeldFor) -> Missing {
    let tags = holder.tags();
    let untagged = |instance: &&Instance| {
        instance.is_live()
            && tags
                .iter()
                .any(|(key, value)| instance.tag(key) != Some(value))
    };
    let mut missing = Missing {
        tags: instances
            .iter()
            .filter(untagged)
            .map(|instance| instance.id.clone())
            .collect(),
        ..Missing::default()
    };
    for group in groups {
        suspend(&mut missing, group, holder);
        protect(&mut missing, group, instances);
        if holder.owns(group) && !group.holds_ends {
            missing.hook.push(group.name.clone());
        }
    }
    missing
}

fn suspend(missing: &mut Missing, group: &ScalingGroup, holder: &HeldFor) {
    let acts = |process: &&str| !group.suspended.iter().any(|it| it == process);
    let noted = group.note();
    let took = |process: &&str| {
        let noted = noted.as_ref();
        acts(process) || noted.is_some_and(|it| it.processes.iter().any(|it| it == process))
    };
    let named = |processes: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        processes.map(str::to_owned).collect()
    };
    // What another deployment noted is kept, under this one's name: it was not so before.
    let note = Note {
        deployment: holder.deployment.clone(),
        environment: holder.environment.clone(),
        processes: named(&mut SUSPENDED.into_iter().filter(took)),
    };
    if !note.processes.is_empty() && noted.as_ref() != Some(&note) {
        missing.note.insert(group.name.clone(), note);
    }
    let acting = named(&mut SUSPENDED.into_iter().filter(acts));
    if !acting.is_empty() {
        missing.suspend.insert(group.name.clone(), acting);
    }
}

fn protect(missing: &mut Missing, group: &ScalingGroup, instances: &[Instance]) {
    let members = group.members.iter();
    let (unprotected, unready) = order_protection(members.filter(|member| !member.protected));
    let noted = |id: &String| {
        let instance = instances.iter().find(|instance| instance.id == *id);
        instance.is_some_and(|instance| instance.tag(PROTECTED_TAG).is_some())
    };
    let unnoted = unprotected.iter().filter(|id| !noted(id));
    missing.note_protected.extend(unnoted.cloned());
    missing.unready.extend(unready);
    if !unprotected.is_empty() {
        missing.protect.insert(group.name.clone(), unprotected);
    }
}

/// The members whose protection can be ordered, and the others with their state. A member that leaves is neither: it is
/// beyond protection, and stays on the list by what EC2 says of it.
fn order_protection<'a>(
    members: impl Iterator<Item = &'a ScalingMember>,
) -> (Vec<String>, Vec<(String, String)>) {
    let (ready, unready): (Vec<_>, Vec<_>) = members
        .filter(|member| !member.is_leaving())
        .partition(|member| member.is_protectable());
    let unready = unready
        .into_iter()
        .map(|member| (member.instance.clone(), member.lifecycle.clone()));
    (
        ready
            .into_iter()
            .map(|member| member.instance.clone())
            .collect(),
        unready.collect(),
    )
}

/// The members of `groups` that live on only because a hook holds up their end, by group: something else than this
/// deployment is ending them.
pub fn held_up<'a>(
    instances: &[Instance],
    groups: &'a [ScalingGroup],
) -> Vec<(&'a str, &'a ScalingMember)> {
    living(instances, groups, ScalingMember::is_held_up)
}

/// The members of `groups` that live and are so, by group.
fn living<'a>(
    instances: &[Instance],
    groups: &'a [ScalingGroup],
    is_so: fn(&ScalingMember) -> bool,
) -> Vec<(&'a str, &'a ScalingMember)> {
    let lives = |id: &str| instances.iter().any(|it| it.id == id && it.is_live());
    let members = groups.iter().flat_map(|group| {
        let members = group.members.iter();
        members.map(|member| (group.name.as_str(), member))
    });
    members
        .filter(|(_, member)| is_so(member) && lives(&member.instance))
        .collect()
}

/// Lists the environment's instances by what EC2 says of them, and of its groups' members those whose end is held up.
pub fn list(
    environment: &Environment,
    instances: &[Instance],
    groups: &[ScalingGroup],
    now: Timestamp,
) -> Retiring {
    let ids = |state: InstanceState| -> Vec<String> {
        instances
            .iter()
            .filter(|instance| instance.state == state)
            .map(|instance| instance.id.clone())
            .collect()
    };
    Retiring {
        environment: environment.clone(),
        servers: instances
            .iter()
            .filter(|instance| instance.is_live())
            // Without an address nobody can ask it: it stays on the list, answers nothing, and blocks.
            .map(|instance| Server {
                instance: instance.id.clone(),
                ip: instance.ip.clone().unwrap_or_default(),
            })
            .collect(),
        gone: ids(InstanceState::Terminated),
        waiting_to_end: ids(InstanceState::ShuttingDown),
        held_up: held_up(instances, groups)
            .into_iter()
            .map(|(_, member)| member.instance.clone())
            .collect(),
        listed_at: now,
    }
}

#[cfg(test)]
mod tests;
