//! The plan as it travels in the execution's document: JSON shapes, no rules.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::input::{Then, Wish};
use crate::scaling::Sizes;
use crate::service_url::ServiceUrl;
use crate::shape::{Environment, Server};
use crate::url_path::UrlPath;

/// What an execution will do; the document's `plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The deployment's name: the execution's, or that of the deployment which is taken over.
    pub deployment: String,
    /// The ARN of the execution.
    pub execution: String,
    /// The service.
    pub service: String,
    /// The record's epoch as the plan saw it: a claim on any other is planned anew.
    pub epoch: u64,
    /// What was asked for, and what came of it.
    #[serde(flatten)]
    pub asked: Asked,
}

/// What was asked for; `next` is the word that the definition's Choice compares with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "next",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Asked {
    /// A deployment that passed its preflight.
    Deploy(Deploy),
    /// A deployment, and another one holds the front: no preflight was done.
    Held {
        /// Whether it was to stop after the preflight.
        dry_run: bool,
    },
    /// To go on with a deployment whose execution has ended.
    TakeOver {
        /// What to do with it.
        then: Then,
        /// Green's live share of the traffic, in percent.
        green_weight: u32,
        /// Its plan, as its record has it.
        recorded: Recorded,
    },
    /// That a running deployment does what an operator wishes.
    Wish {
        /// What, and of which deployment.
        wish: Wish,
    },
}

/// A deployment that passed its preflight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deploy {
    /// Whether to stop after the preflight.
    pub dry_run: bool,
    /// Blue's servers, for the test of their session endpoints before anything begins.
    pub servers: Vec<Server>,
    /// What outlives the execution.
    pub recorded: Recorded,
}

/// The parts of a plan that outlive its execution: the record's `plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The environment that served when the deployment started.
    pub blue: Blue,
    /// The environment that it launches.
    pub green: Green,
    /// Every environment of the service, these two among them.
    pub environments: Vec<Environment>,
    /// The listeners and rules whose weights move, by ARN, in the order in which they are changed. A plan of a version that
    /// had one and knew it by itself names none.
    #[serde(default)]
    pub listeners: Vec<String>,
    /// The numbers that bound it.
    pub policy: Policy,
    /// The deployment's [`hash`].
    pub hash: String,
    /// What an operator was told at the plan.
    pub warnings: Vec<String>,
}

impl Recorded {
    /// The plan with the stack's listeners where it was made by a version that did not name them. Environments of that
    /// version have a target group at the first alone.
    #[must_use]
    pub fn naming(mut self, listeners: &[String]) -> Self {
        if self.listeners.is_empty() {
            self.listeners.extend(listeners.first().cloned());
        }
        self
    }
}

impl Plan {
    /// The plan that is acted on; none where another deployment holds the front, and for a wish.
    pub fn recorded(&self) -> Option<&Recorded> {
        match &self.asked {
            Asked::Deploy(deploy) => Some(&deploy.recorded),
            Asked::TakeOver { recorded, .. } => Some(recorded),
            Asked::Held { .. } | Asked::Wish { .. } => None,
        }
    }
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
    /// Where its instances go, where they are plain ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<SubnetShare>,
    /// How many instances it gets.
    pub count: u32,
    /// What its Auto Scaling group gets; none where its instances are plain ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupLaunch>,
}

impl Green {
    /// The version that its Auto Scaling group named before, to be given back unless green is promoted.
    pub fn version_before(&self) -> Option<&str> {
        self.group
            .as_ref()
            .map(|group| group.version_before.as_str())
    }
}

/// What a parked Auto Scaling group gets, so that it launches green.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupLaunch {
    /// Its sizes.
    pub sizes: Sizes,
    /// The version of its launch template that it named at the plan.
    pub version_before: String,
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
    /// How many of green's targets must be healthy for it to have weight.
    pub minimum_healthy: u32,
    /// How many of blue's must be for it to be given weight back, and how many of its servers open: no more than it had
    /// healthy at the plan. 0 in a plan of a version that had one number for both.
    #[serde(default)]
    pub blue_minimum: u32,
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
    /// The gates at which a person is asked.
    #[serde(default)]
    pub approve: Vec<Gate>,
    /// How long a pause or a gate may last, in seconds. 0 in a plan of a version that knew neither.
    #[serde(default)]
    pub pause_seconds: u32,
    /// How many passes an execution makes before the drain goes on in the next one.
    pub most_passes: u32,
    /// The user's pages.
    #[serde(default)]
    pub pages: Pages,
    /// The secret that calls of servers are signed with, by ARN; none: they are not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<String>,
    /// What of the load balancer speaks against servers that an agent reports for, a sentence each: none of them is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against_agents: Vec<String>,
}

/// Where a person is asked before a deployment goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// Green is fit, and no weight has moved.
    Switch,
    /// The bake is over, and nothing is sealed.
    Seal,
}

impl Gate {
    /// The gate of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Switch, Self::Seal]
            .into_iter()
            .find(|gate| gate.word() == name)
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Seal => "seal",
        }
    }
}

/// Where a deployment stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Halt {
    /// At the gate before the switch.
    Switch,
    /// At the gate before the first seal.
    Seal,
    /// Wherever it was when somebody paused it.
    Pause,
}

impl From<Gate> for Halt {
    fn from(gate: Gate) -> Self {
        match gate {
            Gate::Switch => Self::Switch,
            Gate::Seal => Self::Seal,
        }
    }
}

impl Halt {
    /// Every one.
    const ALL: [Self; 3] = [Self::Switch, Self::Seal, Self::Pause];

    /// The place of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|halt| halt.word() == name)
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Switch => Gate::Switch.word(),
            Self::Seal => Gate::Seal.word(),
            Self::Pause => "pause",
        }
    }

    /// The gate, if it is one.
    pub fn gate(self) -> Option<Gate> {
        match self {
            Self::Switch => Some(Gate::Switch),
            Self::Seal => Some(Gate::Seal),
            Self::Pause => None,
        }
    }
}

impl Policy {
    /// How many healthy targets blue needs to be given weight, and how many open servers.
    pub fn minimum_of_blue(&self) -> u32 {
        match self.blue_minimum {
            0 => self.minimum_healthy,
            minimum => minimum,
        }
    }
}

/// The user's own checks, each to be passed by every green server. In a path `*` stands for the server's instance id,
/// and for the deployment where the load balancer is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pages {
    /// The port that serves them.
    pub port: u16,
    /// The paths that have to answer 2xx; none when the user has no such checks.
    pub paths: Vec<UrlPath>,
    /// The WebSockets that have to stay open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_sockets: Option<WebSockets>,
    /// Where the same is asked through the load balancer; none where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceUrl>,
    /// Where green is asked the same through the load balancer before it is given traffic; none where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub green: Option<ServiceUrl>,
}

/// WebSockets that have to stay open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebSockets {
    /// Where they are opened, one after the other.
    pub paths: Vec<UrlPath>,
    /// For how long each has to stay open.
    pub seconds: u32,
}
