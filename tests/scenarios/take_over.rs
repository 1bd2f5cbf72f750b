//! Take-overs: a new execution goes on, or rolls back, wherever the owner's execution stopped.

use ebbtide_local_cloud::Execution;
use serde_json::{Value, json};

use crate::scene::{Scene, action_was_right};
use crate::sessions::Seen;

/// Blue's last pass is far away, so that the scenario decides when a deployment stops.
fn patient() -> Value {
    json!({"bake": {"seconds": 600}, "drain": {"settleSeconds": 1, "pollSeconds": 2}})
}

fn brief() -> Value {
    crate::scene::hasty()
}

/// Given a deployment that an operator stopped when it had entered `state` this often.
async fn stopped(scene: &Scene, input: &Value, state: &str, times: usize) -> Execution {
    let execution = scene.deploy(input).await;
    scene.passes(&execution, state, times).await;
    execution.stop().await.expect("it is stopped");
    execution
}

/// When another execution takes it over; the wait for the former one's functions is cut short.
pub(crate) async fn taken_over(scene: &Scene, former: &Execution, then: &str) -> Execution {
    let emulators = scene.cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.03).await.expect("scaled");
    let input = json!({"takeOver": {"deployment": former.name(), "then": then}});
    let execution = scene.deploy(&input).await;
    scene
        .then("the take-over to have waited", || async {
            let states = execution.states().await?;
            let waited = states.iter().position(|state| state == "WaitOutOwner");
            Ok(match waited {
                Some(position) if states.len() > position + 2 => Ok(()),
                _ => Err(format!("{states:?}")),
            })
        })
        .await;
    emulators.set_wait_scale(1.0).await.expect("scaled");
    execution
}

/// Then the deployment is rolled back by its take-over: `blue` serves as before, the other environment is gone.
pub(crate) async fn rolled_back(scene: &Scene, execution: &Execution, error: &str, blue: &str) {
    let cause = scene.fails_with(execution, error).await;
    // By whom it was asked first: an operator, or the take-over
    let asked = ["an operator asked for it", "take-over", "rolling back"];
    assert!(asked.iter().any(|by| cause.contains(by)), "{cause}");
    scene.serves_alone(blue).await;
    scene.released(error).await;
    let reports = scene.cloud.reports().await;
    for instance in scene.running(blue).await {
        let report = reports[&instance].as_ref().expect("a report");
        assert_eq!(report.admission, "open", "{instance}");
    }
}

/// Both ways after a stop at one stage, one after the other on one cloud, under a session that stays busy on blue.
async fn both_ways(input: &Value, state: &str, times: usize, error: &str) {
    let scene = Scene::of_three_blue_servers().await;
    both_ways_of(scene, input, state, times, error).await;
}

/// The same on a cloud whose first environment serves.
pub(crate) async fn both_ways_of(
    scene: Scene,
    input: &Value,
    state: &str,
    times: usize,
    error: &str,
) {
    let mut busy = scene.busy("busy").await;
    let witness = scene.cloud.witness();
    let first = stopped(&scene, input, state, times).await;
    // When it is taken over to roll back
    let back = taken_over(&scene, &first, "rollBack").await;
    rolled_back(&scene, &back, error, "tunnel-a").await;
    assert_eq!(busy.seen(), Seen::Asked);
    // And the next one, stopped at the same place, to go on
    let second = stopped(&scene, input, state, times).await;
    let on = taken_over(&scene, &second, "continue").await;
    scene.passes(&on, "DrainIdle", 1).await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.promoted(&on).await;
    let seen = witness.testimony().await.expect("a testimony");
    assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
    action_was_right(&seen);
    let strays = scene
        .cloud
        .strays(&[second.name()])
        .await
        .expect("instances");
    assert_eq!(strays, []);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_stopped_while_green_started_goes_both_ways() {
    both_ways(&brief(), "LaunchGreen", 1, "GreenRejected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_stopped_half_way_through_the_switch_goes_both_ways() {
    let mut input = brief();
    input["traffic"] = json!({"steps": [50, 100], "stepSeconds": 5});
    both_ways(&input, "CheckDrained", 1, "RolledBack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_stopped_while_it_baked_goes_both_ways() {
    let mut input = brief();
    input["bake"]["seconds"] = json!(8);
    both_ways(&input, "DrainIdle", 1, "RolledBack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_stopped_after_the_bake_can_only_go_on() {
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    let first = stopped(&scene, &brief(), "TerminateBlue", 2).await;
    // When someone wants it rolled back: servers have sealed
    let back = scene
        .deploy(&json!({"takeOver": {"deployment": first.name(), "then": "rollBack"}}))
        .await;
    let cause = scene.fails_with(&back, "PreflightRefused").await;
    assert!(cause.contains("continue"), "{cause}");
    // Then going on is still possible
    let on = taken_over(&scene, &first, "continue").await;
    scene.passes(&on, "TerminateBlue", 2).await;
    assert_eq!(busy.seen(), Seen::Asked);
    // And the former execution, redriven at any of its Tasks, is told that it is late
    let ends = scene.redriven_at_every_task(&first).await;
    for (task, standing) in &ends {
        let told = standing
            .error
            .as_deref()
            .is_some_and(|error| error == "Superseded");
        assert!(told, "{task}: {}", standing.describe(None));
    }
    assert!(ends.len() > 10, "{}", ends.len());
    assert_eq!(busy.seen(), Seen::Asked);
    assert_eq!(
        scene.cloud.weights().await.expect("weights"),
        [Some(0), Some(100), None]
    );
    busy.leave();
    scene.promoted(&on).await;
    // A claim, a take-over, and the detaching at the end
    assert_eq!(scene.record().await.epoch, 3);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_stopped_is_gone_on_with_whichever_way_is_asked() {
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    let first = scene.deploy(&patient()).await;
    scene.passes(&first, "CheckDrained", 1).await;
    scene.deploy(&json!({"rollBack": first.name()})).await;
    // Given a rollback that stopped as soon as its epoch was raised
    scene.passes(&first, "ResumeBlue", 1).await;
    first.stop().await.expect("it is stopped");
    // When it is taken over to "continue", and that is stopped, too
    let second = taken_over(&scene, &first, "continue").await;
    scene.passes(&second, "SwitchBack", 1).await;
    second.stop().await.expect("it is stopped");
    let third = taken_over(&scene, &first, "rollBack").await;
    // Then it is rolled back
    rolled_back(&scene, &third, "RolledBack", "tunnel-a").await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_owner_is_not_taken_over() {
    let scene = Scene::of_three_blue_servers().await;
    let running = scene.deploy(&patient()).await;
    scene.passes(&running, "ClaimService", 1).await;
    scene
        .then("the service to be claimed", || async {
            let record = scene.cloud.record().await?;
            let held = record.front.as_ref().map(|_| ());
            Ok(held.ok_or_else(|| format!("{record:?}")))
        })
        .await;
    let input = json!({"takeOver": {"deployment": running.name(), "then": "rollBack"}});
    let refused = scene.deploy(&input).await;
    let cause = scene.fails_with(&refused, "DeploymentInProgress").await;
    assert!(cause.contains("RUNNING"), "{cause}");
    // A name that owns nothing is refused before anything is asked
    let wrong = json!({"takeOver": {"deployment": "nobody", "then": "continue"}});
    let refused = scene.deploy(&wrong).await;
    scene.fails_with(&refused, "PreflightRefused").await;
    scene.ends().await;
}
