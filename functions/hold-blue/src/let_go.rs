//! Gives an environment back what holding took, once it serves on.
//!
//! In three steps, each confirmed by reading before the next: processes and protection are given back, then the notes
//! and the tag `ebbtide:retiring` are dropped, then nothing is left. Whatever stops it half-way, a note outlives what it
//! names. A target that EC2 does not know is no obstacle here: nothing was ever taken from it.

use ebbtide_aws::{Cloud, CloudError, union};
use ebbtide_rules::Retiring;
use ebbtide_rules::hold::{Left, PROTECTED_TAG, Refusal, SUSPENDED_TAG, left, list};
use ebbtide_rules::observed::{ENVIRONMENT_TAG, RETIRING_TAG, SERVICE_TAG, Target};
use ebbtide_rules::record::Work;
use jiff::Timestamp;

use crate::{Call, Failed, Seen, belonging};

/// Lets the environment go and lists it.
pub(crate) async fn environment(call: &Call<'_>, now: Timestamp) -> Result<Retiring, Failed> {
    let work = Work::LetGo(call.environment);
    let mut seen = observe(call).await?;
    let mut rest = left(&seen.instances, &seen.groups, &call.holder);
    call.admit(work).await?;
    log(call, &rest);
    if rest.holds() {
        // Nobody prolongs it but who comes by, and whoever redrives this comes by here.
        call.hold_up(&seen).await?;
        give_back(call.cloud, &rest).await?;
        seen = observe(call).await?;
        rest = left(&seen.instances, &seen.groups, &call.holder);
        if rest.holds() {
            return Err(not_let_go(call, &rest));
        }
        call.admit(work).await?;
    }
    if !rest.is_none() {
        forget(call.cloud, &rest).await?;
        seen = observe(call).await?;
        rest = left(&seen.instances, &seen.groups, &call.holder);
        if !rest.is_none() {
            return Err(not_let_go(call, &rest));
        }
    }
    Ok(list(call.environment, &seen.instances, &seen.groups, now))
}

/// Everything that is the environment's, by tag or by registration, whether or not this deployment holds it; and the
/// Auto Scaling groups that have any of it, or a note.
async fn observe(call: &Call<'_>) -> Result<Seen, CloudError> {
    let Call {
        cloud,
        environment,
        holder,
        ..
    } = call;
    let groups = cloud.groups.of(environment).await?;
    let targets: Vec<Target> = groups.into_iter().flat_map(|group| group.targets).collect();
    let service = (SERVICE_TAG, holder.service.as_str());
    let tags = [service, (ENVIRONMENT_TAG, holder.environment.as_str())];
    let tagged = cloud.instances.tagged(&tags).await?;
    let own = call.own_group().await?;
    let belonging = belonging(&targets, own.as_ref());
    let belonging = cloud.instances.by_ids(&belonging).await?;
    let instances = union(tagged, belonging);
    let mut groups = call.groups(own, &instances).await?;
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
    for group in &rest.unhook {
        cloud.auto_scaling.unhook(group).await?;
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

fn not_let_go(call: &Call<'_>, rest: &Left) -> Failed {
    Failed::from(Refusal::NotLetGo {
        group: call.environment.name.clone(),
        left: rest.words(),
    })
}

fn log(call: &Call<'_>, rest: &Left) {
    tracing::info!(
        deployment = call.fence.deployment,
        epoch = call.fence.epoch,
        environment = call.environment.name,
        resume = ?rest.resume,
        unprotect = ?rest.unprotect,
        unhook = ?rest.unhook,
        held_up = ?rest.held_up,
        unready = ?rest.unready,
        noted_groups = ?rest.noted_groups,
        tagged = ?rest.tagged,
        "decided to let go"
    );
}
