//! Green in an Auto Scaling group: what the group is given, and whether what it launches is healthy, or given up.
//!
//! The group launches, registers and heals by itself. It is woken once, by sizes and version in one call; from then on its
//! sizes are its user's, whose policies and schedules count again. Refuses to wait for ever: green is given up when it is
//! not healthy in time, counted from the first look at it.

use jiff::Timestamp;

use super::{Launching, Unseen, Verdict, count, is_healthy, seconds, server, silent, states};
use crate::observed::{Instance, Target};
use crate::plan::{Green, GroupLaunch};
use crate::scaling::{ScalingGroup, Sizes};
use crate::shape::Server;

/// What is there of green.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Its group, with its members.
    pub group: ScalingGroup,
    /// The members' instances.
    pub instances: Vec<Instance>,
    /// The targets of its target groups: healthy is who is healthy in all of them.
    pub targets: Vec<Target>,
    /// Why launches of the group failed since it was woken, in AWS's words, each once.
    pub failures: Vec<String>,
    /// Why an operator wants it given up, if one does.
    pub given_up: Option<String>,
}

/// What is done to the group next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wake gives it its sizes, and the version to launch.
    Wake,
    /// Resume gives back the processes that parking suspended.
    Resume(Vec<String>),
    /// Forget drops the note of them.
    Forget,
}

/// What to do about green, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of green.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What to do to the group; none when it has all that it needs.
    pub step: Option<Step>,
    /// Its live members that have an address.
    pub servers: Vec<Server>,
    /// How many members are in service and healthy.
    pub healthy: u32,
    /// How many have to be.
    pub wanted: u32,
    /// What the next look needs.
    pub launching: Launching,
}

/// Decides what green needs; `former` is what the look before left.
pub fn decide(
    seen: &Observation,
    green: &Green,
    wake: &GroupLaunch,
    bounds: Bounds,
    former: &Launching,
    now: Timestamp,
) -> Decision {
    let launching = since(&seen.group.name, former, now);
    let in_service = |id: &str| {
        let mut members = seen.group.members.iter();
        members.any(|it| it.instance == id && it.lifecycle == "InService")
    };
    let live = seen.instances.iter().filter(|it| it.is_live());
    let live: Vec<&Instance> = live.collect();
    let healthy = |it: &&&Instance| in_service(&it.id) && is_healthy(&seen.targets, &it.id);
    let healthy = count(live.iter().filter(healthy));
    let wanted = wanted(&seen.group.sizes, green.count, bounds.minimum_healthy);
    let look = Look {
        seen,
        green,
        healthy,
        wanted,
        launching: &launching,
    };
    let (verdict, reason) = look.judge(bounds.healthy_seconds, now);
    Decision {
        verdict,
        reason,
        step: (verdict != Verdict::Rejected)
            .then(|| step(seen, wake))
            .flatten(),
        servers: live.iter().filter_map(|it| server(it)).collect(),
        healthy,
        wanted,
        launching,
    }
}

/// The bounds of a wait for green.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long it may take to become healthy.
    pub healthy_seconds: u32,
    /// How many servers it needs to be given weight.
    pub minimum_healthy: u32,
}

/// A group that is parked wakes; and whatever parking took is given back once it is awake.
fn step(seen: &Observation, wake: &GroupLaunch) -> Option<Step> {
    let group = &seen.group;
    if group.sizes == Sizes::PARKED && wake.sizes != Sizes::PARKED {
        return Some(Step::Wake);
    }
    let note = group.note()?;
    let mut taken = note.processes;
    taken.retain(|process| group.suspended.contains(process));
    Some(if taken.is_empty() {
        Step::Forget
    } else {
        Step::Resume(taken)
    })
}

/// As many as were planned, or as its user's policies ask for meanwhile, but never fewer than it takes to be given weight.
fn wanted(sizes: &Sizes, planned: u32, minimum_healthy: u32) -> u32 {
    let asked = if *sizes == Sizes::PARKED {
        planned
    } else {
        planned.min(sizes.desired)
    };
    asked.max(minimum_healthy)
}

/// Since when the group is waited for.
fn since(group: &str, former: &Launching, now: Timestamp) -> Launching {
    Launching {
        unseen: former.unseen.clone().or_else(|| {
            Some(Unseen {
                launches: format!("members of {group}"),
                since: now,
            })
        }),
        ..former.clone()
    }
}

/// What one look found, to be judged.
struct Look<'a> {
    seen: &'a Observation,
    green: &'a Green,
    healthy: u32,
    wanted: u32,
    launching: &'a Launching,
}

impl Look<'_> {
    fn judge(&self, healthy_seconds: u32, now: Timestamp) -> (Verdict, String) {
        let (healthy, wanted) = (self.healthy, self.wanted);
        let given_up = self.seen.given_up.clone();
        let unfit = || silent(&self.seen.instances).or_else(|| self.launches_another());
        if let Some(reason) = given_up.or_else(unfit) {
            return (Verdict::Rejected, reason);
        }
        let awake = self.seen.group.sizes != Sizes::PARKED && self.seen.group.note().is_none();
        let reason = format!(
            "{healthy} of {wanted} servers of Auto Scaling group {} are healthy",
            self.seen.group.name
        );
        if awake && healthy >= wanted {
            return (Verdict::Healthy, reason);
        }
        let reason = format!("{reason}{}{}", states(&self.seen.targets), self.failures());
        let since = self.launching.unseen.as_ref().map_or(now, |it| it.since);
        if now.duration_since(since) > seconds(healthy_seconds) {
            let reason = format!("{reason}, {healthy_seconds} s after it was asked to launch them");
            return (Verdict::Rejected, reason);
        }
        (Verdict::Wait, reason)
    }

    /// A group that is awake with another version than was planned: somebody else has changed it.
    fn launches_another(&self) -> Option<String> {
        let (group, wanted) = (&self.seen.group, &self.green.launch_template_version);
        let other = group.sizes != Sizes::PARKED && group.version != *wanted;
        other.then(|| {
            format!(
                "Auto Scaling group {} launches version {} and not {wanted}: somebody else has changed it (an apply that does \
                 not ignore the version?)",
                group.name, group.version
            )
        })
    }

    /// Why the group could not launch: at most three reasons.
    fn failures(&self) -> String {
        let failures = &self.seen.failures;
        if failures.is_empty() {
            return String::new();
        }
        let first: Vec<&str> = failures.iter().take(3).map(String::as_str).collect();
        format!(
            " (Auto Scaling says of launches that failed: {})",
            first.join("; ")
        )
    }
}

#[cfg(test)]
mod tests;
