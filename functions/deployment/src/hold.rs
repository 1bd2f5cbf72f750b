//! How a retiring environment is held and listed: which tags, suspensions and protections are missing, and who is in it.
//!
//! Refuses to lose a server: whatever is registered or tagged stays on the list until EC2 calls it terminated. Called
//! by `hold-blue`, before the first weight moves and again in every pass.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::observed::{
    ENVIRONMENT_TAG, Instance, InstanceState, RETIRING_TAG, SERVICE_TAG, Target,
};
use crate::shape::{Environment, Fence, Retiring, Server};

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

/// One Auto Scaling group with members of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingGroup {
    /// Its name.
    pub name: String,
    /// The processes that are suspended already.
    pub suspended: Vec<String>,
    /// Its smallest size.
    pub min_size: u32,
    /// How many instances it keeps.
    pub desired: u32,
    /// Its members that belong to the environment.
    pub members: Vec<ScalingMember>,
}

/// An instance in an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingMember {
    /// The instance's id.
    pub instance: String,
    /// Whether scale-in spares it.
    pub protected: bool,
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
}

/// What is missing until nothing but this deployment ends a server of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    /// The instances that lack a tag.
    pub tags: Vec<String>,
    /// The processes to suspend, by Auto Scaling group.
    pub suspend: BTreeMap<String, Vec<String>>,
    /// The instances to protect from scale-in, by Auto Scaling group.
    pub protect: BTreeMap<String, Vec<String>>,
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
        let tags = self
            .tags
            .iter()
            .map(|instance| format!("{instance} is not tagged"));
        suspend
            .chain(protect)
            .chain(tags)
            .take(5)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The tags of a server of a retiring environment.
pub fn tags(service: &str, fence: &Fence, environment: &Environment) -> BTreeMap<String, String> {
    [
        (SERVICE_TAG, service),
        (ENVIRONMENT_TAG, &environment.name),
        (RETIRING_TAG, &fence.deployment),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
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
pub fn missing(
    instances: &[Instance],
    groups: &[ScalingGroup],
    tags: &BTreeMap<String, String>,
) -> Missing {
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
        let acting: Vec<String> = SUSPENDED
            .iter()
            .filter(|process| {
                !group
                    .suspended
                    .iter()
                    .any(|suspended| suspended == *process)
            })
            .map(|process| (*process).to_owned())
            .collect();
        let unprotected: Vec<String> = group
            .members
            .iter()
            .filter(|member| !member.protected)
            .map(|member| member.instance.clone())
            .collect();
        if !acting.is_empty() {
            missing.suspend.insert(group.name.clone(), acting);
        }
        if !unprotected.is_empty() {
            missing.protect.insert(group.name.clone(), unprotected);
        }
    }
    missing
}

/// Lists the environment's instances by what EC2 says of them.
pub fn list(environment: &Environment, instances: &[Instance], now: Timestamp) -> Retiring {
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
        listed_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            target_group_arn: "arn:a".to_owned(),
            name: "tunnel-a".to_owned(),
        }
    }

    fn fence() -> Fence {
        Fence {
            deployment: "deploy-1".to_owned(),
            epoch: 5,
        }
    }

    fn all_tags() -> BTreeMap<String, String> {
        tags("tunnel", &fence(), &environment())
    }

    fn instance(id: &str, state: InstanceState, tags: BTreeMap<String, String>) -> Instance {
        let ip = (state != InstanceState::Terminated).then(|| "10.0.0.1".to_owned());
        Instance {
            id: id.to_owned(),
            ip,
            subnet: None,
            state,
            launched_at: None,
            tags,
        }
    }

    fn group(suspended: &[&str], protected: bool) -> ScalingGroup {
        ScalingGroup {
            name: "asg".to_owned(),
            suspended: suspended.iter().map(|name| (*name).to_owned()).collect(),
            min_size: 3,
            desired: 3,
            members: vec![ScalingMember {
                instance: "i-1".to_owned(),
                protected,
            }],
        }
    }

    #[test]
    fn a_held_environment_needs_nothing() {
        let instances = [instance("i-1", InstanceState::Running, all_tags())];
        assert!(missing(&instances, &[group(&SUSPENDED, true)], &all_tags()).is_none());
    }

    #[test]
    fn whatever_is_not_held_is_named() {
        let mut old = all_tags();
        old.insert(RETIRING_TAG.to_owned(), "deploy-0".to_owned());
        let instances = [
            instance("i-1", InstanceState::Running, BTreeMap::new()),
            instance("i-2", InstanceState::Stopped, old),
            instance("i-3", InstanceState::Terminated, BTreeMap::new()),
        ];
        let missing = missing(
            &instances,
            &[group(&["AZRebalance", "Launch"], false)],
            &all_tags(),
        );
        assert_eq!(missing.tags, ["i-1", "i-2"]);
        assert_eq!(missing.suspend["asg"], SUSPENDED[1..]);
        assert_eq!(missing.protect["asg"], ["i-1"]);
        assert!(
            missing.words().contains("i-1 is not protected"),
            "{}",
            missing.words()
        );
    }

    #[test]
    fn only_terminated_is_gone() {
        let instances = [
            instance("i-1", InstanceState::Running, BTreeMap::new()),
            instance("i-2", InstanceState::Stopped, BTreeMap::new()),
            instance("i-3", InstanceState::Other, BTreeMap::new()),
            instance("i-4", InstanceState::ShuttingDown, BTreeMap::new()),
            instance("i-5", InstanceState::Terminated, BTreeMap::new()),
        ];
        let retiring = list(&environment(), &instances, Timestamp::UNIX_EPOCH);
        let servers: Vec<&str> = retiring
            .servers
            .iter()
            .map(|server| server.instance.as_str())
            .collect();
        assert_eq!(servers, ["i-1", "i-2", "i-3"]);
        assert_eq!(retiring.waiting_to_end, ["i-4"]);
        assert_eq!(retiring.gone, ["i-5"]);
    }

    #[test]
    fn a_target_that_ec2_does_not_know_is_refused() {
        let target = |instance: &str, registered| Target {
            instance: instance.to_owned(),
            registered,
            healthy: true,
            state: String::new(),
        };
        let instances = [instance("i-1", InstanceState::Running, BTreeMap::new())];
        assert_eq!(
            all_known(
                &environment(),
                &[target("i-1", true), target("i-2", false)],
                &instances
            ),
            Ok(())
        );
        assert_eq!(
            all_known(&environment(), &[target("i-2", true)], &instances),
            Err(Refusal::Unknown {
                group: "tunnel-a".to_owned(),
                instance: "i-2".to_owned()
            })
        );
    }
}
