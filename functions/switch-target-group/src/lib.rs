//! The Lambda switch-target-group: brings the forward action's weights to what is wanted, and confirms it by reading again.
//!
//! Called to attach green at weight 0, at every step of the switch, in every pass while baking, when it confirms
//! weights and both groups' health, and by a rollback, once blue is open again, to give it all the weight back. Refuses
//! to give weight to a group without enough healthy targets.

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::observed::healthy;
use ebbtide_rules::weights::{
    Decision, Moments, Observation, Refusal, Spans, Wanted, Weights, decide, is_set,
};
use ebbtide_rules::{Environment, ErrorName, Fence};
use ebbtide_runtime::Failure;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the state machine asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks.
    pub fence: Fence,
    /// The environment that served at the plan.
    pub blue: Environment,
    /// The environment that takes over.
    pub green: Environment,
    /// The weights to set or to confirm.
    pub weights: Weights,
    /// How many healthy targets a group needs to carry weight.
    pub minimum_healthy: u32,
    /// How long a step lasts, in which both environments have weight.
    #[serde(default = "default_step_seconds")]
    pub step_seconds: u32,
    /// Whether this is the way back of a rollback.
    #[serde(default)]
    pub back: bool,
    /// How long after the switch nothing is drained.
    pub settle_seconds: u32,
    /// How long both environments run after the switch.
    pub bake_seconds: u32,
    /// When the drain fails with an alert, from the switch.
    pub deadline_seconds: u32,
    /// The answer of the last call, if there was one.
    #[serde(default)]
    pub previous: Option<Switched>,
}

/// What the input's `traffic.stepSeconds` is by default.
fn default_step_seconds() -> u32 {
    60
}

/// The weights as they were read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Switched {
    /// The weights.
    pub weights: Weights,
    /// When they were first confirmed, and the moments that count from then.
    #[serde(flatten)]
    pub moments: Moments,
    /// Whether this call had to change them.
    pub changed: bool,
    /// Blue's healthy targets.
    pub blue_healthy: u32,
    /// Green's healthy targets.
    pub green_healthy: u32,
}

/// Why the weights are not, or not known to be, as wanted.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Edge is when a call failed or this function is late.
    #[error(transparent)]
    Edge(#[from] CloudError),
    /// Refused is when the weights must not be set.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// NotConfirmed is when reading again showed other weights than were set.
    #[error(
        "weights {blue}/{green} were set and reading them again shows {found}; see who else changes the listener, then redrive"
    )]
    NotConfirmed {
        /// Blue's wanted weight.
        blue: u32,
        /// Green's wanted weight.
        green: u32,
        /// What is there.
        found: String,
    },
}

impl Failure for Failed {
    fn name(&self) -> ErrorName {
        match self {
            Self::Edge(error) => error.name(),
            Self::Refused(Refusal::GreenUnhealthy(_)) => ErrorName::GreenUnhealthy,
            Self::Refused(Refusal::TooFewHealthy(_)) => ErrorName::TooFewHealthy,
            Self::Refused(Refusal::NobodyServes) => ErrorName::InvalidInput,
            Self::Refused(_) | Self::NotConfirmed { .. } => ErrorName::NotConfirmed,
        }
    }
}

/// Brings the weights to what is wanted.
///
/// # Errors
/// [`Failed`]; the weights are as they were, unless AWS did not answer or reading again showed others.
pub async fn handle(cloud: &Cloud, payload: Payload, now: Timestamp) -> Result<Switched, Failed> {
    let spans = Spans {
        step: payload.step_seconds,
        settle: payload.settle_seconds,
        bake: payload.bake_seconds,
        deadline: payload.deadline_seconds,
    };
    let wanted = Wanted {
        blue: payload.blue,
        green: payload.green,
        weights: payload.weights,
        minimum_healthy: payload.minimum_healthy,
        back: payload.back,
    };
    let blue_healthy = healthy(&cloud.groups.targets(&wanted.blue.target_group_arn).await?);
    let green_healthy = healthy(&cloud.groups.targets(&wanted.green.target_group_arn).await?);
    let live = cloud.listener.read().await?;
    let record = cloud.records.admit(&payload.fence).await?;
    let seen = Observation {
        forward: live.forward.clone(),
        blue_healthy,
        green_healthy,
        switched: record.switched,
    };
    let decision = decide(&seen, &wanted)?;
    log(&payload.fence, &decision, &seen);
    let changed = if let Decision::Change { groups, .. } = &decision {
        cloud.listener.set(&live, groups).await?;
        confirm(cloud, &wanted).await?;
        true
    } else {
        false
    };
    let kept = payload
        .previous
        .filter(|previous| !changed && previous.weights == wanted.weights);
    let at = kept.map_or(now, |previous| previous.moments.at);
    Ok(Switched {
        weights: wanted.weights,
        moments: Moments::count(at, wanted.weights, &spans),
        changed,
        blue_healthy,
        green_healthy,
    })
}

async fn confirm(cloud: &Cloud, wanted: &Wanted) -> Result<(), Failed> {
    let found = cloud.listener.read().await?.forward;
    if is_set(&found, wanted) {
        return Ok(());
    }
    let found: Vec<String> = found
        .groups
        .iter()
        .map(|group| format!("{} of {}", group.weight, group.target_group_arn))
        .collect();
    let Weights { blue, green } = wanted.weights;
    Err(Failed::NotConfirmed {
        blue,
        green,
        found: found.join(", "),
    })
}

fn log(fence: &Fence, decision: &Decision, seen: &Observation) {
    let (change, reason) = match decision {
        Decision::Keep { reason } => (false, reason),
        Decision::Change { reason, .. } => (true, reason),
    };
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        change,
        reason,
        blue_healthy = seen.blue_healthy,
        green_healthy = seen.green_healthy,
        "decided"
    );
}
