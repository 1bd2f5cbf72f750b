//! Redrive is the retry: at every Task, before its effect and after it, and by a deployment that owns nothing any more.

use ebbtide_local_cloud::execution::Standing;
use serde_json::json;

use crate::scene::{Scene, action_was_right, hasty};
use crate::sessions::Seen;
use roads::{breaking_all, loses_the_reply_of, spared_none, walked};

mod burnt;
mod drain;
mod roads;
mod rollback;
mod take_over;

/// Whether a redrive of a deployment that owns nothing any more ends as it must.
fn is_told_that_it_is_late(standing: &Standing) -> bool {
    standing.error.as_deref() == Some("Superseded")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_survives_the_failure_of_each_task_before_its_effect_and_after_it() {
    // Given idle sessions, a busy one and a witness
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(6).await;
    let mut busy = scene.busy("busy").await;
    let witness = scene.cloud.witness();
    // When every Task of a deployment fails once before its effect and once after it, and is redriven each time
    let input = json!({"bake": {"seconds": 10}, "drain": {"settleSeconds": 1}});
    let mut fragile = breaking_all(&scene, Some("fragile"), &input).await;
    loses_the_reply_of(&mut fragile, "TerminateBlue").await;
    scene.all_still_busy([&busy]);
    busy.leave();
    let broken = walked(fragile, roads::PROMOTION).await;
    // Then it is promoted as if nothing had happened, under one claim
    scene.all_handed_over(&idle).await;
    scene.promoted(&broken.last).await;
    assert_eq!(
        scene.record().await.epoch,
        2,
        "one claim, and the detaching"
    );
    let seen = witness.testimony().await.expect("a testimony");
    assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
    action_was_right(&seen);
    assert_eq!(seen.most_running.get("fragile"), Some(&3), "{seen:?}");
    let strays = scene.cloud.strays(&["fragile"]).await.expect("instances");
    assert_eq!(strays, []);
    spared_none(&broken).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_survives_the_failure_of_each_task_before_its_effect_and_after_it() {
    // Given users, and a release whose servers fail their health checks
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(3).await;
    let busy = scene.busy("busy").await;
    let witness = scene.cloud.witness();
    let bad = scene.cloud.add_version("stand-in --health 503").await;
    let bad = bad.expect("a version").to_string();
    // When every Task of its deployment fails before its effect and after it
    let input = json!({"green": {"launchTemplateVersion": bad, "healthySeconds": 10}});
    let fragile = breaking_all(&scene, Some("fragile"), &input).await;
    let broken = walked(fragile, roads::REJECTION).await;
    // Then green is rejected and gone all the same, and nobody has noticed
    scene.fails_with(&broken.last, "GreenRejected").await;
    scene.released("GreenRejected").await;
    assert_eq!(scene.running("tunnel-b").await, Vec::<String>::new());
    assert_eq!(scene.running("tunnel-a").await, scene.blue());
    scene.all_still_busy([&busy]);
    assert!(idle.iter().all(|session| session.seen() == Seen::Open));
    let seen = witness.testimony().await.expect("a testimony");
    assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
    spared_none(&broken).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseding_survives_the_failure_of_each_task_and_its_former_owner_is_fenced_out() {
    // Given a deployment that was stopped while its green was starting
    let scene = Scene::of_three_blue_servers().await;
    let bad = scene.cloud.add_version("stand-in --health 503").await;
    let bad = bad.expect("a version").to_string();
    let former = scene
        .deploy(&json!({"green": {"launchTemplateVersion": bad}}))
        .await;
    scene.passes(&former, "LaunchGreen", 2).await;
    former.stop().await.expect("it is stopped");
    // When every Task of the next one fails before its effect and after it (its wait for the former one cut short)
    let mut input = hasty();
    input["green"] = json!({"launchTemplateVersion": "1"});
    let fragile = breaking_all(&scene, Some("fragile"), &input).await;
    let broken = walked(fragile, roads::SUPERSEDING).await;
    // Then it is promoted, and nothing is left of the former one
    scene.promoted(&broken.last).await;
    let strays = scene.cloud.strays(&["fragile"]).await.expect("instances");
    assert_eq!(strays, []);
    spared_none(&broken).await;
    // And a redrive of the former one gets nowhere while another deployment owns the service
    let mut busy = scene.busy("busy").await;
    let owner = scene.deploy(&input).await;
    scene.passes(&owner, "CheckDrained", 2).await;
    for (task, standing) in scene.redriven_at_every_task(&former).await {
        let told = is_told_that_it_is_late(&standing);
        assert!(told, "{task}: {}", standing.describe(None));
    }
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.promoted_into(&owner, "tunnel-c").await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_stopped_goes_on_where_it_was_twice() {
    // Given a busy session, and a deployment that was stopped while it drains
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    let stopped = scene.deploy(&hasty()).await;
    scene.passes(&stopped, "DrainIdle", 2).await;
    stopped.stop().await.expect("it is stopped");
    // When it is redriven, stopped and redriven again
    let again = scene.redriven(&stopped).await;
    assert_eq!(again.name(), stopped.name());
    scene.passes(&again, "CheckDrained", 2).await;
    again.stop().await.expect("it is stopped");
    let finally = scene.redriven(&again).await;
    scene.passes(&finally, "CheckDrained", 2).await;
    // Then it has drained all along, the busy session is whole, and when that leaves it is promoted
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.promoted(&finally).await;
    assert_eq!(
        scene.record().await.epoch,
        2,
        "one claim, and the detaching"
    );
    // And what has succeeded cannot be redriven
    let refused = scene.cloud.redrive(&finally).await;
    assert!(refused.is_err(), "{refused:?}");
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_of_a_deployment_that_owns_nothing_any_more_changes_nothing() {
    // Given a deployment that ended, and the next one, which drains what the first had made
    let scene = Scene::of_three_blue_servers().await;
    let former = scene.deploy(&hasty()).await;
    scene.promoted(&former).await;
    let mut busy = scene.busy("busy").await;
    let owner = scene.deploy(&hasty()).await;
    scene.passes(&owner, "CheckDrained", 2).await;
    let weights = scene.cloud.weights().await.expect("weights");
    let serving = scene.running("tunnel-c").await;
    // When the former one is redriven at each of its Tasks
    let ends = scene.redriven_at_every_task(&former).await;
    // Then each is told so, but for the end, which finds that the release had succeeded; and nothing has moved
    for (task, standing) in &ends {
        let told = is_told_that_it_is_late(standing);
        let released = ["DetachRetired", "ReleaseService"].contains(&task.as_str());
        let had_succeeded = released && standing.error.is_none();
        assert!(told || had_succeeded, "{task}: {}", standing.describe(None));
    }
    assert!(ends.len() > 10, "{ends:?}");
    assert_eq!(scene.cloud.weights().await.expect("weights"), weights);
    assert_eq!(scene.running("tunnel-c").await, serving);
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.promoted_into(&owner, "tunnel-c").await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_fails_at_each_task_and_still_touches_nothing() {
    let scene = Scene::of_three_blue_servers().await;
    let fragile = breaking_all(&scene, None, &json!({"dryRun": true})).await;
    let broken = walked(fragile, roads::DRY_RUN).await;
    assert_eq!(broken.standing.error, None);
    spared_none(&broken).await;
    scene.untouched().await;
    scene.ends().await;
}
