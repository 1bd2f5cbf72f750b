//! What a person says to a deployment: it waits at a gate, is paused, promoted and given up.

use ebbtide_local_cloud::Execution;
use ebbtide_rules::record::Halt;
use serde_json::{Value, json};

use crate::scene::Scene;

/// A deployment that would take long without a person.
fn slow(approve: &[&str]) -> Value {
    json!({
        "traffic": {"steps": [50, 100], "stepSeconds": 700},
        "bake": {"seconds": 700},
        "drain": {"settleSeconds": 1, "pollSeconds": 5},
        "approve": approve,
    })
}

/// When somebody says so to a deployment.
async fn said(scene: &Scene, verb: &str, to: &Execution) -> Execution {
    let why = format!("the scenario says {verb}");
    scene
        .deploy(&json!({verb: to.name(), "who": "a scenario", "why": why}))
        .await
}

/// Then the deployment was told.
pub(crate) async fn told(scene: &Scene, verb: &str, to: &Execution) {
    let wish = said(scene, verb, to).await;
    scene.ends_well(&wish).await;
    let last = wish.last_state().await.expect("a history");
    assert_eq!(last.as_deref(), Some("WishTold"));
}

/// Then it stands there, and the record says so.
async fn stands(scene: &Scene, at: Halt) {
    scene
        .then("it waits for a person", || async {
            let front = scene.record().await.front;
            let waits = front.and_then(|front| front.waits);
            let seen = format!("{waits:?}");
            Ok(waits.filter(|waits| waits.at == at).map(|_| ()).ok_or(seen))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_past_a_gate_or_a_pause_until_a_person_says_so() {
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    // A deployment that is given up at its first gate leaves everything as it was
    let first = scene.deploy(&slow(&["switch"])).await;
    stands(&scene, Halt::Switch).await;
    scene.passes(&first, "WaitBeforeSwitch", 2).await;
    assert_eq!(scene.weights().await, [Some(100), Some(0), None]);
    told(&scene, "abort", &first).await;
    let cause = scene.fails_with(&first, "GreenRejected").await;
    assert!(cause.contains("the scenario says abort"), "{cause}");
    // The next one passes its first gate, and takes no step while it is paused
    let second = scene.deploy(&slow(&["switch", "seal"])).await;
    stands(&scene, Halt::Switch).await;
    told(&scene, "resume", &second).await;
    scene.passes(&second, "DecidePass", 2).await;
    assert_eq!(scene.weights().await, [Some(50), Some(50), None]);
    let again = said(&scene, "resume", &second).await;
    let cause = scene.fails_with(&again, "WishRefused").await;
    assert!(cause.contains("once it is waited at"), "{cause}");
    told(&scene, "pause", &second).await;
    told(&scene, "pause", &second).await;
    stands(&scene, Halt::Pause).await;
    // Promoted, it skips the rest of steps and bake, and the gate before the first seal with them
    told(&scene, "promote", &second).await;
    scene.retires(second.name(), "tunnel-a").await;
    assert_eq!(scene.weights().await, [Some(0), Some(100), None]);
    let late = said(&scene, "rollBack", &second).await;
    let cause = scene.fails_with(&late, "WishRefused").await;
    assert!(cause.contains("is draining"), "{cause}");
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.promoted_into(&second, "tunnel-b").await;
    scene.minimum_held(witness, &[second.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_is_sealed_before_the_second_gate_opens() {
    let scene = Scene::of_three_blue_servers().await;
    let input = json!({
        "bake": {"seconds": 1},
        "drain": {"settleSeconds": 1, "pollSeconds": 2},
        "approve": ["seal"],
    });
    let execution = scene.deploy(&input).await;
    // When its bake is over, and nobody has a session
    stands(&scene, Halt::Seal).await;
    scene.passes(&execution, "DecidePass", 4).await;
    // Then every server of blue lives, unsealed
    let reports = scene.cloud.reports().await;
    for instance in scene.blue() {
        let report = reports[instance].as_ref().expect("a report");
        assert_ne!(report.admission, "sealed", "{instance}");
    }
    told(&scene, "resume", &execution).await;
    scene.promoted_into(&execution, "tunnel-b").await;
    scene.ends().await;
}
