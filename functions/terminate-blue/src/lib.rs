//! The Lambda terminate-blue: ends the servers that may be ended, and says what is left.
//!
//! The only function that ends a server. It does so for a sealed server of the retiring environment, or for green that
//! never had weight; everything else it refuses with a reason, as data, and leaves alive. Called in every pass.

use ebbtide_cloud::{Cloud, CloudError, union};
use ebbtide_deployment::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, Forward, RETIRING_TAG, Target,
};
use ebbtide_deployment::terminate::{
    Decision, Licence, Observation, Order, WeightedGroup, decide, lower_min_size, rest,
};
use ebbtide_deployment::{Environment, ErrorName, Fence, Server};
use ebbtide_runtime::Failure;
use serde::{Deserialize, Serialize};

/// What the state machine asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks.
    pub fence: Fence,
    /// The environment to empty.
    pub environment: Environment,
    /// On what ground.
    pub licence: Licence,
    /// The instances whose seal was acknowledged in this pass.
    #[serde(default)]
    pub sealed: Vec<String>,
    /// The environment's servers as they were listed.
    #[serde(default)]
    pub servers: Vec<Server>,
    /// The superseded deployment whose green is cleared, when it is not the asking one's own.
    #[serde(default)]
    pub of: Option<String>,
}

/// What is left of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Terminated {
    /// The instances that EC2 calls terminated.
    pub terminated: Vec<String>,
    /// Those that are shutting down.
    pub ending: Vec<String>,
    /// Those that live on, and why.
    pub refused: Vec<Refused>,
    /// How many are not terminated.
    pub remaining: usize,
    /// Whether nothing is left.
    pub empty: bool,
}

/// An instance that lives on, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The instance.
    pub instance: String,
    /// Why.
    pub reason: String,
}

/// Why not everything that may be ended is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failed(#[from] CloudError);

impl Failure for Failed {
    fn name(&self) -> ErrorName {
        self.0.name()
    }
}

/// Ends what may be ended, and counts what is left.
///
/// # Errors
/// A call that failed, or a function that is late. An instance that AWS refuses to end does not keep the others.
pub async fn handle(cloud: &Cloud, payload: Payload) -> Result<Terminated, Failed> {
    let order = Order {
        deployment: payload
            .of
            .clone()
            .unwrap_or_else(|| payload.fence.deployment.clone()),
        environment: payload.environment.clone(),
        licence: payload.licence,
        sealed: payload.sealed.clone(),
    };
    let mut seen = observe(cloud, &payload, &order).await?;
    seen.switched = cloud.records.admit(&payload.fence).await?.switched;
    let mut decision = decide(&seen, &order);
    log(&payload.fence, &decision);
    if !decision.terminate.is_empty() {
        end(
            cloud,
            &payload.environment,
            &seen.targets,
            &decision.terminate,
        )
        .await?;
        seen = Observation {
            switched: seen.switched,
            ..observe(cloud, &payload, &order).await?
        };
        // What is still refused; what was just ended is not ended twice.
        decision = decide(&seen, &order);
    }
    let left = rest(&seen);
    let refused = decision.refused.into_iter();
    Ok(Terminated {
        terminated: left.terminated,
        ending: left.ending,
        refused: refused
            .map(|(instance, why)| Refused {
                instance,
                reason: why.to_string(),
            })
            .collect(),
        remaining: left.remaining,
        empty: left.empty,
    })
}

async fn observe(
    cloud: &Cloud,
    payload: &Payload,
    order: &Order,
) -> Result<Observation, CloudError> {
    let forward = cloud.listener.read().await?.forward;
    let targets = cloud
        .groups
        .targets(&payload.environment.target_group_arn)
        .await?;
    let registered = targets
        .iter()
        .filter(|target| target.registered)
        .map(|target| target.instance.clone());
    let mut listed: Vec<String> = payload
        .servers
        .iter()
        .map(|server| server.instance.clone())
        .chain(registered)
        .collect();
    listed.extend(payload.sealed.iter().cloned());
    listed.sort();
    listed.dedup();
    let key = match order.licence {
        Licence::Sealed => RETIRING_TAG,
        Licence::NeverServed => DEPLOYMENT_TAG,
    };
    let tags = [
        (key, order.deployment.as_str()),
        (ENVIRONMENT_TAG, order.environment.name.as_str()),
    ];
    let instances = union(
        cloud.instances.by_ids(&listed).await?,
        cloud.instances.tagged(&tags).await?,
    );
    let seen = |id: &String| instances.iter().any(|instance| instance.id == *id);
    Ok(Observation {
        unseen: listed.iter().filter(|id| !seen(id)).cloned().collect(),
        weighted: weighted(cloud, &forward).await?,
        instances,
        targets,
        // Read with the fence, just before anything is ended.
        switched: true,
    })
}

async fn weighted(cloud: &Cloud, forward: &Forward) -> Result<Vec<WeightedGroup>, CloudError> {
    let mut weighted = Vec::new();
    for group in forward.groups.iter().filter(|group| group.weight > 0) {
        let targets = cloud.groups.targets(&group.target_group_arn).await?;
        weighted.push(WeightedGroup {
            target_group_arn: group.target_group_arn.clone(),
            weight: group.weight,
            instances: targets
                .into_iter()
                .filter(|it| it.registered)
                .map(|it| it.instance)
                .collect(),
        });
    }
    Ok(weighted)
}

/// Deregisters and ends instances, one by one, all of them, and tells the first failure afterwards.
async fn end(
    cloud: &Cloud,
    environment: &Environment,
    targets: &[Target],
    instances: &[String],
) -> Result<(), CloudError> {
    let leaving: Vec<String> = targets
        .iter()
        .filter(|target| target.registered && instances.contains(&target.instance))
        .map(|target| target.instance.clone())
        .collect();
    cloud
        .groups
        .deregister(&environment.target_group_arn, &leaving)
        .await?;
    let mut members = Vec::new();
    for group in cloud.auto_scaling.groups_of(instances).await? {
        let ending = u32::try_from(group.members.len()).unwrap_or(u32::MAX);
        if let Some(least) = lower_min_size(group.min_size, group.desired, ending) {
            cloud.auto_scaling.set_min_size(&group.name, least).await?;
        }
        members.extend(group.members.into_iter().map(|member| member.instance));
    }
    let mut first_failure = Ok(());
    for instance in instances {
        let ended = if members.contains(instance) {
            cloud.auto_scaling.terminate(instance).await
        } else {
            cloud.instances.terminate(instance).await
        };
        first_failure = first_failure.and(ended);
    }
    first_failure
}

fn log(fence: &Fence, decision: &Decision) {
    let (deployment, epoch) = (&fence.deployment, fence.epoch);
    for instance in &decision.terminate {
        tracing::info!(
            deployment,
            epoch,
            instance,
            reason = "it has its licence and its group no weight",
            "terminating"
        );
    }
    for (instance, refusal) in &decision.refused {
        tracing::info!(deployment, epoch, instance, reason = %refusal, "not terminating");
    }
}
