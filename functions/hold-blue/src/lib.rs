//! The Lambda hold-blue: sees to it that nothing but this deployment ends a server of the retiring environment, then
//! lists its servers. With `letGo` it gives back what holding took.
//!
//! Called before the first weight moves and again in every pass, because an Auto Scaling group may have launched more
//! meanwhile. Notes what it is about to take, suspends, protects and tags, then reads everything again; lists only an
//! environment that is held. Refuses one with a target that EC2 does not know: nobody can say what it holds. After a
//! rollback blue serves on, and is let go.

mod let_go;

use ebbtide_aws::{Cloud, CloudError, union};
use ebbtide_rules::hold::{
    Holder, Missing, Refusal, SUSPENDED_TAG, ScalingGroup, all_known, list, missing,
};
use ebbtide_rules::observed::{ENVIRONMENT_TAG, Instance, RETIRING_TAG, SERVICE_TAG, Target};
use ebbtide_rules::{Environment, ErrorName, Fence, Retiring};
use ebbtide_runtime::Failure;
use jiff::Timestamp;
use serde::Deserialize;

/// What the state machine asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks.
    pub fence: Fence,
    /// The environment to hold.
    pub environment: Environment,
    /// Whether to give back what holding took instead: it serves on.
    #[serde(default)]
    pub let_go: bool,
}

/// Why the environment is not held, or not known to be.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Edge is when a call failed or this function is late.
    #[error(transparent)]
    Edge(#[from] CloudError),
    /// Refused is when reading shows what cannot be held, or is not held, or not let go, after everything was ordered.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Failure for Failed {
    fn name(&self) -> ErrorName {
        match self {
            Self::Edge(error) => error.name(),
            // All may mend by reading again: EC2 and ELB show new instances and tags with a delay.
            Self::Refused(_) => ErrorName::NotConfirmed,
        }
    }
}

/// The environment as AWS shows it.
struct Seen {
    instances: Vec<Instance>,
    groups: Vec<ScalingGroup>,
}

/// Holds the environment, or lets it go, and lists it.
///
/// # Errors
/// [`Failed`]; some of what was to be done may have been ordered already, and a repeat orders the rest.
pub async fn handle(cloud: &Cloud, payload: Payload, now: Timestamp) -> Result<Retiring, Failed> {
    let Payload {
        fence,
        environment,
        let_go,
    } = payload;
    let holder = Holder::new(&cloud.service, &fence, &environment);
    if let_go {
        return let_go::environment(cloud, &fence, &environment, &holder, now).await;
    }
    let mut seen = observe(cloud, &fence, &environment).await?;
    cloud.records.admit(&fence).await?;
    let lacking = missing(&seen.instances, &seen.groups, &holder);
    log(&fence, &environment, &lacking);
    if !lacking.is_none() {
        hold(cloud, &lacking, &holder).await?;
        seen = observe(cloud, &fence, &environment).await?;
        let lacking = missing(&seen.instances, &seen.groups, &holder);
        if !lacking.is_none() {
            return Err(Failed::Refused(Refusal::NotHeld {
                group: environment.name,
                missing: lacking.words(),
            }));
        }
    }
    Ok(list(&environment, &seen.instances, now))
}

/// Everything registered in the environment's group, and everything that was held before.
async fn observe(cloud: &Cloud, fence: &Fence, environment: &Environment) -> Result<Seen, Failed> {
    let targets = cloud.groups.targets(&environment.target_group_arn).await?;
    let registered = registered(&targets);
    let held = [
        (SERVICE_TAG, cloud.service.as_str()),
        (ENVIRONMENT_TAG, environment.name.as_str()),
        (RETIRING_TAG, fence.deployment.as_str()),
    ];
    let held = cloud.instances.tagged(&held).await?;
    let instances = union(held, cloud.instances.by_ids(&registered).await?);
    all_known(environment, &targets, &instances)?;
    let groups = cloud.auto_scaling.groups_of(&live(&instances)).await?;
    Ok(Seen { instances, groups })
}

fn registered(targets: &[Target]) -> Vec<String> {
    let registered = targets.iter().filter(|target| target.registered);
    registered.map(|target| target.instance.clone()).collect()
}

fn live(instances: &[Instance]) -> Vec<String> {
    let live = instances.iter().filter(|instance| instance.is_live());
    live.map(|instance| instance.id.clone()).collect()
}

/// Notes before it takes: whatever stops it half-way, nothing is taken without a note.
async fn hold(cloud: &Cloud, lacking: &Missing, holder: &Holder) -> Result<(), CloudError> {
    for (group, memory) in &lacking.note {
        let note = memory.value();
        cloud.auto_scaling.tag(group, SUSPENDED_TAG, &note).await?;
    }
    let note = holder.protected_tags();
    cloud.instances.tag(&lacking.note_protected, &note).await?;
    for (group, processes) in &lacking.suspend {
        cloud.auto_scaling.suspend(group, processes).await?;
    }
    for (group, instances) in &lacking.protect {
        cloud.auto_scaling.protect(group, instances).await?;
    }
    cloud.instances.tag(&lacking.tags, &holder.tags()).await
}

fn log(fence: &Fence, environment: &Environment, lacking: &Missing) {
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        environment = environment.name,
        tag = ?lacking.tags,
        suspend = ?lacking.suspend,
        protect = ?lacking.protect,
        unready = ?lacking.unready,
        "decided"
    );
}
