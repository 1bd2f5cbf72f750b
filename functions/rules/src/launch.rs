//! What is missing of green: which instances to launch, which to register, and whether green is healthy, or given up.
//!
//! Refuses to launch for ever: green is rejected when it is not healthy in time, or when it took too many launches.
//! Called by `launch-green`, again and again until it says anything but `wait`.
//!
//! EC2 may show only some of what it launched. So the launches of a subnet are numbered, each number is one client token,
//! which launches once however often it is sent, and no number is given out before as many servers have ended: a subnet
//! never has more live servers than its share, whatever is seen of them.

pub mod group;
mod launching;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::observed::{Instance, InstanceState, Target};
use crate::plan::{Green, SubnetShare};
use crate::shape::{Environment, Server};

pub use launching::{Launching, MOST_GENERATIONS, UNSEEN_SECONDS, Unseen};

/// What is there of green.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Every instance tagged with this deployment and green's environment, ended ones included while EC2 shows them.
    pub instances: Vec<Instance>,
    /// The targets of green's group.
    pub targets: Vec<Target>,
    /// Why an operator wants it given up, if one does.
    pub given_up: Option<String>,
}

/// What becomes of green now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Healthy is when as many servers as wanted are healthy in green's group.
    Healthy,
    /// Wait is when that may still come.
    Wait,
    /// Rejected is when green is given up; its servers never had traffic.
    Rejected,
}

/// Instances to launch in one subnet, in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The subnet.
    pub subnet: String,
    /// How many.
    pub count: u32,
    /// Which of the subnet's launches this is: makes the call's client token its own, and a repeat's the same. Launch 0 is
    /// the whole share, all or none; a launch from the share's size on replaces one server that ended.
    pub index: u32,
}

/// What to do about green, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of green.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What to launch.
    pub launch: Vec<Launch>,
    /// Which instances to register in green's group.
    pub register: Vec<String>,
    /// Green's live servers that have an address.
    pub servers: Vec<Server>,
    /// How many of them are healthy in the group.
    pub healthy: u32,
    /// What the next look needs.
    pub launching: Launching,
}

/// The answer of `launch-green`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launched {
    /// The next step.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Seconds until the next look, where one follows.
    pub wait_seconds: u64,
    /// Green.
    pub environment: Environment,
    /// Its live servers that have an address.
    pub servers: Vec<Server>,
    /// How many of them are healthy.
    pub healthy: u32,
    /// How many have to be.
    pub wanted: u32,
    /// What the next look needs; nobody else reads it.
    pub launching: Launching,
}

/// Seconds until the next look at green: a 120th of the time that it may take, so that the loop's length does not hang on
/// that, and at least 5.
pub fn wait_seconds(healthy_seconds: u32) -> u64 {
    u64::from(healthy_seconds / 120).max(5)
}

/// What a subnet lacks of its share.
struct Lack {
    /// How many live servers EC2 does not show there.
    missing: u32,
    /// What to launch there: less than what is missing while some of it exists and is not seen yet.
    launch: Vec<Launch>,
}

/// Decides what green needs; `former` is what the look before left.
pub fn decide(
    seen: &Observation,
    green: &Green,
    healthy_seconds: u32,
    former: &Launching,
    now: Timestamp,
) -> Decision {
    let live: Vec<&Instance> = seen
        .instances
        .iter()
        .filter(|instance| instance.is_live())
        .collect();
    let lacks: Vec<Lack> = green
        .subnets
        .iter()
        .map(|share| lack(seen, share, now))
        .collect();
    let register = live
        .iter()
        // AWS refuses to register what is not running yet (RegisterTargets: InvalidTarget).
        .filter(|instance| {
            instance.state == InstanceState::Running && !is_registered(seen, &instance.id)
        })
        .map(|instance| instance.id.clone())
        .collect();
    let healthy = count(
        live.iter()
            .filter(|instance| is_healthy(&seen.targets, &instance.id)),
    );
    let missing = lacks.iter().map(|lack| lack.missing).sum();
    let launch: Vec<Launch> = lacks.into_iter().flat_map(|lack| lack.launch).collect();
    let launching = former.after(&launch, now);
    let look = Look {
        seen,
        wanted: green.count,
        healthy,
        missing,
        launch: &launch,
        launching: &launching,
    };
    let (verdict, reason) = look.judge(healthy_seconds, now);
    let stay = verdict == Verdict::Rejected;
    Decision {
        verdict,
        reason,
        launch: if stay { Vec::new() } else { launch },
        register: if stay { Vec::new() } else { register },
        servers: live
            .iter()
            .filter_map(|instance| server(instance))
            .collect(),
        healthy,
        launching,
    }
}

/// What one look found, to be judged.
struct Look<'a> {
    seen: &'a Observation,
    wanted: u32,
    healthy: u32,
    missing: u32,
    launch: &'a [Launch],
    launching: &'a Launching,
}

impl Look<'_> {
    fn judge(&self, healthy_seconds: u32, now: Timestamp) -> (Verdict, String) {
        let (healthy, wanted) = (self.healthy, self.wanted);
        if let Some(reason) = self.seen.given_up.clone().or_else(|| self.silent()) {
            return (Verdict::Rejected, reason);
        }
        if self.missing == 0 && healthy >= wanted {
            let reason = format!("{healthy} of {wanted} servers are healthy");
            return (Verdict::Healthy, reason);
        }
        if let Some(reason) = self.given_up() {
            return (Verdict::Rejected, reason);
        }
        let ordered: u32 = self.launch.iter().map(|launch| launch.count).sum();
        if ordered > 0 {
            let reason = format!(
                "{ordered} of {wanted} servers are to be launched{}",
                endings(self.seen)
            );
            return (Verdict::Wait, reason);
        }
        let live = self.seen.instances.iter().filter(|it| it.is_live());
        let newest = live.filter_map(|it| it.launched_at).max();
        let late =
            newest.is_some_and(|newest| now.duration_since(newest) > seconds(healthy_seconds));
        let reason = format!(
            "{healthy} of {wanted} servers are healthy{}",
            states(&self.seen.targets)
        );
        if late {
            let reason = format!("{reason}, {healthy_seconds} s after the newest launch");
            return (Verdict::Rejected, reason);
        }
        (Verdict::Wait, reason)
    }

    /// Why green is given up, however long it may still take to become healthy.
    fn given_up(&self) -> Option<String> {
        let (wanted, missing) = (self.wanted, self.missing);
        let launched = count(self.seen.instances.iter());
        if launched + missing > 2 * wanted {
            return Some(format!(
                "{launched} instances were launched for {wanted} servers and {missing} are missing again; look why they \
                 end by themselves{}",
                endings(self.seen)
            ));
        }
        if self.launching.is_over() {
            return Some(format!(
                "AWS took the order for {missing} servers {MOST_GENERATIONS} times, and each time EC2 showed nothing of \
                 them for {UNSEEN_SECONDS} s"
            ));
        }
        None
    }

    /// A server that runs and that nobody could ever ask for its sessions, however healthy it is.
    fn silent(&self) -> Option<String> {
        silent(&self.seen.instances)
    }
}

fn silent(instances: &[Instance]) -> Option<String> {
    let mut instances = instances.iter();
    let silent = instances.find(|it| it.state == InstanceState::Running && it.ip.is_none())?;
    Some(format!(
        "{} has no private IPv4 address, and nobody could ever ask it for its sessions: launch into subnets with IPv4",
        silent.id
    ))
}

/// Why instances ended, in EC2's words: at most three of them.
fn endings(seen: &Observation) -> String {
    let ended = seen.instances.iter().filter(|it| !it.is_live());
    let reasons: BTreeSet<&String> = ended.filter_map(|it| it.ended_by.as_ref()).collect();
    let reasons: Vec<&str> = reasons.into_iter().take(3).map(String::as_str).collect();
    if reasons.is_empty() {
        String::new()
    } else {
        format!(" (EC2 says of what ended: {})", reasons.join("; "))
    }
}

fn lack(seen: &Observation, share: &SubnetShare, now: Timestamp) -> Lack {
    let instances = seen.instances.iter();
    let here: Vec<&Instance> = instances
        .filter(|instance| instance.subnet.as_deref() == Some(&share.subnet_id))
        .collect();
    let known = count(here.iter());
    let live = count(here.iter().filter(|instance| instance.is_live()));
    let launch = |index, count| Launch {
        subnet: share.subnet_id.clone(),
        count,
        index,
    };
    let launches = if known == 0 && share.count > 0 {
        vec![launch(0, share.count)]
    } else {
        // Launch 0 was all or none: with one of it seen, the rest of it is there, or has ended so long ago that it is
        // not shown any more.
        let unseen = share.count.saturating_sub(known);
        let alive = live + if is_young(&here, now) { unseen } else { 0 };
        let first = known.max(share.count);
        let ended = share.count.saturating_sub(alive);
        (first..first + ended)
            .map(|index| launch(index, 1))
            .collect()
    };
    Lack {
        missing: share.count.saturating_sub(live),
        launch: launches,
    }
}

/// Whether the newest of the instances was launched so recently that EC2 may not show others yet.
fn is_young(instances: &[&Instance], now: Timestamp) -> bool {
    let newest = instances.iter().filter_map(|it| it.launched_at).max();
    newest.is_some_and(|newest| now.duration_since(newest) <= seconds(UNSEEN_SECONDS))
}

/// The targets that are not healthy, as the load balancer explains them: at most five.
fn states(targets: &[Target]) -> String {
    let sick: Vec<String> = targets
        .iter()
        .filter(|target| target.registered && !target.healthy)
        .take(5)
        .map(|target| format!("{} {}", target.instance, target.state))
        .collect();
    if sick.is_empty() {
        String::new()
    } else {
        format!(" ({})", sick.join(", "))
    }
}

fn is_registered(seen: &Observation, instance: &str) -> bool {
    seen.targets
        .iter()
        .any(|target| target.instance == instance && target.registered)
}

fn is_healthy(targets: &[Target], instance: &str) -> bool {
    targets
        .iter()
        .any(|target| target.instance == instance && target.registered && target.healthy)
}

fn server(instance: &Instance) -> Option<Server> {
    let ip = instance.ip.clone()?;
    Some(Server {
        instance: instance.id.clone(),
        ip,
    })
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

fn seconds(seconds: u32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}

#[cfg(test)]
mod tests;
