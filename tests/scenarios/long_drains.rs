//! Drains that outlast a deadline, an execution, or a pipeline's patience.

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::options::Options;
use serde_json::{Value, json};

use crate::scene::{LIMIT, Scene, hasty};
use crate::sessions::Seen;

/// A deadline runs anew from each redrive.
const MOST_DEADLINES: usize = 4;

/// What the build of pipeline.yaml writes for a release that is the template's second version.
const OF_A_BUILD: &str = include_str!("../definition/deployment.json");

/// A deadline that passes while a session is busy.
fn deadline(seconds: u32) -> Value {
    let mut input = hasty();
    input["drain"]["deadlineSeconds"] = json!(seconds);
    input
}

/// When it is redriven until its drain is over: to a busy machine one deadline may be too short for what is left.
async fn redriven_to_its_end(scene: &Scene, execution: &Execution) -> Execution {
    let mut again = scene.redriven(execution).await;
    for _ in 1..MOST_DEADLINES {
        let standing = again.ended(LIMIT).await.expect("it ends");
        if standing.error.as_deref() != Some("DrainDeadlineExceeded") {
            break;
        }
        again = scene.redriven(&again).await;
    }
    again
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_past_its_deadline_fails_cuts_nobody_and_goes_on_when_redriven() {
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let in_use = scene.in_use().await;
    // Given a session that outlasts the deadline
    let execution = scene.deploy(&deadline(10)).await;
    let cause = scene.fails_with(&execution, "DrainDeadlineExceeded").await;
    assert!(
        in_use.iter().any(|instance| cause.contains(instance)) && cause.contains("redrive"),
        "{cause}"
    );
    assert_eq!(
        execution.last_state().await.expect("a history").as_deref(),
        Some("CheckDrained")
    );
    assert_eq!(busy.seen(), Seen::Asked);
    let entry = scene.entry_of(execution.name()).await;
    assert_eq!(
        entry.owner.execution,
        execution.arn(),
        "blue is still its own"
    );
    // When the user has left and an operator redrives
    busy.leave();
    let again = redriven_to_its_end(&scene, &execution).await;
    // Then it ends well
    scene.promoted(&again).await;
    scene.minimum_held(witness, &[execution.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_that_the_operator_terminates_lets_a_redrive_end() {
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut input = deadline(45);
    input["bake"]["seconds"] = json!(20);
    let first = scene.deploy(&input).await;
    scene.passes(&first, "CheckDrained", 1).await;
    // Given a blue server that hangs from the bake on, when blue has no weight any more, until the deadline is over: however
    // often, for a slow machine needs more than one to end the two others
    let hung = scene.blue()[0].clone();
    scene.cloud.host().stop(&hung).expect("it hangs");
    let mut execution = first;
    for _ in 0..MOST_DEADLINES {
        let cause = scene.fails_with(&execution, "DrainDeadlineExceeded").await;
        assert!(
            cause.contains(&hung) && cause.contains("unknown"),
            "{cause}"
        );
        if scene.running("tunnel-a").await.len() == 1 {
            break;
        }
        execution = scene.cloud.redrive(&execution).await.expect("a redrive");
    }
    assert_eq!(scene.running("tunnel-a").await, std::slice::from_ref(&hung));
    // When an operator terminates it and redrives
    scene
        .cloud
        .terminate(&hung)
        .await
        .expect("it is terminated");
    let again = redriven_to_its_end(&scene, &execution).await;
    scene.promoted(&again).await;
    scene.minimum_held(witness, &[execution.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_drain_lets_the_pipeline_and_the_next_deployment_go() {
    let scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    // Given the input that a pipeline's build wrote, and a newer version whose servers fail their health checks
    let mut input: Value = serde_json::from_str(OF_A_BUILD).expect("JSON");
    for (number, user_data) in [("2", ""), ("3", "stand-in --health 503")] {
        let version = scene.cloud.add_version(user_data).await;
        assert_eq!(version.expect("a version").to_string(), number);
    }
    input["bake"] = hasty()["bake"].clone();
    input["drain"]["settleSeconds"] = hasty()["drain"]["settleSeconds"].clone();
    // When the bake is over the first execution ends well
    let first = scene.deploy(&input).await;
    let standing = first.ended(LIMIT).await.expect("it ends");
    assert_eq!(
        standing.status,
        ExecutionStatus::Succeeded,
        "{}",
        standing.describe(None)
    );
    let last = first.last_state().await.expect("a history");
    assert_eq!(last.as_deref(), Some("Continued"));
    // Then the drain goes on elsewhere, under the same name, and a new deployment need not wait for it
    let second = scene.continues(&[first.name()]).await;
    scene.passes(&second, "TerminateBlue", 2).await;
    assert_eq!(busy.seen(), Seen::Asked);
    let entry = scene.entry_of(first.name()).await;
    assert_eq!(entry.owner.execution, second.arn());
    assert_eq!(scene.front().await, None);
    let next = scene.deploy(&json!({"dryRun": true})).await;
    let standing = next.ended(LIMIT).await.expect("it ends");
    assert_eq!(standing.error, None, "{}", standing.describe(None));
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.promoted(&second).await;
    let item = scene.cloud.deployment_item(first.name()).await;
    let item = item.expect("an item");
    assert_eq!(
        (item["outcome"].as_str(), item["parts"].as_str()),
        ("Promoted", "2")
    );
    scene.minimum_held(witness, &[first.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_longer_than_a_history_goes_on_in_a_new_execution() {
    // Given a limit of five passes an execution
    let options = Options {
        parameters: vec![("PassesPerExecution".to_owned(), "5".to_owned())],
        ..Options::default()
    };
    let scene = Scene::with(options).await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let first = scene.deploy(&hasty()).await;
    // When the drain takes more than ten
    let second = scene.continues(&[first.name()]).await;
    let third = scene.continues(&[first.name(), second.name()]).await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    // Then the last execution ends the deployment, and all of them ended well
    scene.promoted(&third).await;
    for part in [&first, &second] {
        let standing = part.standing().await.expect("a standing");
        assert_eq!(
            standing.status,
            ExecutionStatus::Succeeded,
            "{}",
            standing.describe(None)
        );
    }
    scene.minimum_held(witness, &[first.name()]).await;
    scene.ends().await;
}
