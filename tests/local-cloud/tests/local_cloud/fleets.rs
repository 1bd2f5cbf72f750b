//! What Auto Scaling does on AWS, and stock moto does not: before any scenario counts on it.

mod capacity;
mod group;
mod health;
mod hooks;
mod refreshes;
mod servers;
mod settings;
mod suspension;

use aws_sdk_autoscaling::types as scaling;
use ebbtide_local_cloud::{LocalCloud, Options};
use group::Group;

use super::code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the venv and the built programs"]
async fn auto_scaling_does_what_aws_does() {
    let options = Options {
        blue: 0,
        ..Options::default()
    };
    let cloud = LocalCloud::start(options).await.unwrap();
    capacity::refused_launches_are_told(&cloud).await;
    capacity::scale_in_deregisters(&cloud).await;
    capacity::members_are_spread_and_tagged(&cloud).await;
    capacity::protected_members_ignore_the_desired_capacity(&cloud).await;
    suspension::nobody_is_launched_while_launch_is_suspended(&cloud).await;
    suspension::nobody_ends_while_terminate_is_suspended(&cloud).await;
    suspension::nobody_is_registered_while_add_to_load_balancer_is(&cloud).await;
    suspension::alarms_hours_and_zones_are_suspended(&cloud).await;
    Box::pin(hooks::a_termination_hook_holds_a_deregistered_member(
        &cloud,
    ))
    .await;
    hooks::a_heartbeat_goes_by_and_the_default_result_counts(&cloud).await;
    hooks::a_launching_hook_holds_before_registration(&cloud).await;
    hooks::an_abandoned_member_is_retained(&cloud).await;
    hooks::what_a_deleted_hook_held_goes_on(&cloud).await;
    health::unhealthy_members_are_replaced_protected_or_not(&cloud).await;
    health::ended_instances_are_found_by_the_health_check(&cloud).await;
    health::members_stand_by(&cloud).await;
    settings::mixed_instances_policies_are_kept(&cloud).await;
    settings::lifecycle_policies_and_warm_pools_are_kept(&cloud).await;
    settings::actions_and_policies_are_a_groups_own(&cloud).await;
    settings::traffic_sources_are_the_target_groups(&cloud).await;
    Box::pin(settings::what_cannot_be_is_refused(&cloud)).await;
    Box::pin(refreshes::a_refresh_goes_on_pauses_and_ends(&cloud)).await;
    servers::a_fleet_serves(&cloud).await;
    cloud.stop().await;
}
