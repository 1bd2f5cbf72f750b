//! Gives an environment back what holding took, once it serves on.
//!
//! In three steps, each confirmed by reading before the next: processes and protection are given back, then the notes
//! and the tag `ebbtide:retiring` are dropped, then nothing is left. Whatever stops it half-way, a note outlives what it
//! names. A target that EC2 does not know is no obstacle here: nothing was ever taken from it.

use ebbtide_aws::{Cloud, CloudError, union};
use ebbtide_rules::hold::{Holder, Left, PROTECTED_TAG, Refusal, SUSPENDED_TAG, left, list};
use ebbtide_rules::observed::{ENVIRONMENT_TAG, RETIRING_TAG, SERVICE_TAG};
use ebbtide_rules::{Environment, Fence, Retiring};
use jiff::Timestamp;

use crate::{Failed, Seen, live, registered};

/// Lets the environment go and lists it.
pub(crate) async fn environment(
    cloud: &Cloud,
    fence: &Fence,
    environment: &Environment,
    holder: &Holder,
    now: Timestamp,
) -> Result<Retiring, Failed> {
    let mut seen = observe(cloud, environment, holder).await?;
    let mut rest = left(&seen.instances, &seen.groups, holder);
    cloud.records.admit(fence).await?;
    log(fence, environment, &rest);
    if rest.holds() {
        give_back(cloud, &rest).await?;
        seen = observe(cloud, environment, holder).await?;
        rest = left(&seen.instances, &seen.groups, holder);
        if rest.holds() {
            return Err(not_let_go(environment, &rest));
        }
        cloud.records.admit(fence).await?;
    }
    if !rest.is_none() {
        forget(cloud, &rest).await?;
        seen = observe(cloud, environment, holder).await?;
        rest = left(&seen.instances, &seen.groups, holder);
        if !rest.is_none() {
            return Err(not_let_go(environment, &rest));
        }
    }
    Ok(list(environment, &seen.instances, now))
}

/// Everything that is the environment's, by tag or by registration, whether or not this deployment holds it; and the
/// Auto Scaling groups that have any of it, or a note.
async fn observe(
    cloud: &Cloud,
    environment: &Environment,
    holder: &Holder,
) -> Result<Seen, CloudError> {
    let targets = cloud.groups.targets(&environment.target_group_arn).await?;
    let service = (SERVICE_TAG, holder.service.as_str());
    let tags = [service, (ENVIRONMENT_TAG, holder.environment.as_str())];
    let tagged = cloud.instances.tagged(&tags).await?;
    let registered = cloud.instances.by_ids(&registered(&targets)).await?;
    let instances = union(tagged, registered);
    let mut groups = cloud.auto_scaling.groups_of(&live(&instances)).await?;
    for noted in cloud.auto_scaling.tagged(service, SUSPENDED_TAG).await? {
        if !groups.iter().any(|group| group.name == noted.name) {
            groups.push(noted);
        }
    }
    Ok(Seen { instances, groups })
}

async fn give_back(cloud: &Cloud, rest: &Left) -> Result<(), CloudError> {
    for (group, processes) in &rest.resume {
        cloud.auto_scaling.resume(group, processes).await?;
    }
    for (group, instances) in &rest.unprotect {
        cloud.auto_scaling.unprotect(group, instances).await?;
    }
    Ok(())
}

async fn forget(cloud: &Cloud, rest: &Left) -> Result<(), CloudError> {
    for group in &rest.noted_groups {
        cloud.auto_scaling.untag(group, SUSPENDED_TAG).await?;
    }
    let keys = [RETIRING_TAG, PROTECTED_TAG];
    cloud.instances.untag(&rest.tagged, &keys).await
}

fn not_let_go(environment: &Environment, rest: &Left) -> Failed {
    Failed::Refused(Refusal::NotLetGo {
        group: environment.name.clone(),
        left: rest.words(),
    })
}

fn log(fence: &Fence, environment: &Environment, rest: &Left) {
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        environment = environment.name,
        resume = ?rest.resume,
        unprotect = ?rest.unprotect,
        unready = ?rest.unready,
        noted_groups = ?rest.noted_groups,
        tagged = ?rest.tagged,
        "decided to let go"
    );
}
