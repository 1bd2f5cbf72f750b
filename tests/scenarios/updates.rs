//! Stack updates while a deployment runs: it keeps the definition, the code and the settings that it began with.

use ebbtide_local_cloud::options::Options;
use serde_json::{Value, json};

use crate::scene::{Scene, hasty};

/// The numbers that a deployment would have now, by a dry run.
async fn planned(scene: &Scene) -> Value {
    let shown = scene.deploy(&json!({"dryRun": true})).await;
    let standing = scene.ends_well(&shown).await;
    standing.output.expect("a document")["plan"]["recorded"]["policy"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_keeps_its_settings_through_an_update_a_redrive_and_a_continuation() {
    // Given a drain of many parts
    let options = Options {
        parameters: vec![("PassesPerExecution".to_owned(), "8".to_owned())],
        ..Options::default()
    };
    let mut scene = Scene::with(options).await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let first = scene.deploy(&hasty()).await;
    scene.retires(first.name(), "tunnel-a").await;
    let began_with = scene.entry_of(first.name()).await.plan.policy;
    // When the stack is updated
    let update = [("DeadlineSeconds", "86400"), ("PassesPerExecution", "20")];
    scene.cloud.update(&update).await.expect("an update");
    // Then the next deployment obeys, and the one that runs goes on as it began, also in another execution
    let policy = planned(&scene).await;
    assert_eq!(policy["deadlineSeconds"], 86_400);
    assert_eq!(policy["mostPasses"], 20);
    let second = scene.continues(&[first.name()]).await;
    scene.passes(&second, "CheckDrained", 1).await;
    let entry = scene.entry_of(first.name()).await;
    assert_eq!(entry.plan.policy, began_with);
    scene.all_still_busy([&busy]);
    // And when that is stopped and redriven, it ends well
    second.stop().await.expect("it is stopped");
    let redriven = scene.redriven(&second).await;
    busy.leave();
    scene.promoted(&redriven).await;
    scene.minimum_held(witness, &[first.name()]).await;
    scene.ends().await;
}
