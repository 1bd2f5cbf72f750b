//! What AWS showed: an instance, a target, the forward action; and the tags by which instances are found again.
//!
//! The AWS edge fills these in; rules read them. Whatever AWS may add one day (a new instance state) counts as alive.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// The service that an instance serves.
pub const SERVICE_TAG: &str = "ebbtide:service";
/// The environment that it belongs to: its target group's name.
pub const ENVIRONMENT_TAG: &str = "ebbtide:environment";
/// The deployment that launched it.
pub const DEPLOYMENT_TAG: &str = "ebbtide:deployment";
/// The deployment that is emptying it.
pub const RETIRING_TAG: &str = "ebbtide:retiring";

/// One EC2 instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id, `i-…`.
    pub id: String,
    /// Its primary private IPv4 address; EC2 drops it from a terminated one.
    pub ip: Option<String>,
    /// The subnet that it was launched into.
    pub subnet: Option<String>,
    /// What EC2 says it is doing.
    pub state: InstanceState,
    /// EC2's words for its last change of state (`StateReason`): why it ended, where it did.
    pub ended_by: Option<String>,
    /// When EC2 last launched it.
    pub launched_at: Option<Timestamp>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What EC2 says an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// Pending is when it is starting; it cannot be registered yet.
    Pending,
    /// Running is when it runs, whatever the server on it does.
    Running,
    /// Stopped is when it is stopping or stopped: it may come back, with its sessions' state.
    Stopped,
    /// ShuttingDown is when its end was ordered and is not over.
    ShuttingDown,
    /// Terminated is when it is gone; the only state that makes a server gone.
    Terminated,
    /// Other is when EC2 uses a word that this version does not know: alive.
    Other,
}

impl Instance {
    /// Whether it may still serve: anything but shutting down or terminated.
    pub fn is_live(&self) -> bool {
        !matches!(
            self.state,
            InstanceState::ShuttingDown | InstanceState::Terminated
        )
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }
}

/// One target of a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The instance's id.
    pub instance: String,
    /// Whether the group still counts it as its own: false once it is being deregistered.
    pub registered: bool,
    /// Whether the load balancer calls it healthy.
    pub healthy: bool,
    /// ELB's words for its state, for people.
    pub state: String,
    /// The ports that it is registered on, rising.
    pub ports: Vec<u16>,
}

/// The targets of one target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTargets {
    /// The group.
    pub target_group_arn: String,
    /// Its targets.
    pub targets: Vec<Target>,
}

impl GroupTargets {
    /// The instances that are registered in it.
    pub fn registered(&self) -> impl Iterator<Item = &String> {
        let registered = self.targets.iter().filter(|target| target.registered);
        registered.map(|target| &target.instance)
    }
}

/// The targets of all of an environment's groups as if it had one: registered is who is registered in every group, healthy
/// who is healthy in every one, and the words are those of the first group in which it is not.
pub fn everywhere(groups: Vec<GroupTargets>) -> Vec<Target> {
    let mut groups = groups.into_iter().map(|group| group.targets);
    let mut all = groups.next().unwrap_or_default();
    for targets in groups {
        for known in &mut all {
            let here = targets.iter().find(|it| it.instance == known.instance);
            let whole = known.registered && known.healthy;
            if let Some(here) = here.filter(|_| whole) {
                known.state.clone_from(&here.state);
            }
            known.registered &= here.is_some_and(|it| it.registered);
            known.healthy &= here.is_some_and(|it| it.healthy);
        }
    }
    all
}

/// How many targets are registered.
pub fn registered(targets: &[Target]) -> u32 {
    let registered = targets.iter().filter(|target| target.registered).count();
    u32::try_from(registered).unwrap_or(u32::MAX)
}

/// How many targets are registered and healthy.
pub fn healthy(targets: &[Target]) -> u32 {
    let healthy = targets
        .iter()
        .filter(|target| target.registered && target.healthy)
        .count();
    u32::try_from(healthy).unwrap_or(u32::MAX)
}

/// One of the listeners and rules that carry the service's traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// Its forward action, as it is now.
    pub forward: Forward,
}

/// The forward action of a listener or rule that carries the service's traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its target groups, in its order.
    pub groups: Vec<GroupWeight>,
    /// Whether target group stickiness is on: its cookie beats weights.
    pub sticky: bool,
}

/// One target group in the forward action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupWeight {
    /// The target group's ARN.
    pub target_group_arn: String,
    /// Its share of new sessions, relative to the other weights.
    pub weight: u32,
}

impl Forward {
    /// The weight of a group; 0 when the action does not name it, because nothing is sent there then.
    pub fn weight(&self, target_group_arn: &str) -> u32 {
        self.groups
            .iter()
            .find(|group| group.target_group_arn == target_group_arn)
            .map_or(0, |group| group.weight)
    }

    /// Whether the action names a group at all, at whatever weight.
    pub fn names(&self, target_group_arn: &str) -> bool {
        self.groups
            .iter()
            .any(|group| group.target_group_arn == target_group_arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_action_names_a_group_at_weight_0_and_no_group_that_it_has_not() {
        let group = |arn: &str, weight| GroupWeight {
            target_group_arn: arn.to_owned(),
            weight,
        };
        let forward = Forward {
            groups: vec![group("arn:a", 0), group("arn:b", 90)],
            sticky: false,
        };
        let seen = |arn| (forward.names(arn), forward.weight(arn));
        assert_eq!(seen("arn:a"), (true, 0));
        assert_eq!(seen("arn:b"), (true, 90));
        assert_eq!(seen("arn:c"), (false, 0));
    }

    #[test]
    fn a_target_is_healthy_while_it_is_registered() {
        let target = |registered, healthy| Target {
            instance: "i-1".to_owned(),
            registered,
            healthy,
            state: String::new(),
            ports: vec![80],
        };
        let targets = [
            target(true, true),
            target(true, true),
            target(true, false),
            target(false, true),
            target(false, false),
        ];
        assert_eq!(healthy(&targets), 2);
        assert_eq!(super::registered(&targets), 3);
    }

    #[test]
    fn an_environments_target_is_what_it_is_in_every_group() {
        let target = |instance: &str, registered, healthy, state: &str| Target {
            instance: instance.to_owned(),
            registered,
            healthy,
            state: state.to_owned(),
            ports: vec![80],
        };
        let group = |targets: [Target; 4]| GroupTargets {
            target_group_arn: String::new(),
            targets: targets.into(),
        };
        let plain = group([
            target("i-1", true, true, "healthy"),
            target("i-2", true, true, "healthy"),
            target("i-3", true, false, "initial"),
            target("i-4", true, true, "healthy"),
        ]);
        let tls = group([
            target("i-1", true, true, "healthy"),
            target("i-2", true, false, "unhealthy"),
            target("i-3", true, true, "healthy"),
            target("i-5", true, true, "healthy"),
        ]);
        let all = everywhere(vec![plain.clone(), tls]);
        let shown: Vec<(&str, bool, bool)> = all
            .iter()
            .map(|it| (it.state.as_str(), it.registered, it.healthy))
            .collect();
        let expected = [
            ("healthy", true, true),
            ("unhealthy", true, false),
            ("initial", true, false),
            ("healthy", false, false),
        ];
        assert_eq!(shown, expected);
        assert_eq!(everywhere(vec![plain.clone()]), plain.targets);
        assert_eq!(everywhere(Vec::new()), []);
    }
}
