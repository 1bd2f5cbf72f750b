//! Servers in the members of a fleet.

use ebbtide_local_cloud::host::ProcessState;

use super::*;
use crate::{serves, until_process, until_targets};

pub(super) async fn a_fleet_serves(cloud: &LocalCloud) {
    let names = cloud.fleet(2).await.unwrap();
    assert_eq!(
        names,
        ["tunnel-a-fleet", "tunnel-b-fleet", "tunnel-c-fleet"]
    );
    serves(cloud).await;
    let group = cloud.scaling_group_now(&names[0]).await.unwrap();
    let sizes = (group.min_size(), group.max_size(), group.desired_capacity());
    assert_eq!(sizes, (Some(2), Some(4), Some(2)));
    assert_eq!(group.target_group_arns(), [&*cloud.world().a.arn]);
    for name in &names[1..] {
        let group = cloud.scaling_group_now(name).await.unwrap();
        let sizes = (group.min_size(), group.max_size(), group.desired_capacity());
        assert_eq!(
            (sizes, group.instances()),
            ((Some(0), Some(0), Some(0)), &[][..])
        );
    }
    // Each member's server is tagged for its environment; who is replaced takes its server along, and the next one serves
    let sick = group.instances()[0].instance_id().unwrap();
    let servers = cloud.servers();
    let server = servers.iter().find(|it| it.instance == sick).unwrap();
    assert_eq!(server.environment.as_deref(), Some("tunnel-a"));
    cloud.unhealthy(sick).await.unwrap();
    until_process(cloud, sick, ProcessState::Ended).await;
    until_targets(cloud, 2, 2).await;
    serves(cloud).await;
}
