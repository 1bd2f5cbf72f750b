//! The user's own checks of green: pages and WebSockets, as a stack names them.

use ebbtide_local_cloud::options::Options;
use serde_json::json;

use crate::scene::{Scene, hasty};
use crate::sessions::Seen;

/// Given a stack with these checks.
async fn with_checks(paths: &str) -> Scene {
    let parameters = [("TestPaths", paths), ("TestWebSocketSeconds", "1")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Scene::with(Options {
        parameters: parameters.to_vec(),
        ..Options::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_holds_its_web_sockets_is_promoted() {
    // Given tunnels as checks, each of which is a session of green while it is open
    let scene = with_checks("/health,ws:/tunnel/check-*,ws:/tunnel/another-*").await;
    let idle = scene.idle(3).await;
    // Then green holds them, and is empty when it gets its weight
    let execution = scene.deploy(&hasty()).await;
    scene.promoted(&execution).await;
    scene.all_handed_over(&idle).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_opens_no_web_socket_is_terminated_and_nobody_notices() {
    // Given a check that a page answers, and no WebSocket
    let scene = with_checks("ws:/health").await;
    let idle = scene.idle(3).await;
    let execution = scene.deploy(&json!({})).await;
    // Then green is rejected with what was seen, and blue serves as before
    let cause = scene.fails_with(&execution, "GreenRejected").await;
    let seen = "ws:/health answers 200, expected 101";
    assert!(cause.contains(seen), "{cause}");
    assert_eq!(scene.running("tunnel-b").await, Vec::<String>::new());
    assert!(idle.iter().all(|session| session.seen() == Seen::Open));
    scene.released("GreenRejected").await;
    scene.ends().await;
}
