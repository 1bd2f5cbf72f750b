//! The Lambda launch-green: launches what green lacks, registers it, and says whether green is healthy.
//!
//! Called again and again until it says anything but `wait`. Finds what it launched by tags, so that a repeat launches
//! nothing more. Refuses nothing by itself: whether green is given up is decided in `ebbtide_rules::launch`.

use std::collections::BTreeMap;

use ebbtide_aws::{Cloud, CloudError, Order, client_token};
use ebbtide_rules::launch::{Decision, Launch, Observation, Verdict, decide};
use ebbtide_rules::observed::{DEPLOYMENT_TAG, ENVIRONMENT_TAG, SERVICE_TAG};
use ebbtide_rules::plan::{Green, Policy};
use ebbtide_rules::{Environment, ErrorName, Fence, Server};
use ebbtide_runtime::Failure;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the state machine asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks.
    pub fence: Fence,
    /// What to launch, and where.
    pub green: Green,
    /// How long it may take.
    pub policy: Policy,
}

/// How green stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launched {
    /// What becomes of green.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Which environment green is.
    pub environment: Environment,
    /// Its live servers.
    pub servers: Vec<Server>,
    /// How many of them are healthy.
    pub healthy: u32,
    /// How many are wanted.
    pub wanted: u32,
}

/// Why green does not have what it lacks.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Edge is when a call failed or this function is late.
    #[error(transparent)]
    Edge(#[from] CloudError),
}

impl Failure for Failed {
    fn name(&self) -> ErrorName {
        match self {
            Self::Edge(error) => error.name(),
        }
    }
}

/// Gives green what it lacks and reads how it stands then.
///
/// # Errors
/// [`Failed`]; instances that were launched before it carry their tags and are found by the repeat.
pub async fn handle(cloud: &Cloud, payload: Payload, now: Timestamp) -> Result<Launched, Failed> {
    let work = Work {
        cloud,
        payload: &payload,
    };
    let mut decision = work.decide(now).await?;
    if !decision.launch.is_empty() {
        cloud.records.admit(&payload.fence).await?;
        for launch in &decision.launch {
            work.launch(launch).await?;
        }
        // What runs already can be registered now instead of in the next call.
        decision = work.decide(now).await?;
    }
    if !decision.register.is_empty() {
        cloud.records.admit(&payload.fence).await?;
        let group = &payload.green.environment.target_group_arn;
        cloud.groups.register(group, &decision.register).await?;
        decision = work.decide(now).await?;
    }
    Ok(Launched {
        verdict: decision.verdict,
        reason: decision.reason,
        environment: payload.green.environment.clone(),
        servers: decision.servers,
        healthy: decision.healthy,
        wanted: payload.green.count,
    })
}

/// One call's work.
struct Work<'a> {
    cloud: &'a Cloud,
    payload: &'a Payload,
}

impl Work<'_> {
    async fn decide(&self, now: Timestamp) -> Result<Decision, CloudError> {
        let Payload {
            fence,
            green,
            policy,
        } = self.payload;
        let tags = self.tags();
        let tags: Vec<(&str, &str)> = tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, _)| *key != "Name")
            .collect();
        let seen = Observation {
            instances: self.cloud.instances.tagged(&tags).await?,
            targets: self
                .cloud
                .groups
                .targets(&green.environment.target_group_arn)
                .await?,
        };
        let decision = decide(&seen, green, policy.healthy_seconds, now);
        tracing::info!(
            deployment = fence.deployment,
            epoch = fence.epoch,
            verdict = ?decision.verdict,
            reason = decision.reason,
            launch = ?decision.launch,
            register = ?decision.register,
            "decided"
        );
        Ok(decision)
    }

    async fn launch(&self, launch: &Launch) -> Result<(), CloudError> {
        let Payload { fence, green, .. } = self.payload;
        let token = client_token(
            &self.cloud.service,
            &fence.deployment,
            &launch.subnet,
            launch.index,
        );
        let order = Order {
            template: &green.launch_template_id,
            version: &green.launch_template_version,
            subnet: &launch.subnet,
            count: launch.count,
            client_token: &token,
            tags: &self.tags(),
        };
        self.cloud.instances.launch(&order).await.map(|_| ())
    }

    /// What this deployment's green is found by, and its name for people.
    fn tags(&self) -> BTreeMap<String, String> {
        let environment = &self.payload.green.environment.name;
        [
            (SERVICE_TAG, &self.cloud.service),
            (ENVIRONMENT_TAG, environment),
            (DEPLOYMENT_TAG, &self.payload.fence.deployment),
            ("Name", environment),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }
}
