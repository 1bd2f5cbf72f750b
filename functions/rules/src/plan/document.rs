//! The plan as it travels in the execution's document: JSON shapes, no rules.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::input::Then;
use crate::shape::{Environment, Server};

/// What the deployment will do; the document's `plan`.
///
/// Without `owner` everything but the two requests is there; with an owner and no request, nothing below `hash`. A
/// take-over bears the recorded plan's parts, a wish to roll back none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The deployment's name.
    pub deployment: String,
    /// The ARN of its execution.
    pub execution: String,
    /// The service.
    pub service: String,
    /// Someone else who holds the service; no preflight was done then.
    pub owner: Option<Owner>,
    /// The record's epoch, and the one to claim.
    pub epoch: Epoch,
    /// The deployment's [`hash`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether to stop after the preflight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// The environment that serves now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blue: Option<Blue>,
    /// The environment to launch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub green: Option<Green>,
    /// The numbers that bound the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Blue's servers, for the test of their session endpoints before anything begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<Server>>,
    /// What an operator should know and what does not stop the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
    /// The deployment that is to roll back, when that is all that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<String>,
    /// The deployment that is taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_over: Option<TakenOver>,
}

/// The parts of a plan that outlive its execution: the record's `plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The environment that served when the deployment started.
    pub blue: Blue,
    /// The environment that it launched.
    pub green: Green,
    /// The numbers that bound it.
    pub policy: Policy,
    /// The deployment's [`hash`].
    pub hash: String,
    /// What an operator was told at the plan.
    pub warnings: Vec<String>,
}

/// A deployment that is taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenOver {
    /// Its name.
    pub deployment: String,
    /// What to do with it.
    pub then: Then,
    /// Green's live share of the traffic, in percent.
    pub green_weight: u32,
}

/// What names a deployment's continuing executions: the first 12 hex digits of its name's SHA-256, so that a name of 80
/// characters leaves room for a part's number.
pub fn hash(deployment: &str) -> String {
    let digest = Sha256::digest(deployment);
    digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The deployment that holds the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Its name.
    pub deployment: String,
    /// Its execution's ARN.
    pub execution: String,
    /// Its epoch.
    pub epoch: u64,
    /// The last stage that it wrote.
    pub stage: String,
    /// Whether green may have had weight already.
    pub switched: bool,
    /// The environment that its plan called blue; none in a record that lacks it.
    pub blue: Option<Environment>,
    /// The environment that it launched: what a superseding deployment clears.
    pub green: Option<Environment>,
    /// The deployment whose green it is clearing away, while it supersedes it.
    pub clearing: Option<String>,
    /// When it claimed the service.
    pub claimed_at: Option<String>,
    /// When its first weight moved.
    pub switched_at: Option<String>,
    /// When its bake ended.
    pub baked_at: Option<String>,
    /// When its drain fails with an alert.
    pub deadline_at: Option<String>,
    /// When it last wrote.
    pub updated_at: Option<String>,
    /// What it was waiting for when it last wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// When it expected to be done when it last wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<String>,
}

/// The record's fencing number as the plan saw it, and the one to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// What the record says; 0 for a service never deployed.
    pub seen: u64,
    /// One more, or the same when this deployment owns the service already.
    pub claimed: u64,
}

/// The environment that serves now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blue {
    /// Its target group.
    #[serde(flatten)]
    pub environment: Environment,
    /// How many of its targets are healthy.
    pub healthy: u32,
}

/// The environment to launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Green {
    /// Its target group.
    #[serde(flatten)]
    pub environment: Environment,
    /// The launch template.
    pub launch_template_id: String,
    /// Its version as a number: `$Latest` could move between two calls.
    pub launch_template_version: String,
    /// Where its instances go.
    pub subnets: Vec<SubnetShare>,
    /// How many instances it gets.
    pub count: u32,
}

/// How many instances go into one subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetShare {
    /// The subnet.
    pub subnet_id: String,
    /// The instances.
    pub count: u32,
}

/// The numbers that bound a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// How long green may take to become healthy, from its newest launch.
    pub healthy_seconds: u32,
    /// How many targets of a group with weight must be healthy.
    pub minimum_healthy: u32,
    /// Green's share of the traffic in percent, step by step: rising, the last is 100.
    pub steps: Vec<u32>,
    /// How long each step but the last one lasts.
    pub step_seconds: u32,
    /// How long both environments run after the last step.
    pub bake_seconds: u32,
    /// The alarms that are watched until the bake is over.
    pub alarms: Vec<String>,
    /// How long after the switch nothing is drained or sealed.
    pub settle_seconds: u32,
    /// How many idle sessions are closed per second.
    pub closures_per_second: u32,
    /// The longest wait between passes while baking.
    pub poll_seconds: u32,
    /// When the drain fails with an alert, from the switch.
    pub deadline_seconds: u32,
    /// Whether the execution ends with the bake and the drain goes on in another one.
    pub detached: bool,
    /// How many passes an execution makes before the drain goes on in the next one.
    pub most_passes: u32,
}
