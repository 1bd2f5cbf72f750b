//! What is left of a hold: what to give back to an environment that serves on, and which notes to drop then.
//!
//! Gives back only what was noted as taken. A note is dropped only once reading shows that everything it names was given
//! back. Called by `hold-blue` after a rollback.

use std::collections::BTreeMap;

use super::{HeldFor, PROTECTED_TAG, order_protection};
use crate::observed::{Instance, RETIRING_TAG};
use crate::scaling::{ScalingGroup, ScalingMember};

/// What is left of holding an environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Left {
    /// The processes to resume, by Auto Scaling group; never an empty list, which to AWS means every process.
    pub resume: BTreeMap<String, Vec<String>>,
    /// The instances to unprotect, by Auto Scaling group.
    pub unprotect: BTreeMap<String, Vec<String>>,
    /// The Auto Scaling groups from which to take the hook.
    pub unhook: Vec<String>,
    /// The instances that would end if the hook were taken: something else than this deployment is ending them.
    pub held_up: Vec<String>,
    /// The protected instances whose state allows no order now, each with that state.
    pub unready: Vec<(String, String)>,
    /// The Auto Scaling groups with a note to drop.
    pub noted_groups: Vec<String>,
    /// The instances with a tag to drop: as retiring, or as protected by us.
    pub tagged: Vec<String>,
}

impl Left {
    /// Whether the environment is not held in any way, and nothing says that it is.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is still to be given back: no note may be dropped before.
    pub fn holds(&self) -> bool {
        !(self.resume.is_empty()
            && self.unprotect.is_empty()
            && self.unhook.is_empty()
            && self.held_up.is_empty()
            && self.unready.is_empty())
    }

    /// What is left, in words.
    pub fn words(&self) -> String {
        let resume = self.resume.keys();
        let resume = resume.map(|group| format!("Auto Scaling group {group} is still suspended"));
        let unprotect = self.unprotect.values().flatten();
        let unprotect = unprotect.map(|instance| format!("{instance} is still protected"));
        let unready = self.unready.iter().map(|(instance, state)| {
            format!("{instance} is {state} and stays protected before it is in service")
        });
        let held_up = self.held_up.iter().map(|instance| {
            format!(
                "{instance} is being ended by its group, and only the hook keeps its sessions, for two hours from now: redrive \
                 until they have ended, then complete the hook by hand"
            )
        });
        let unhook = self.unhook.iter();
        let unhook = unhook.map(|group| format!("Auto Scaling group {group} still has the hook"));
        let noted = self.noted_groups.iter();
        let noted = noted.map(|group| format!("Auto Scaling group {group} is still tagged"));
        let tagged = self.tagged.iter();
        let tagged = tagged.map(|instance| format!("{instance} is still tagged"));
        held_up
            .chain(resume)
            .chain(unhook)
            .chain(unprotect)
            .chain(unready)
            .chain(noted)
            .chain(tagged)
            .take(5)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Finds what is left of holding `holder`'s environment: its instances, and the groups that have one of them or a note.
pub fn left(instances: &[Instance], groups: &[ScalingGroup], holder: &HeldFor) -> Left {
    let tagged = |instance: &&Instance| {
        let tags = [RETIRING_TAG, PROTECTED_TAG];
        instance.is_live() && tags.iter().any(|key| instance.tag(key).is_some())
    };
    let tagged = instances.iter().filter(tagged);
    let mut left = Left {
        tagged: tagged.map(|instance| instance.id.clone()).collect(),
        ..Left::default()
    };
    for group in groups {
        resume(&mut left, group, holder);
        unprotect(&mut left, group, instances);
        unhook(&mut left, group, instances, holder);
    }
    left
}

/// A group without a member in the environment is another's, unless this deployment noted that it held it: all its
/// members may have ended since.
fn resume(left: &mut Left, group: &ScalingGroup, holder: &HeldFor) {
    let Some(note) = group.note() else {
        return;
    };
    let noted = note.deployment == holder.deployment && note.environment == holder.environment;
    if group.members.is_empty() && !noted {
        return;
    }
    left.noted_groups.push(group.name.clone());
    let mut processes = note.processes;
    processes.retain(|process| group.suspended.contains(process));
    if !processes.is_empty() {
        left.resume.insert(group.name.clone(), processes);
    }
}

/// Taking the hook from a group ends whoever it holds up, and whoever it would hold up in a moment.
fn unhook(left: &mut Left, group: &ScalingGroup, instances: &[Instance], holder: &HeldFor) {
    if !(holder.owns(group) && group.holds_ends) {
        return;
    }
    let groups = std::slice::from_ref(group);
    let held_up = super::living(instances, groups, ScalingMember::will_be_held_up);
    if held_up.is_empty() {
        left.unhook.push(group.name.clone());
    }
    let held_up = held_up.into_iter().map(|(_, it)| it.instance.clone());
    left.held_up.extend(held_up);
}

fn unprotect(left: &mut Left, group: &ScalingGroup, instances: &[Instance]) {
    let noted = |id: &str| {
        let instance = instances.iter().find(|instance| instance.id == id);
        instance.is_some_and(|instance| instance.tag(PROTECTED_TAG).is_some())
    };
    let members = group.members.iter();
    let (ready, unready) =
        order_protection(members.filter(|member| member.protected && noted(&member.instance)));
    left.unready.extend(unready);
    if !ready.is_empty() {
        left.unprotect.insert(group.name.clone(), ready);
    }
}
