//! A redrive of the next day, when EC2 has forgotten what the deployment had launched, and its client tokens are spent.

use ebbtide_local_cloud::redrive::interrupted;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::roads::without_long_waits;
use crate::scene::{Scene, hasty};

const NAME: &str = "burnt";

#[tokio::test(flavor = "multi_thread")]
async fn green_is_launched_anew_when_it_ended_and_was_forgotten() {
    // Given a deployment that failed when it had launched green, which ended then and was forgotten
    let scene = Scene::of_three_blue_servers().await;
    let whole = without_long_waits(&scene).await;
    let whole = whole.known_as(scene.cloud.execution(NAME).arn());
    let fragile = whole.clone().fail_after("LaunchGreen");
    let input = hasty();
    let failed = scene.cloud.start_variant(&fragile, Some(NAME), &input);
    let failed = failed.await.expect("it starts");
    scene
        .fails_with(&failed, "States.QueryEvaluationError")
        .await;
    let green = scene.running("tunnel-b").await;
    assert_eq!(green.len(), 3);
    for instance in &green {
        scene.cloud.terminate(instance).await.expect("it ends");
    }
    scene.cloud.forget_ended().await.expect("forgotten");
    // When it is redriven, nothing comes of its orders
    let whole = whole.redriven_once_more().start_at("LaunchGreen");
    let entry = interrupted(&failed).await.expect("where it stopped");
    let redriven = scene
        .cloud
        .start_variant(&whole, Some(NAME), &entry.input)
        .await
        .expect("it starts");
    scene.passes(&redriven, "LaunchGreen", 3).await;
    assert_eq!(scene.running("tunnel-b").await, Vec::<String>::new());
    redriven.stop().await.expect("it is stopped");
    // And when it has waited for five minutes (its clock is in its document), it orders anew
    let mut entry = interrupted(&redriven).await.expect("where it stopped");
    assert_eq!(launching(&entry.input)["generation"], 0);
    waited(&mut entry.input);
    let whole = whole.redriven_once_more();
    let again = scene.cloud.start_variant(&whole, Some(NAME), &entry.input);
    let again = again.await.expect("it starts");
    // Then green is whole again, of other servers, and the deployment ends well
    scene.promoted(&again).await;
    let serving = scene.running("tunnel-b").await;
    assert!(serving.iter().all(|instance| !green.contains(instance)));
    let strays = scene.cloud.strays(&[NAME]).await.expect("instances");
    assert_eq!(strays, []);
    scene.ends().await;
}

fn launching(document: &Value) -> &Value {
    &document["green"]["launching"]
}

/// What was ordered and is not seen has been waited for long enough.
fn waited(document: &mut Value) {
    let since = &mut document["green"]["launching"]["unseen"]["since"];
    let at: Timestamp = since.as_str().expect("since when").parse().expect("a time");
    *since = (at - SignedDuration::from_secs(600)).to_string().into();
}
