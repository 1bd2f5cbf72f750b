//! What travels between the functions: the fence, an environment, a server, the retiring environment's list.
//!
//! Owns the JSON shapes (camelCase) that several functions share; refuses nothing. Each function's own payload and
//! answer live beside its rules.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who is acting: carried by every payload of a function that changes AWS or speaks to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    /// The deployment's name: that of its first execution.
    pub deployment: String,
    /// The fencing number that this deployment claimed; servers and functions refuse a lower one than they know.
    pub epoch: u64,
}

/// One of the service's sets of servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// The ARNs of its target groups: one for each listener or rule of the service, in the order of the plan's `listeners`.
    pub target_group_arns: Vec<String>,
    /// The name of the first group, which is also the value of the tag `ebbtide:environment`.
    pub name: String,
    /// The name of the Auto Scaling group whose members its servers are; plain instances if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_scaling_group: Option<String>,
}

impl Environment {
    /// The environment of these target groups, named after the first; without an Auto Scaling group.
    pub fn of(target_group_arns: Vec<String>) -> Self {
        let first = target_group_arns.first().map_or("", String::as_str);
        Self {
            name: group_name(first).to_owned(),
            target_group_arns,
            auto_scaling_group: None,
        }
    }

    /// Its target group at one of the service's listeners, by that listener's place; none where the listener was added
    /// after the environment was planned.
    pub fn target_group(&self, listener: usize) -> Option<&str> {
        self.target_group_arns.get(listener).map(String::as_str)
    }

    /// Whether this group is one of its groups.
    pub fn has(&self, target_group_arn: &str) -> bool {
        self.target_group_arns
            .iter()
            .any(|own| own == target_group_arn)
    }
}

/// The name in a target group's ARN, `…:targetgroup/NAME/ID`; empty if there is none in it.
pub fn group_name(target_group_arn: &str) -> &str {
    target_group_arn.split('/').nth(1).unwrap_or_default()
}

/// One instance, and where its session endpoint listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// The instance's id.
    pub instance: String,
    /// Its primary private IPv4 address.
    pub ip: String,
}

/// The environment that is being emptied, as EC2 and the load balancer showed it at `listed_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retiring {
    /// Which environment.
    pub environment: Environment,
    /// Instances that may still hold sessions: pending, running, stopping or stopped.
    pub servers: Vec<Server>,
    /// Those of them that something else is ending, and that live only because a lifecycle hook holds up their end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_up: Vec<String>,
    /// Instances of this environment that EC2 calls terminated.
    pub gone: Vec<String>,
    /// Instances that are shutting down: no longer asked, not yet gone.
    pub waiting_to_end: Vec<String>,
    /// When the list was made.
    pub listed_at: Timestamp,
}
