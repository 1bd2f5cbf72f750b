//! How an emptied environment's own Auto Scaling group is parked: nothing runs in it, and nothing wakes it.
//!
//! Sizes come first, since a process that is resumed above them would launch. AlarmNotification and ScheduledActions stay
//! suspended, or the action of 08:00 wakes the group; the note of what was suspended stays with them, and the next
//! deployment gives them back. Whatever stops it half-way, reading again says what is left.

use super::{Licence, Observation, Termination};
use crate::hold::Note;
use crate::scaling::{ScalingGroup, Sizes};

/// What a parked group does not do: change its own sizes.
const PARKED: [&str; 2] = ["AlarmNotification", "ScheduledActions"];

/// What is left to do until a group is parked, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parking {
    /// Whether its sizes are to be 0.
    pub sizes: bool,
    /// The version that it is to name, if another than it does.
    pub version: Option<String>,
    /// What to note before anything is suspended.
    pub note: Option<Note>,
    /// The processes to suspend.
    pub suspend: Vec<String>,
    /// The processes to resume.
    pub resume: Vec<String>,
    /// The note that stays, if it is another one than there is; none in it: it is dropped.
    pub keep: Option<Option<Note>>,
    /// Whether to take the hook away: only once reading has shown that the group launches nobody any more.
    pub unhook: bool,
}

impl Parking {
    /// What is left to do of the environment's own group. While it has members that may hold sessions nothing is done
    /// to it; one that never served gets its sizes first, so that it launches no more.
    pub fn of(seen: &Observation, order: &Termination) -> Self {
        let Some(group) = &seen.group else {
            return Self::default();
        };
        let whole = Self::whole(group, order);
        match (group.members.is_empty(), order.licence) {
            (true, _) => whole,
            (false, Licence::NeverServed) => Self {
                sizes: whole.sizes,
                version: whole.version,
                ..Self::default()
            },
            (false, Licence::Sealed) => Self::default(),
        }
    }

    /// Whether the group is parked, or has no need to be yet.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn whole(group: &ScalingGroup, order: &Termination) -> Self {
        let noted = group.note().map(|note| note.processes).unwrap_or_default();
        let is_suspended = |process: &&str| group.suspended.iter().any(|it| it == process);
        let acting = PARKED.iter().filter(|process| !is_suspended(process));
        let acting: Vec<String> = acting.map(|it| (*it).to_owned()).collect();
        let ours = |process: &&str| {
            let is = |one: &String| one == process;
            noted.iter().any(is) || acting.iter().any(is)
        };
        let kept: Vec<String> = PARKED
            .iter()
            .filter(|it| ours(it))
            .map(|it| (*it).to_owned())
            .collect();
        let mut before = noted.clone();
        before.extend(acting.iter().cloned());
        let resume = noted.iter().filter(|it| !kept.contains(it));
        let resume = resume.filter(|it| is_suspended(&it.as_str()));
        let resume: Vec<String> = resume.cloned().collect();
        let note = |processes| note(order, processes);
        let stays = (!kept.is_empty()).then(|| note(kept));
        let version = order
            .version_before
            .clone()
            .filter(|it| *it != group.version);
        Self {
            sizes: group.sizes != Sizes::PARKED,
            version,
            note: (!acting.is_empty()).then(|| note(before)),
            suspend: acting,
            resume,
            keep: (group.note().map(|it| it.processes)
                != stays.as_ref().map(|it| it.processes.clone()))
            .then_some(stays),
            // What the group launched while its sizes were set is ended by it now, and held up: it is seen first.
            unhook: group.holds_ends && group.sizes == Sizes::PARKED,
        }
    }
}

fn note(order: &Termination, processes: Vec<String>) -> Note {
    Note {
        deployment: order.deployment.clone(),
        environment: order.environment.name.clone(),
        processes,
    }
}

#[cfg(test)]
mod tests;
