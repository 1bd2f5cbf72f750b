//! What is missing of green: which instances to launch, which to register, and whether green is healthy, or given up.
//!
//! Refuses to launch for ever: green is rejected when it is not healthy in time, or when it took too many launches.
//! Called by `launch-green`, again and again until it says anything but `wait`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::observed::{Instance, InstanceState, Target};
use crate::plan::{Green, SubnetShare};
use crate::shape::Server;

/// What is there of green.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Every instance tagged with this deployment and green's environment, ended ones included while EC2 shows them.
    pub instances: Vec<Instance>,
    /// The targets of green's group.
    pub targets: Vec<Target>,
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
    /// How many were launched there before: makes the call's client token its own, and a repeat's the same.
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
}

/// Decides what green needs.
pub fn decide(seen: &Observation, green: &Green, healthy_seconds: u32, now: Timestamp) -> Decision {
    let live: Vec<&Instance> = seen
        .instances
        .iter()
        .filter(|instance| instance.is_live())
        .collect();
    let launch: Vec<Launch> = green
        .subnets
        .iter()
        .filter_map(|share| missing(seen, share))
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
            .filter(|instance| is_healthy(seen, &instance.id)),
    );
    let (verdict, reason) = judge(seen, green, healthy, &launch, healthy_seconds, now);
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
    }
}

fn judge(
    seen: &Observation,
    green: &Green,
    healthy: u32,
    launch: &[Launch],
    healthy_seconds: u32,
    now: Timestamp,
) -> (Verdict, String) {
    let wanted = green.count;
    let launched = count(seen.instances.iter());
    let missing: u32 = launch.iter().map(|launch| launch.count).sum();
    if missing == 0 && healthy >= wanted {
        return (
            Verdict::Healthy,
            format!("{healthy} of {wanted} servers are healthy"),
        );
    }
    if launched + missing > 2 * wanted {
        let reason = format!(
            "{launched} instances were launched for {wanted} servers and {missing} are missing again; \
             look why they end by themselves"
        );
        return (Verdict::Rejected, reason);
    }
    if missing > 0 {
        return (
            Verdict::Wait,
            format!("{missing} of {wanted} servers are to be launched"),
        );
    }
    let newest = seen
        .instances
        .iter()
        .filter(|instance| instance.is_live())
        .filter_map(|it| it.launched_at)
        .max();
    let late = newest.is_some_and(|newest| now.duration_since(newest) > seconds(healthy_seconds));
    let reason = format!("{healthy} of {wanted} servers are healthy{}", states(seen));
    if late {
        return (
            Verdict::Rejected,
            format!("{reason}, {healthy_seconds} s after the newest launch"),
        );
    }
    (Verdict::Wait, reason)
}

fn missing(seen: &Observation, share: &SubnetShare) -> Option<Launch> {
    let here = || {
        seen.instances
            .iter()
            .filter(|instance| instance.subnet.as_deref() == Some(&share.subnet_id))
    };
    let live = count(here().filter(|instance| instance.is_live()));
    let missing = share.count.saturating_sub(live);
    (missing > 0).then(|| Launch {
        subnet: share.subnet_id.clone(),
        count: missing,
        index: count(here()),
    })
}

/// The targets that are not healthy, as the load balancer explains them: at most five.
fn states(seen: &Observation) -> String {
    let sick: Vec<String> = seen
        .targets
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

fn is_healthy(seen: &Observation, instance: &str) -> bool {
    seen.targets
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
mod tests {
    use super::*;
    use crate::shape::Environment;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn green() -> Green {
        let share = |subnet: &str, count| SubnetShare {
            subnet_id: subnet.to_owned(),
            count,
        };
        Green {
            environment: Environment {
                target_group_arn: "arn:b".to_owned(),
                name: "tunnel-b".to_owned(),
            },
            launch_template_id: "lt-1".to_owned(),
            launch_template_version: "7".to_owned(),
            subnets: vec![share("subnet-1", 2), share("subnet-2", 1)],
            count: 3,
        }
    }

    fn instance(id: &str, subnet: &str, state: InstanceState, launched: i64) -> Instance {
        Instance {
            id: id.to_owned(),
            ip: Some("10.0.0.1".to_owned()),
            subnet: Some(subnet.to_owned()),
            state,
            launched_at: Some(at(launched)),
            tags: std::collections::BTreeMap::new(),
        }
    }

    fn three(state: InstanceState) -> Vec<Instance> {
        vec![
            instance("i-1", "subnet-1", state, 0),
            instance("i-2", "subnet-1", state, 0),
            instance("i-3", "subnet-2", state, 5),
        ]
    }

    fn target(id: &str, healthy: bool) -> Target {
        Target {
            instance: id.to_owned(),
            registered: true,
            healthy,
            state: "initial".to_owned(),
        }
    }

    fn targets(healthy: bool) -> Vec<Target> {
        ["i-1", "i-2", "i-3"].map(|id| target(id, healthy)).into()
    }

    fn decided(instances: Vec<Instance>, targets: Vec<Target>, now: i64) -> Decision {
        decide(&Observation { instances, targets }, &green(), 600, at(now))
    }

    #[test]
    fn everything_is_missing_at_first() {
        let decision = decided(Vec::new(), Vec::new(), 0);
        let launch = |subnet: &str, count| Launch {
            subnet: subnet.to_owned(),
            count,
            index: 0,
        };
        assert_eq!(
            decision.launch,
            [launch("subnet-1", 2), launch("subnet-2", 1)]
        );
        assert_eq!(decision.verdict, Verdict::Wait);
    }

    #[test]
    fn a_repeat_launches_only_what_is_missing_under_another_token() {
        let mut instances = three(InstanceState::Running);
        instances[1].state = InstanceState::Terminated;
        let decision = decided(instances, targets(true), 10);
        assert_eq!(
            decision.launch,
            [Launch {
                subnet: "subnet-1".to_owned(),
                count: 1,
                index: 2
            }]
        );
        assert_eq!(decision.verdict, Verdict::Wait);
        assert_eq!(
            decision.healthy, 2,
            "a terminated instance is not healthy, whatever its target says"
        );
    }

    #[test]
    fn only_running_instances_are_registered() {
        assert!(
            decided(three(InstanceState::Pending), Vec::new(), 10)
                .register
                .is_empty()
        );
        assert_eq!(
            decided(three(InstanceState::Running), Vec::new(), 10).register,
            ["i-1", "i-2", "i-3"]
        );
        assert!(
            decided(three(InstanceState::Running), targets(false), 10)
                .register
                .is_empty()
        );
    }

    #[test]
    fn all_healthy_is_healthy() {
        let decision = decided(three(InstanceState::Running), targets(true), 10_000);
        assert_eq!(decision.verdict, Verdict::Healthy);
        assert_eq!(decision.healthy, 3);
        assert_eq!(decision.servers.len(), 3);
    }

    #[test]
    fn the_term_counts_from_the_newest_launch() {
        assert_eq!(
            decided(three(InstanceState::Running), targets(false), 605).verdict,
            Verdict::Wait
        );
        let late = decided(three(InstanceState::Running), targets(false), 606);
        assert_eq!(late.verdict, Verdict::Rejected);
        assert!(
            late.reason
                .contains("0 of 3 servers are healthy (i-1 initial"),
            "{}",
            late.reason
        );
    }

    #[test]
    fn a_green_that_keeps_ending_is_rejected_and_gets_no_more() {
        let ended = |id: &str, subnet: &str| instance(id, subnet, InstanceState::Terminated, 0);
        let mut instances: Vec<Instance> = vec![
            ended("i-1", "subnet-1"),
            ended("i-2", "subnet-1"),
            ended("i-3", "subnet-2"),
        ];
        let again = decided(instances.clone(), Vec::new(), 10);
        assert_eq!(again.verdict, Verdict::Wait);
        assert_eq!(again.launch.len(), 2, "each server may be launched twice");
        instances.push(ended("i-4", "subnet-1"));
        let enough = decided(instances, Vec::new(), 10);
        assert_eq!(enough.verdict, Verdict::Rejected);
        assert!(enough.launch.is_empty() && enough.register.is_empty());
    }
}
