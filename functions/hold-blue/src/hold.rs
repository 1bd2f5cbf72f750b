//! Holds an environment: notes what it is about to take, suspends, protects and tags, then reads everything again.
//!
//! Lists only an environment that is held.

use ebbtide_aws::{CloudError, union};
use ebbtide_rules::Retiring;
use ebbtide_rules::hold::{Missing, Refusal, SUSPENDED_TAG, all_known, list, missing};
use ebbtide_rules::observed::{ENVIRONMENT_TAG, RETIRING_TAG, SERVICE_TAG, Target};
use ebbtide_rules::record::Work;
use jiff::Timestamp;

use crate::{Call, Failed, Seen, belonging};

/// Holds the environment and lists it.
pub(crate) async fn environment(call: &Call<'_>, now: Timestamp) -> Result<Retiring, Failed> {
    let mut seen = observe(call).await?;
    call.admit(Work::Hold(call.environment)).await?;
    let lacking = missing(&seen.instances, &seen.groups, &call.holder);
    log(call, &lacking);
    if !lacking.is_none() {
        hold(call, &lacking).await?;
        seen = observe(call).await?;
        let lacking = missing(&seen.instances, &seen.groups, &call.holder);
        if !lacking.is_none() {
            return Err(Failed::from(Refusal::NotHeld {
                group: call.environment.name.clone(),
                missing: lacking.words(),
            }));
        }
    }
    call.hold_up(&seen).await?;
    Ok(list(call.environment, &seen.instances, &seen.groups, now))
}

/// Everything registered in the environment's group or a member of its Auto Scaling group, and everything that was held
/// before.
async fn observe(call: &Call<'_>) -> Result<Seen, Failed> {
    let Call {
        cloud,
        fence,
        environment,
        ..
    } = call;
    let groups = cloud.groups.of(environment).await?;
    let targets: Vec<Target> = groups.into_iter().flat_map(|group| group.targets).collect();
    let own = call.own_group().await?;
    let belonging = belonging(&targets, own.as_ref());
    let held = [
        (SERVICE_TAG, cloud.service.as_str()),
        (ENVIRONMENT_TAG, environment.name.as_str()),
        (RETIRING_TAG, fence.deployment.as_str()),
    ];
    let held = cloud.instances.tagged(&held).await?;
    let instances = union(held, cloud.instances.by_ids(&belonging).await?);
    all_known(environment, &targets, &instances)?;
    let groups = call.groups(own, &instances).await?;
    Ok(Seen { instances, groups })
}

/// Notes before it takes: whatever stops it half-way, nothing is taken without a note.
async fn hold(call: &Call<'_>, lacking: &Missing) -> Result<(), CloudError> {
    let Call { cloud, holder, .. } = call;
    for (group, note) in &lacking.note {
        let value = note.value();
        cloud.auto_scaling.tag(group, SUSPENDED_TAG, &value).await?;
    }
    let note = holder.protected_tags();
    cloud.instances.tag(&lacking.note_protected, &note).await?;
    for (group, processes) in &lacking.suspend {
        cloud.auto_scaling.suspend(group, processes).await?;
    }
    for group in &lacking.hook {
        cloud.auto_scaling.hook(group).await?;
    }
    for (group, instances) in &lacking.protect {
        cloud.auto_scaling.protect(group, instances).await?;
    }
    cloud.instances.tag(&lacking.tags, &holder.tags()).await
}

fn log(call: &Call<'_>, lacking: &Missing) {
    tracing::info!(
        deployment = call.fence.deployment,
        epoch = call.fence.epoch,
        environment = call.environment.name,
        tag = ?lacking.tags,
        suspend = ?lacking.suspend,
        protect = ?lacking.protect,
        hook = ?lacking.hook,
        unready = ?lacking.unready,
        "decided"
    );
}
