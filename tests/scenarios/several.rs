//! Several deployments of one service at once: one holds the front, former environments drain meanwhile.

use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::breaking::{Breaking, Failure};
use ebbtide_local_cloud::options::Options;
use ebbtide_local_cloud::variant::Variant;
use ebbtide_rules::record::Phase;
use serde_json::{Value, json};

use crate::scene::{LIMIT, Scene, hasty};
use crate::sessions::Session;

/// A bake that lasts until something ends it.
fn long_bake() -> Value {
    json!({"bake": {"seconds": 600}, "drain": {"settleSeconds": 1, "pollSeconds": 2}})
}

/// When a deployment has been baked and now drains this environment.
async fn drains(scene: &Scene, blue: &str, input: &Value) -> Execution {
    let execution = scene.deploy(input).await;
    scene.retires(execution.name(), blue).await;
    execution
}

/// Then the listener gives a, b and c these weights.
async fn weighs(scene: &Scene, weights: [Option<u32>; 3]) {
    assert_eq!(scene.cloud.weights().await.expect("weights"), weights);
}

/// When a deployment whose execution has ended is taken over; the wait for that one's functions is cut short.
async fn taken_over(scene: &Scene, former: &Execution) -> Execution {
    let emulators = scene.cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.03).await.expect("scaled");
    let input = json!({"takeOver": {"deployment": former.name(), "then": "continue"}});
    let execution = scene.deploy(&input).await;
    scene.passes(&execution, "HoldRetiring", 1).await;
    emulators.set_wait_scale(1.0).await.expect("scaled");
    execution
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_follow_one_another_while_busy_sessions_hold_the_former_environments() {
    // Given a busy session on a, and a deployment that waits for it
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut on_a = scene.busy("on-a").await;
    let first = drains(&scene, "tunnel-a", &hasty()).await;
    // When the next one deploys, past a busy session on b
    let mut on_b = scene.busy("on-b").await;
    let second = drains(&scene, "tunnel-b", &hasty()).await;
    let mut on_c = scene.busy("on-c").await;
    // Then both drain, c serves, and nobody is cut
    weighs(&scene, [Some(0), Some(0), Some(100)]).await;
    scene.passes(&first, "TerminateBlue", 3).await;
    scene.passes(&second, "TerminateBlue", 2).await;
    assert_eq!(scene.front().await, None);
    scene.all_still_busy([&on_a, &on_b, &on_c]);
    // And a third one is told who retires, and that one more environment would let it go on
    let refused = scene.deploy(&hasty()).await;
    let cause = scene.fails_with(&refused, "DeploymentInProgress").await;
    for named in [first.name(), second.name(), "tunnel-a", "tunnel-b"] {
        assert!(cause.contains(named), "{named}: {cause}");
    }
    assert!(cause.contains("one more target group"), "{cause}");
    // When the first one's session ends, its group leaves the listener, and the third one goes on
    on_a.leave();
    scene.ends_well(&first).await;
    scene.ended_as(first.name(), "Promoted").await;
    weighs(&scene, [None, Some(0), Some(100)]).await;
    let third = drains(&scene, "tunnel-c", &hasty()).await;
    weighs(&scene, [Some(100), Some(0), Some(0)]).await;
    scene.all_still_busy([&on_b, &on_c]);
    // Then each ends when its sessions have, in whatever order
    on_c.leave();
    scene.ends_well(&third).await;
    weighs(&scene, [Some(100), Some(0), None]).await;
    scene.all_still_busy([&on_b]);
    on_b.leave();
    scene.promoted_into(&second, "tunnel-a").await;
    scene.ended_as(second.name(), "Promoted").await;
    scene.ended_as(third.name(), "Promoted").await;
    scene.minimum_held(witness, &[third.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_rolled_back_while_an_older_environment_drains() {
    // Given a that drains, b that serves, and a deployment that bakes c, with busy sessions on all of them
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut on_a = scene.busy("on-a").await;
    let first = drains(&scene, "tunnel-a", &hasty()).await;
    let on_b = scene.busy("on-b").await;
    let second = scene.deploy(&long_bake()).await;
    scene.passes(&second, "DecidePass", 2).await;
    weighs(&scene, [Some(0), Some(0), Some(100)]).await;
    let mut on_c = scene.busy("on-c").await;
    // When it is rolled back
    let wish = scene.deploy(&json!({"rollBack": second.name()})).await;
    scene.ends_well(&wish).await;
    scene.retires(second.name(), "tunnel-c").await;
    // Then b serves again, a and c drain, and nobody is cut
    weighs(&scene, [Some(0), Some(100), Some(0)]).await;
    scene.passes(&second, "TerminateBlue", 2).await;
    scene.all_still_busy([&on_a, &on_b, &on_c]);
    b_is_open(&scene).await;
    // And each ends when its sessions have
    on_c.leave();
    let cause = scene.fails_with(&second, "RolledBack").await;
    assert!(cause.contains("an operator asked for it"), "{cause}");
    scene.ended_as(second.name(), "RolledBack").await;
    weighs(&scene, [Some(0), Some(100), None]).await;
    scene.all_still_busy([&on_a, &on_b]);
    on_a.leave();
    scene.promoted_into(&first, "tunnel-b").await;
    scene.all_still_busy([&on_b]);
    scene.minimum_held(witness, &[first.name()]).await;
    scene.ends().await;
}

/// Then every server of b takes sessions.
async fn b_is_open(scene: &Scene) {
    let reports = scene.cloud.reports().await;
    for instance in scene.running("tunnel-b").await {
        let report = reports[&instance].as_ref().expect("a report");
        assert_eq!(report.admission, "open", "{instance}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_and_the_front_are_taken_over_each_for_itself() {
    // Given a deployment that drains a and one that bakes, both stopped
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut on_a = scene.busy("on-a").await;
    let first = drains(&scene, "tunnel-a", &hasty()).await;
    let mut on_b = scene.busy("on-b").await;
    let mut input = hasty();
    input["bake"]["seconds"] = json!(20);
    let second = scene.deploy(&input).await;
    scene.passes(&second, "DecidePass", 1).await;
    for crashed in [&first, &second] {
        crashed.stop().await.expect("it is stopped");
    }
    // When the drain is taken over: it does no front work, and the front stays whose it was
    let drain = taken_over(&scene, &first).await;
    scene.passes(&drain, "TerminateBlue", 2).await;
    assert_eq!(scene.front().await.as_deref(), Some(second.name()));
    assert_eq!(
        scene.entry_of(first.name()).await.owner.execution,
        drain.arn()
    );
    // When the front is taken over, too
    let front = taken_over(&scene, &second).await;
    scene.retires(second.name(), "tunnel-b").await;
    scene.passes(&front, "TerminateBlue", 2).await;
    weighs(&scene, [Some(0), Some(0), Some(100)]).await;
    scene.all_still_busy([&on_a, &on_b]);
    // And the former executions, redriven, are told that they are late
    for former in [&first, &second] {
        let late = scene.redriven(former).await;
        scene.fails_with(&late, "Superseded").await;
    }
    scene.all_still_busy([&on_a, &on_b]);
    // Then each ends when its sessions have
    on_b.leave();
    scene.ends_well(&front).await;
    on_a.leave();
    scene.promoted_into(&drain, "tunnel-c").await;
    scene.ended_as(first.name(), "Promoted").await;
    scene.ended_as(second.name(), "Promoted").await;
    scene.minimum_held(witness, &[second.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_environments_the_next_deployment_waits_for_the_drain() {
    // Given a service of two environments, whose blue drains
    let options = Options {
        environments: 2,
        ..Options::default()
    };
    let scene = Scene::with(options).await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let first = drains(&scene, "tunnel-a", &hasty()).await;
    // Then the next deployment is refused, and told for whom it waits
    scene.passes(&first, "TerminateBlue", 2).await;
    let refused = scene.deploy(&hasty()).await;
    let cause = scene.fails_with(&refused, "DeploymentInProgress").await;
    assert!(
        cause.contains(first.name()) && cause.contains("tunnel-a") && cause.contains("busy"),
        "{cause}"
    );
    scene.all_still_busy([&busy]);
    // And goes the other way when blue is gone
    busy.leave();
    scene.promoted(&first).await;
    let second = scene.deploy(&hasty()).await;
    scene.promoted_into(&second, "tunnel-a").await;
    scene.minimum_held(witness, &[second.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_overtakes_a_drain_that_only_detaches() {
    // Given a deployment that is done but for its group in the forward action, and stopped there
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let idle: Vec<Session> = scene.idle(3).await;
    let whole = Variant::of(scene.cloud.definition().await.expect("the definition"));
    let tasks = ["DetachRetired"];
    let started = Breaking::start(&scene.cloud, whole, &tasks, None, &hasty(), LIMIT).await;
    let mut first = started.expect("it starts");
    let failure = first.next_failure().await.expect("it fails on purpose");
    let before = Failure {
        task: "DetachRetired".to_owned(),
        took_effect: false,
    };
    assert_eq!(failure, Some(before));
    let front = scene.record().await.front.expect("it holds the front");
    assert!(matches!(front.phase, Phase::Detaching { .. }), "{front:?}");
    weighs(&scene, [Some(0), Some(100), None]).await;
    // When the next one claims; the wait for the former one's last call is cut short
    let emulators = scene.cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.03).await.expect("scaled");
    let second = scene.deploy(&hasty()).await;
    scene.passes(&second, "AttachGreen", 1).await;
    emulators.set_wait_scale(1.0).await.expect("scaled");
    // Then it leaves out of the action what is gone, and the former one finds nothing left to do
    scene.retires(second.name(), "tunnel-b").await;
    let first = first.ended().await.expect("redriven to its end");
    assert_eq!(
        first.standing.error,
        None,
        "{}",
        first.standing.describe(None)
    );
    scene.promoted_into(&second, "tunnel-c").await;
    scene.all_handed_over(&idle).await;
    scene.minimum_held(witness, &[second.name()]).await;
    scene.ends().await;
}
