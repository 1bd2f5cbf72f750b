//! Releases that turn out bad after traffic moved: blue serves again, and nobody busy is cut on either side.

use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::alarms::State;
use serde_json::{Value, json};

use crate::operator::ebbtide;
use crate::scene::Scene;
use crate::sessions::{Seen, Session};

/// A bake that lasts until something ends it.
pub(crate) fn long_bake() -> Value {
    json!({"bake": {"seconds": 200}, "drain": {"settleSeconds": 2, "pollSeconds": 2}})
}

pub(crate) fn watched(mut input: Value) -> Value {
    input["bake"]["alarms"] = json!(["errors"]);
    input
}

/// Then blue gets all new sessions again, and every one of its servers takes them.
async fn blue_serves(scene: &Scene) {
    scene
        .then("blue to have all weight again", || async {
            let weights = scene.cloud.weights().await?;
            Ok(if weights == [Some(100), Some(0), None] {
                Ok(())
            } else {
                Err(format!("{weights:?}"))
            })
        })
        .await;
    for (instance, report) in scene.cloud.reports().await {
        if scene.blue().contains(&instance) {
            assert_eq!(report.expect("a report").admission, "open", "{instance}");
        }
    }
    // The load balancer follows the listener a moment later.
    scene
        .then("a new session to reach blue", || async {
            let server = Session::try_open(scene.cloud.listener(), "after-the-rollback")
                .await
                .map(|session| session.server.clone());
            Ok(match server {
                Ok(server) if scene.blue().contains(&server) => Ok(()),
                other => Err(format!("{other:?}")),
            })
        })
        .await;
}

/// Then the deployment ends as rolled back: green gone, blue as it was, the service free, the reason kept.
pub(crate) async fn rolled_back(scene: &Scene, execution: &Execution, reason: &str) {
    let cause = scene.fails_with(execution, "RolledBack").await;
    assert!(cause.contains(reason), "{cause}");
    scene.serves_alone("tunnel-a").await;
    assert_eq!(scene.running("tunnel-a").await, sorted(scene.blue()));
    scene.released("RolledBack").await;
    let told = scene.ended_as(execution.name(), "RolledBack").await;
    assert!(told.contains(reason), "{told}");
}

fn sorted(instances: &[String]) -> Vec<String> {
    let mut instances = instances.to_vec();
    instances.sort();
    instances
}

/// When every server process of green dies while its instance runs on; returns the instances.
async fn green_dies(scene: &Scene) -> Vec<String> {
    let green = scene.running("tunnel-b").await;
    for instance in &green {
        scene.cloud.host().kill(instance).expect("it is killed");
    }
    green
}

/// When an operator terminates instances in EC2.
async fn terminated(scene: &Scene, instances: &[String]) {
    for instance in instances {
        scene
            .cloud
            .terminate(instance)
            .await
            .expect("it is terminated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_in_mid_bake_rolls_back_and_cuts_nobody_on_either_side() {
    let scene = Scene::of_three_blue_servers().await;
    scene.quiet_alarm("errors").await;
    let witness = scene.cloud.witness();
    let idle = scene.idle(3).await;
    let mut on_blue = scene.busy("on-blue").await;
    // Given a deployment in its bake, with a busy session on both sides
    let execution = scene.deploy(&watched(long_bake())).await;
    scene.all_handed_over(&idle).await;
    let mut on_green = scene.busy("on-green").await;
    assert!(!scene.blue().contains(&on_green.server));
    // When an alarm fires
    scene
        .cloud
        .set_alarm("errors", State::Alarm)
        .await
        .expect("it fires");
    // Then blue serves again, while green is drained with its busy session
    scene.passes(&execution, "SwitchBack", 1).await;
    blue_serves(&scene).await;
    late_drain_order_is_refused(&scene, execution.name()).await;
    scene.passes(&execution, "TerminateBlue", 3).await;
    assert_eq!(
        (on_blue.seen(), on_green.seen()),
        (Seen::Asked, Seen::Asked)
    );
    assert!(scene.lives(&on_green.server));
    on_green.leave();
    rolled_back(&scene, &execution, "in state ALARM: errors").await;
    scene.minimum_held(witness, &[]).await;
    assert_eq!(on_blue.seen(), Seen::Asked);
    on_blue.leave();
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_that_fires_and_clears_between_two_passes_rolls_back() {
    let scene = Scene::of_three_blue_servers().await;
    scene.quiet_alarm("errors").await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let execution = scene.deploy(&watched(long_bake())).await;
    // Given a deployment that waits between two passes of its bake
    scene.passes(&execution, "WaitBeforeNextPass", 2).await;
    // When an alarm fires and is quiet again at once
    for state in [State::Alarm, State::Ok] {
        let set = scene.cloud.set_alarm("errors", state).await;
        set.expect("it is set");
    }
    // Then its history tells, and blue serves again
    rolled_back(&scene, &execution, "fired since the last look").await;
    scene.minimum_held(witness, &[]).await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.ends().await;
}

/// A drain order of before the rollback, come late: the epoch that it names is stale.
async fn late_drain_order_is_refused(scene: &Scene, deployment: &str) {
    let server = scene
        .cloud
        .servers()
        .into_iter()
        .find(|server| scene.blue().contains(&server.instance))
        .expect("a blue server");
    let order = json!({"instance": server.instance, "deployment": deployment, "epoch": 1, "perSecond": 100.0, "leaseSeconds": 60});
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .post(format!(
            "http://{}:{}/sessions/drain",
            server.ip,
            scene.cloud.session_port()
        ))
        .json(&order)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 409);
    let text = answer.text().await.expect("a body");
    assert!(text.contains("StaleEpoch"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_rolls_back_a_deployment_that_bakes() {
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let execution = scene.deploy(&long_bake()).await;
    scene.passes(&execution, "DecidePass", 1).await;
    // And that an operator sees with its sessions
    let status = ebbtide(&scene, &["status"]).await;
    let front = &status["front"];
    assert_eq!(front["name"], execution.name(), "{status}");
    assert_eq!(front["sides"][1]["weight"], 100, "{status}");
    assert_eq!(front["acting"]["status"], "RUNNING", "{status}");
    let (emptied, servers) = (&front["empties"], &front["empties"]["servers"]);
    assert_eq!(emptied["environment"], "tunnel-a", "{status}");
    assert!(emptied["busy"].as_u64() >= Some(1), "{status}");
    assert_eq!(servers.as_array().map(Vec::len), Some(3), "{status}");
    // When the operator asks for it
    let told = ebbtide(&scene, &["rollback", "--why", "errors rise"]).await;
    assert_eq!(told["deployment"], execution.name());
    // Then it is rolled back, the busy session lives, and asking once more is refused
    rolled_back(&scene, &execution, "an operator asked for it").await;
    scene.minimum_held(witness, &[]).await;
    assert_eq!(busy.seen(), Seen::Asked);
    let late = scene.deploy(&json!({"rollBack": execution.name()})).await;
    let cause = scene.fails_with(&late, "WishRefused").await;
    assert!(cause.contains(execution.name()), "{cause}");
    let history = ebbtide(&scene, &["history"]).await;
    assert_eq!(history[0]["deployment"], execution.name());
    assert_eq!(history[0]["outcome"], "RolledBack");
    busy.leave();
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_green_that_dies_at_half_the_traffic_is_rolled_back() {
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    // Given a deployment that has moved half of the new sessions
    let mut input = long_bake();
    input["traffic"] = json!({"steps": [50, 100], "stepSeconds": 200});
    let execution = scene.deploy(&input).await;
    scene.passes(&execution, "CheckDrained", 1).await;
    assert_eq!(
        scene.cloud.weights().await.expect("weights"),
        [Some(50), Some(50), None]
    );
    // When green's servers die
    let dead = green_dies(&scene).await;
    // Then blue serves all again, and the dead ones block until an operator lets them go
    blue_serves(&scene).await;
    scene.passes(&execution, "TerminateBlue", 2).await;
    assert_eq!(scene.running("tunnel-b").await, dead);
    terminated(&scene, &dead).await;
    rolled_back(&scene, &execution, "fewer healthy targets").await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_green_that_dies_after_all_traffic_moved_is_rolled_back() {
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    let idle = scene.idle(3).await;
    let execution = scene.deploy(&long_bake()).await;
    scene.all_handed_over(&idle).await;
    let dead = green_dies(&scene).await;
    blue_serves(&scene).await;
    scene.passes(&execution, "TerminateBlue", 2).await;
    terminated(&scene, &dead).await;
    rolled_back(&scene, &execution, "fewer healthy targets").await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_after_the_first_seal_changes_nothing() {
    let scene = Scene::of_three_blue_servers().await;
    scene.quiet_alarm("errors").await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let execution = scene.deploy(&watched(crate::scene::hasty())).await;
    // Given servers that have sealed and are gone
    scene.passes(&execution, "TerminateBlue", 2).await;
    // When an alarm fires, and an operator asks to roll back
    scene
        .cloud
        .set_alarm("errors", State::Alarm)
        .await
        .expect("it fires");
    let wish = scene.deploy(&json!({"rollBack": execution.name()})).await;
    scene.fails_with(&wish, "WishRefused").await;
    // Then the drain goes on and ends well
    scene.passes(&execution, "TerminateBlue", 4).await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.promoted(&execution).await;
    scene.minimum_held(witness, &[execution.name()]).await;
    let states = execution.states().await.expect("a history");
    assert!(!states.iter().any(|state| state == "ResumeBlue"));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_that_fires_already_or_does_not_exist_refuses_the_deployment() {
    let scene = Scene::of_three_blue_servers().await;
    let missing = scene.deploy(&watched(crate::scene::hasty())).await;
    let cause = scene.fails_with(&missing, "PreflightRefused").await;
    assert!(cause.contains("do not exist: errors"), "{cause}");
    scene.cloud.put_alarm("errors").await.expect("an alarm");
    scene
        .cloud
        .set_alarm("errors", State::Alarm)
        .await
        .expect("it fires");
    let firing = scene.deploy(&watched(crate::scene::hasty())).await;
    let cause = scene.fails_with(&firing, "PreflightRefused").await;
    assert!(cause.contains("in state ALARM: errors"), "{cause}");
    scene.untouched().await;
    scene.ends().await;
}
