//! A wish to roll back and take-overs, broken at every Task of their roads: one deployment back, the next one on.

use serde_json::json;

use super::roads::{TAKEN_BACK, TAKEN_ON, WISH, breaking, loses_the_reply_of, walked};
use crate::scene::{Scene, action_was_right, hasty};

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_and_take_overs_back_and_on_survive_the_failure_of_each_task() {
    // Given a busy session, and a deployment that bakes
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    let witness = scene.cloud.witness();
    let back = scene
        .deploy(&json!({"bake": {"seconds": 600}, "drain": {"settleSeconds": 1}}))
        .await;
    scene.passes(&back, "WaitBeforeNextPass", 1).await;
    // When every Task of an operator's wish fails
    let wish = json!({"rollBack": back.name()});
    let wish = breaking(&scene, WISH, "wish", &wish).await;
    let wish = walked(wish, WISH).await;
    // Then it is heard all the same; if that was before the last redrive, then it says so
    let heard = wish.standing.describe(None);
    let asked = wish.standing.error.is_none();
    assert!(
        asked || heard.contains("is rolling back already"),
        "{heard}"
    );
    // Waits are shorter from here on: before, a wish had to write between two passes, however slow the machine is
    let emulators = scene.cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.3).await.expect("scaled");
    scene.passes(&back, "ResumeBlue", 1).await;
    // When that rollback stops, and every Task of its take-over fails
    back.stop().await.expect("it is stopped");
    let input = json!({"takeOver": {"deployment": back.name(), "then": "rollBack"}});
    let over = breaking(&scene, TAKEN_BACK, "taken-back", &input).await;
    let over = walked(over, TAKEN_BACK).await;
    // Then it is rolled back
    scene.fails_with(&over.last, "RolledBack").await;
    scene.serves_as_before("RolledBack").await;
    scene.all_still_busy([&busy]);
    // When the next deployment stops while it drains, and every Task of its take-over fails
    let on = scene.deploy(&hasty()).await;
    scene.passes(&on, "TerminateBlue", 2).await;
    on.stop().await.expect("it is stopped");
    let input = json!({"takeOver": {"deployment": on.name(), "then": "continue"}});
    let mut over = breaking(&scene, TAKEN_ON, "taken-on", &input).await;
    loses_the_reply_of(&mut over, "DecidePass").await;
    scene.all_still_busy([&busy]);
    busy.leave();
    // Then it is promoted, and green's minimum was there all along
    let over = walked(over, TAKEN_ON).await;
    scene.promoted(&over.last).await;
    scene.ended_as(on.name(), "Promoted").await;
    let seen = witness.testimony().await.expect("a testimony");
    assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
    action_was_right(&seen);
    let strays = scene.cloud.strays(&[on.name()]).await;
    assert_eq!(strays.expect("instances"), []);
    scene.ends().await;
}
