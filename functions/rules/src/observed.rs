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

/// The forward action of the listener or rule that carries the service's traffic.
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
}
