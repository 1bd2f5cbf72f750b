//! The plan as it travels in the execution's document: JSON shapes, no rules.

use serde::{Deserialize, Serialize};

use crate::shape::Environment;

/// What the deployment will do; the document's `plan`. Without `owner` everything below it is there.
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
    /// What an operator should know and what does not stop the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
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
    /// What it was waiting for when it last wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// How long green may take to become healthy, from its newest launch.
    pub healthy_seconds: u32,
    /// How many targets of a group with weight must be healthy.
    pub minimum_healthy: u32,
    /// How long both environments run after the switch.
    pub bake_seconds: u32,
    /// How long after the switch nothing is drained or sealed.
    pub settle_seconds: u32,
    /// How many idle sessions are closed per second.
    pub closures_per_second: u32,
    /// The longest wait between passes while baking.
    pub poll_seconds: u32,
    /// When the drain fails with an alert, from the switch.
    pub deadline_seconds: u32,
}
