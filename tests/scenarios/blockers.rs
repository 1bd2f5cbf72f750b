//! Servers that do not answer: named, waited for, never cut.

use ebbtide_local_cloud::host::ServerProgram;
use ebbtide_local_cloud::options::{Choice, Options};

use crate::scene::{Scene, hasty};
use crate::sessions::Seen;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_terminated_behind_our_back_is_gone_and_the_rest_goes_on() {
    let scene = Scene::of_three_blue_servers().await;
    let mut busy = scene.busy("busy").await;
    let in_use = scene.in_use().await;
    let lost = scene
        .blue()
        .iter()
        .find(|instance| !in_use.contains(instance))
        .expect("a server that nothing depends on")
        .clone();
    // When EC2 terminates one of blue's instances while the deployment drains
    let execution = scene.deploy(&hasty()).await;
    scene.passes(&execution, "DrainIdle", 1).await;
    scene
        .cloud
        .terminate(&lost)
        .await
        .expect("it is terminated");
    // Then the drain goes on, the busy session too
    scene.passes(&execution, "TerminateBlue", 3).await;
    assert_eq!(busy.seen(), Seen::Asked);
    assert_eq!(scene.running("tunnel-a").await, in_use);
    busy.leave();
    scene.promoted(&execution).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_process_that_dies_blocks_until_its_instance_is_terminated() {
    let scene = Scene::of_three_blue_servers().await;
    // When a blue server's process dies while its instance runs on
    let execution = scene.deploy(&hasty()).await;
    scene.passes(&execution, "DrainIdle", 1).await;
    let dead = scene.blue()[0].clone();
    scene.cloud.host().kill(&dead).expect("it is killed");
    // Then it is named as unknown, since when, and blocks alone
    scene.named_as_unknown(&execution, &dead).await;
    scene.passes(&execution, "TerminateBlue", 4).await;
    assert_eq!(scene.running("tunnel-a").await, std::slice::from_ref(&dead));
    // When an operator terminates the instance, the deployment ends by itself
    scene
        .cloud
        .terminate(&dead)
        .await
        .expect("it is terminated");
    scene.promoted(&execution).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_session_endpoint_answers_garbage_is_left_alive() {
    // Given three blue servers, of which the one in the third subnet answers well once, and garbage ever after
    let options = Options {
        choice: Choice::new(|server| {
            let odd = server.instance.environment() == Some("tunnel-a")
                && server.instance.ip.octets()[2] == 30;
            if odd {
                ServerProgram::garbage_after(&report(&server.instance.id))
            } else {
                ServerProgram::of_user_data(&server.user_data)
            }
        }),
        ..Options::default()
    };
    let scene = Scene::with(options).await;
    let odd = scene
        .cloud
        .servers()
        .into_iter()
        .find(|server| server.ip.octets()[2] == 30)
        .expect("a third server")
        .instance;
    // When a deployment drains blue
    let execution = scene.deploy(&hasty()).await;
    scene.passes(&execution, "TerminateBlue", 4).await;
    // Then it alone is left, alive and named
    assert_eq!(scene.running("tunnel-a").await, std::slice::from_ref(&odd));
    assert!(scene.lives(&odd));
    scene.named_as_unknown(&execution, &odd).await;
    scene.ends().await;
}

/// What an open, empty server of this instance reports.
fn report(instance: &str) -> String {
    serde_json::json!({
        "version": 1, "instance": instance, "admission": "open", "epoch": 0,
        "busy": 0, "idle": 0, "closed": 0, "oldestBusySeconds": 0,
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answered_as_version_1_refuses_the_deployment() {
    // Given a blue server that answers garbage from the start
    let options = Options {
        choice: Choice::new(|server| match server.instance.ip.octets()[2] {
            30 => ServerProgram::garbage(),
            _ => ServerProgram::of_user_data(&server.user_data),
        }),
        ..Options::default()
    };
    let scene = Scene::with(options).await;
    // Then a deployment, which could never end it, is refused before anything is touched
    let execution = scene.deploy(&hasty()).await;
    let cause = scene.fails_with(&execution, "NotFitYet").await;
    assert!(cause.contains("no") && cause.contains("report"), "{cause}");
    scene.untouched().await;
    scene.ends().await;
}
