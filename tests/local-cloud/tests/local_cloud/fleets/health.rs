//! Who is found unhealthy, and who is not asked.

use super::*;

async fn health(group: &Group<'_>) -> Vec<String> {
    let group = group.now().await;
    let members = group.instances().iter();
    let health = members.map(|it| it.health_status().unwrap().to_owned());
    health.collect()
}

pub(super) async fn unhealthy_members_are_replaced_protected_or_not(cloud: &LocalCloud) {
    let group = Group::made(cloud, "unhealthy", 1).await;
    let first = group.members().await.remove(0);
    group.protect(&first, true).await;
    // Nobody is found unhealthy while nobody is checked
    group.suspend(&["HealthCheck", "ReplaceUnhealthy"]).await;
    cloud.unhealthy(&first).await.unwrap();
    assert_eq!(health(&group).await, ["Healthy"]);
    // Nor replaced while that is suspended
    group.resume(&["HealthCheck"]).await;
    assert_eq!(health(&group).await, ["Unhealthy"]);
    assert_eq!(group.members().await, [&*first]);
    // Protection does not help
    group.resume(&["ReplaceUnhealthy"]).await;
    assert!(!group.runs(&first).await);
    let second = group.members().await.remove(0);
    assert_ne!(second, first);
    assert_eq!(group.targets().await, [&*second]);
    // What a user says counts without a health check
    group.suspend(&["HealthCheck"]).await;
    let call = group.client().set_instance_health();
    let call = call.instance_id(&second).health_status("Unhealthy");
    call.send().await.unwrap();
    let third = group.members().await.remove(0);
    assert_ne!(third, second);
    group.gone().await;
}

pub(super) async fn ended_instances_are_found_by_the_health_check(cloud: &LocalCloud) {
    let group = Group::made(cloud, "ended", 2).await;
    let members = group.members().await;
    group.suspend(&["HealthCheck"]).await;
    cloud.terminate(&members[0]).await.unwrap();
    let ends = cloud.ends_by_itself(
        &members[1],
        "Client.InternalError",
        "Client error on launch",
    );
    ends.await.unwrap();
    assert_eq!(group.members().await, members);
    group.resume(&["HealthCheck"]).await;
    let others = group.members().await;
    assert_eq!(others.len(), 2);
    assert!(!others.iter().any(|it| members.contains(it)), "{others:?}");
    // And at once where nothing is suspended
    cloud.terminate(&others[0]).await.unwrap();
    let left = group.members().await;
    assert_eq!((left.len(), left.contains(&others[0])), (2, false));
    group.gone().await;
}

pub(super) async fn members_stand_by(cloud: &LocalCloud) {
    let group = Group::made(cloud, "standby", 2).await;
    let members = group.members().await;
    let call = group.client().enter_standby();
    let call = call.auto_scaling_group_name(group.name);
    let call = call.instance_ids(&members[0]);
    let call = call.should_decrement_desired_capacity(true);
    call.send().await.unwrap();
    assert_eq!(group.states().await, ["Standby", "InService"]);
    assert_eq!(group.now().await.desired_capacity(), Some(1));
    assert_eq!(group.targets().await, members[1..]);
    // Nobody checks it
    cloud.unhealthy(&members[0]).await.unwrap();
    assert_eq!(health(&group).await, ["Healthy", "Healthy"]);
    let leave = || {
        let call = group.client().exit_standby();
        let call = call.auto_scaling_group_name(group.name);
        call.instance_ids(&members[0]).send()
    };
    // Nobody leaves while Launch is suspended
    group.suspend(&["Launch", "HealthCheck"]).await;
    assert_eq!(code(&leave().await.unwrap_err()), "ValidationError");
    group.resume(&["Launch"]).await;
    leave().await.unwrap();
    assert_eq!(group.states().await, ["InService", "InService"]);
    assert_eq!(group.now().await.desired_capacity(), Some(2));
    assert_eq!(group.targets().await.len(), 2);
    group.gone().await;
}
