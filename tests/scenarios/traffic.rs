//! Traffic that moves step by step, behind a load balancer that is slow to follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ebbtide_local_cloud::Execution;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

use crate::scene::{Scene, action_was_right};
use crate::sessions::Seen;

/// Users that come one after another, each opening a session and leaving at once; the refusals that they saw.
async fn users(listener: String, over: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let (mut opened, mut refused) = (0, Vec::new());
    while !over.load(Ordering::Relaxed) {
        let url = format!(
            "{}/tunnel/user-{opened}",
            listener.replacen("http", "ws", 1)
        );
        match connect_async(&url).await {
            Ok(_) => {}
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(body);
                refused.push(format!("{}: {body}", answer.status()));
            }
            Err(error) => refused.push(error.to_string()),
        }
        opened += 1;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    (opened, refused)
}

/// Green's weight, and how many servers were told to drain, in each pass.
async fn orders(execution: &Execution) -> Vec<(u64, u64)> {
    let history = execution.history().await.expect("a history");
    let drained = history
        .iter()
        .filter_map(|event| event.state_exited_event_details())
        .filter(|details| details.name() == "DrainIdle");
    let documents = drained
        .filter_map(|details| details.output())
        .filter_map(|output| serde_json::from_str::<Value>(output).ok());
    documents
        .map(|document| {
            let green = document["switch"]["weights"]["green"].as_u64();
            let ordered = document["drain"]["ordered"].as_u64();
            (green.expect("a weight"), ordered.expect("a count"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn weight_moves_in_steps_and_no_new_session_is_refused_behind_a_slow_load_balancer() {
    // Given a load balancer of which a part follows new weights three seconds late, and users who come all the time
    let scene = Scene::of_three_blue_servers().await;
    scene.cloud.balancer().lag(Duration::from_secs(3));
    let mut busy = scene.busy("busy").await;
    let over = Arc::new(AtomicBool::new(false));
    let coming = tokio::spawn(users(scene.cloud.listener().to_owned(), Arc::clone(&over)));
    let witness = scene.cloud.witness();
    // When a deployment moves them in three steps
    let execution = scene
        .deploy(&json!({
            "traffic": {"steps": [20, 60, 100], "stepSeconds": 3},
            "bake": {"seconds": 4},
            // Well beyond the lag: who was sent to blue at its very end may come late on a busy machine.
            "drain": {"settleSeconds": 20, "pollSeconds": 2},
        }))
        .await;
    scene.passes(&execution, "TerminateBlue", 2).await;
    over.store(true, Ordering::Relaxed);
    // Then nobody was refused, the steps were taken in order, and nothing was drained before the last of them
    let (opened, refused) = coming.await.expect("the users");
    assert_eq!(refused, Vec::<String>::new(), "of {opened}");
    assert_eq!(busy.seen(), Seen::Asked);
    let seen = witness.testimony().await.expect("a testimony");
    assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
    action_was_right(&seen);
    let orders = orders(&execution).await;
    // Whoever looks from outside may look too rarely to see each step.
    let mut steps: Vec<u64> = orders.iter().map(|(green, _)| *green).collect();
    steps.dedup();
    assert_eq!(steps, [20, 60, 100]);
    let early: Vec<_> = orders.iter().filter(|(green, _)| *green < 100).collect();
    assert!(
        !early.is_empty() && early.iter().all(|(_, ordered)| *ordered == 0),
        "{orders:?}"
    );
    assert!(orders.iter().any(|(_, ordered)| *ordered > 0), "{orders:?}");
    busy.leave();
    scene.promoted(&execution).await;
    scene.ends().await;
}
