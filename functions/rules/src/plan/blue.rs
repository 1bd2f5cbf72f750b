//! Blue as the preflight finds it: who serves, at every listener, and whether green could take over from it.

use std::collections::BTreeSet;

use super::{Group, Observation, Refusal};
use crate::knobs::MOST_INSTANCES;
use crate::observed::{Target, healthy};
use crate::shape::Environment;

/// Blue's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those that are registered at any listener.
    pub(super) registered: u32,
    /// The healthy ones, at the listener that has the fewest.
    pub(super) healthy: u32,
}

impl Counts {
    pub(super) fn of(groups: &[&Group]) -> Self {
        let registered = servers(groups).len();
        let healthy = groups.iter().map(|group| healthy(&group.targets)).min();
        Self {
            registered: u32::try_from(registered).unwrap_or(u32::MAX),
            healthy: healthy.unwrap_or_default(),
        }
    }
}

fn servers<'a>(groups: &[&'a Group]) -> BTreeSet<&'a String> {
    groups.iter().flat_map(|group| group.registered()).collect()
}

/// What keeps green from taking over.
pub(super) fn refuse(seen: &Observation, blue: &Environment, counts: Counts) -> Vec<Refusal> {
    let groups = seen.groups_of(blue);
    let mut refusals: Vec<Refusal> = groups
        .iter()
        .flat_map(|group| refuse_group(group))
        .collect();
    refusals.extend(refuse_difference(&groups));
    if counts.registered > MOST_INSTANCES {
        refusals.push(Refusal::TooManyServers {
            group: blue.name.clone(),
            servers: counts.registered,
            most: MOST_INSTANCES,
        });
    }
    refusals
}

fn refuse_group(group: &Group) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if healthy(&group.targets) == 0 {
        refusals.push(Refusal::BlueUnhealthy {
            group: group.name(),
            targets: crate::observed::registered(&group.targets),
        });
    }
    // Green would be registered on the group's port, where nothing may listen.
    let elsewhere = |target: &&Target| target.registered && target.ports != [group.port];
    let elsewhere = group.targets.iter().filter(elsewhere);
    let elsewhere: Vec<String> = elsewhere.map(|target| target.instance.clone()).collect();
    if !elsewhere.is_empty() {
        refusals.push(Refusal::OwnPorts {
            group: group.name(),
            port: group.port,
            instances: elsewhere,
        });
    }
    refusals
}

/// Green gets every server at every listener; of a blue that is not like that nobody can say how many each needs.
fn refuse_difference(groups: &[&Group]) -> Vec<Refusal> {
    let all = servers(groups);
    let lacking = |group: &&Group| {
        let own: BTreeSet<&String> = group.registered().collect();
        let lacking: Vec<String> = all.difference(&own).map(|it| (*it).clone()).collect();
        (!lacking.is_empty()).then(|| Refusal::BlueDiffers {
            group: group.name(),
            instances: lacking,
        })
    };
    groups.iter().filter_map(lacking).collect()
}

/// What an operator should know of blue, and of how many servers green gets beside it.
pub(super) fn warnings(
    seen: &Observation,
    blue: &Environment,
    counts: Counts,
    count: u32,
) -> Vec<String> {
    let sick = |group: &&Group| {
        let (registered, healthy) = (group.registered().count(), healthy(&group.targets));
        (registered > healthy as usize).then(|| {
            format!(
                "{healthy} of {registered} targets of {} are healthy",
                group.name()
            )
        })
    };
    let groups = seen.groups_of(blue);
    let mut warnings: Vec<String> = groups.iter().filter_map(sick).collect();
    if count < counts.registered {
        let registered = counts.registered;
        warnings.push(format!("green gets {count} servers, blue has {registered}"));
    }
    warnings
}
