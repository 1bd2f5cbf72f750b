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

/// One of the service's two sets of servers, known by its target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// The target group's ARN.
    pub target_group_arn: String,
    /// The target group's name, which is also the value of the tag `ebbtide:environment`.
    pub name: String,
}

impl Environment {
    /// The environment of a target group's ARN, `…:targetgroup/NAME/ID`; the name is empty if there is none in it.
    pub fn of_arn(target_group_arn: &str) -> Self {
        let name = target_group_arn.split('/').nth(1).unwrap_or_default();
        Self {
            target_group_arn: target_group_arn.to_owned(),
            name: name.to_owned(),
        }
    }
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
    /// Instances of this environment that EC2 calls terminated.
    pub gone: Vec<String>,
    /// Instances that are shutting down: no longer asked, not yet gone.
    pub waiting_to_end: Vec<String>,
    /// When the list was made.
    pub listed_at: Timestamp,
}
