//! What AWS shows of an environment: who is in it, who is registered, and which groups have weight.
//!
//! Decides nothing and forgets nobody: an instance is listed when it is tagged, registered, a member, or was listed before. One
//! that its Auto Scaling group is ending is shutting down here, though EC2 may still call it running.

use std::collections::BTreeSet;

use ebbtide_aws::{Cloud, CloudError, union};
use ebbtide_rules::Server;
use ebbtide_rules::observed::{
    ENVIRONMENT_TAG, GroupTargets, Instance, InstanceState, SERVICE_TAG,
};
use ebbtide_rules::terminate::{Observation, Termination, WeightedGroup};

/// Reads the environment, and the weights at the service's listeners.
pub(crate) async fn environment(
    cloud: &Cloud,
    order: &Termination,
    listeners: &[String],
    servers: &[Server],
) -> Result<Observation, CloudError> {
    let tags = [
        (SERVICE_TAG, cloud.service.as_str()),
        (ENVIRONMENT_TAG, order.environment.name.as_str()),
        (order.ownership(), order.deployment.as_str()),
    ];
    let targets = cloud.groups.of(&order.environment).await?;
    let group = match &order.environment.auto_scaling_group {
        Some(name) => cloud.auto_scaling.own(name).await?,
        None => None,
    };
    let members = group.iter().flat_map(|group| &group.members);
    let tagged = cloud.instances.tagged(&tags).await?;
    let listed = servers.iter().map(|server| &server.instance);
    let registered = targets.iter().flat_map(GroupTargets::registered);
    let ids: BTreeSet<&String> = registered
        .chain(listed)
        .chain(members.map(|member| &member.instance))
        .chain(&order.sealed)
        .collect();
    let ids: Vec<String> = ids.into_iter().cloned().collect();
    let mut instances = union(tagged, cloud.instances.by_ids(&ids).await?);
    mark_ending(cloud, &mut instances).await?;
    let unseen = ids
        .into_iter()
        .filter(|id| !instances.iter().any(|instance| instance.id == *id))
        .collect();
    Ok(Observation {
        unseen,
        group,
        instances,
        targets,
        // Last of all that is read here: weights are what others may move.
        weighted: weighted(cloud, listeners).await?,
    })
}

/// Ordering an end that its group has begun would be refused, or lower the desired capacity a second time.
async fn mark_ending(cloud: &Cloud, instances: &mut [Instance]) -> Result<(), CloudError> {
    let live = instances.iter().filter(|instance| instance.is_live());
    let live: Vec<String> = live.map(|instance| instance.id.clone()).collect();
    let terminating = cloud.auto_scaling.terminating(&live).await?;
    for instance in instances {
        if terminating.contains(&instance.id) {
            instance.state = InstanceState::ShuttingDown;
        }
    }
    Ok(())
}

async fn weighted(cloud: &Cloud, listeners: &[String]) -> Result<Vec<WeightedGroup>, CloudError> {
    let mut weighted = Vec::new();
    for listener in listeners {
        let forward = cloud.listener(listener).read().await?.forward;
        for group in forward.groups.into_iter().filter(|group| group.weight > 0) {
            let targets = cloud.groups.targets(&group.target_group_arn).await?;
            let registered = targets.into_iter().filter(|target| target.registered);
            weighted.push(WeightedGroup {
                instances: registered.map(|target| target.instance).collect(),
                target_group_arn: group.target_group_arn,
                weight: group.weight,
            });
        }
    }
    Ok(weighted)
}
