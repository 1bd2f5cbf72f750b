//! A detached drain, broken where it is handed on and in the execution that goes on with it, to a release whose reply
//! comes after the next deployment has begun.

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::variant::Variant;
use serde_json::Value;

use super::roads::{ADOPTED, DETACHED, breaking, breaking_again, loses_the_reply_of, walked};
use crate::scene::{LIMIT, Scene, action_was_right, hasty};

/// The input that an execution was started with.
async fn input_of(execution: &Execution) -> Value {
    let history = execution.history().await.expect("a history");
    let started = history[0].execution_started_event_details();
    let input = started
        .and_then(|details| details.input())
        .expect("an input");
    serde_json::from_str(input).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_drain_and_a_late_release_survive_the_failure_of_each_task() {
    // Given a busy session, and a deployment whose drain goes on elsewhere after the bake
    let scene = Scene::of_three_blue_servers().await;
    let mut on_blue = scene.busy("on-blue").await;
    let witness = scene.cloud.witness();
    let emulators = scene.cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.3).await.expect("scaled");
    let mut input = hasty();
    input["drain"]["detached"] = true.into();
    // Whose next execution fails in its first Task, before that has any effect
    let whole = Variant::of(scene.cloud.definition().await.expect("a definition"));
    let failing = whole.clone().fail_before("AdoptDrain");
    let replaced = scene.cloud.replace_definition(&failing).await;
    replaced.expect("it is replaced");
    // When handing it on fails, before and after the other execution was started
    let detached = breaking(&scene, DETACHED, "fragile", &input).await;
    let detached = walked(detached, DETACHED).await;
    // Then one other execution goes on, and the first one ends well
    let status = detached.standing.status.clone();
    assert_eq!(status, ExecutionStatus::Succeeded);
    let last = detached.last.last_state().await.expect("a history");
    assert_eq!(last.as_deref(), Some("Continued"));
    let executions = scene.cloud.executions().await.expect("executions");
    let [(name, _)] = executions.as_slice() else {
        panic!("{executions:?}");
    };
    let part = scene.cloud.execution(name);
    let standing = part.ended(LIMIT).await.expect("it ends");
    assert_eq!(standing.status, ExecutionStatus::Failed);
    // When that one is started again, with every Task failing
    let replaced = scene.cloud.replace_definition(&whole).await;
    replaced.expect("it is replaced");
    let input = input_of(&part).await;
    let mut adopted = breaking_again(&scene, ADOPTED, &part, &input).await;
    loses_the_reply_of(&mut adopted, "TerminateBlue").await;
    scene.all_still_busy([&on_blue]);
    on_blue.leave();
    // And the reply of its release is lost for so long that the next deployment has moved the traffic
    loses_the_reply_of(&mut adopted, "ReleaseService").await;
    let mut on_green = scene.busy("on-green").await;
    let next = scene.deploy(&hasty()).await;
    scene.passes(&next, "TerminateBlue", 1).await;
    // Then it ends well nevertheless, the next one goes on
    let adopted = walked(adopted, ADOPTED).await;
    let end = &adopted.standing;
    assert_eq!(
        end.status,
        ExecutionStatus::Succeeded,
        "{}",
        end.describe(None)
    );
    scene.ended_as("fragile", "Promoted").await;
    scene.all_still_busy([&on_green]);
    on_green.leave();
    scene.promoted_into(&next, "tunnel-c").await;
    // And once that has ended, too, the former one can only be told so
    for (task, standing) in scene.redriven_at_every_task(&adopted.last).await {
        let error = standing.error.as_deref();
        let told = ["DetachRetired", "ReleaseService"].contains(&task.as_str())
            && (error.is_none() || error == Some("Superseded"));
        assert!(told, "{task}: {}", standing.describe(None));
    }
    scene.promoted_into(&next, "tunnel-c").await;
    let seen = witness.testimony().await.expect("a testimony");
    assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
    action_was_right(&seen);
    let strays = scene.cloud.strays(&[next.name()]).await;
    assert_eq!(strays.expect("instances"), []);
    scene.ends().await;
}
