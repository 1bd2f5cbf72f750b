//! The user's own checks of green: pages and WebSockets, as a stack names them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ebbtide_local_cloud::options::Options;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::rollback::rolled_back;
use crate::scene::{Scene, hasty};
use crate::sessions::{Seen, Session};

/// Given a stack with these checks.
async fn with_checks(paths: &str) -> Scene {
    with(paths, false).await
}

/// Given a stack with these checks, whose environments have test forwards.
async fn with_test_forwards(paths: &str) -> Scene {
    with(paths, true).await
}

async fn with(paths: &str, tests: bool) -> Scene {
    let parameters = [("TestPaths", paths), ("TestWebSocketSeconds", "1")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Scene::with(Options {
        parameters: parameters.to_vec(),
        tests,
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

/// What stands between users and the load balancer, and can fail by itself.
struct Front {
    url: String,
    fails: Arc<AtomicBool>,
    /// Connections that it passed on.
    passed: Arc<AtomicUsize>,
}

impl Front {
    /// Before the load balancer of this scene, and named to its stack.
    async fn of(scene: &mut Scene) -> Self {
        let before = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = before.local_addr().expect("an address").port();
        let behind = scene.cloud.listener().replace("http://", "");
        let front = Self {
            url: format!("http://127.0.0.1:{port}"),
            fails: Arc::default(),
            passed: Arc::default(),
        };
        let (fails, passed) = (front.fails.clone(), front.passed.clone());
        tokio::spawn(async move {
            while let Ok((mut user, _)) = before.accept().await {
                if fails.load(Ordering::SeqCst) {
                    continue;
                }
                passed.fetch_add(1, Ordering::SeqCst);
                let behind = behind.clone();
                tokio::spawn(async move {
                    let mut balancer = TcpStream::connect(behind).await?;
                    copy_bidirectional(&mut user, &mut balancer).await
                });
            }
        });
        // As from the internet, which is where users are.
        let update = [
            ("ServiceUrl", front.url.as_str()),
            ("AskServiceFrom", "internet"),
        ];
        scene.cloud.update(&update).await.expect("an update");
        front
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn green_is_tested_through_the_load_balancer_before_it_has_weight() {
    let scene = with_test_forwards("/health,ws:/tunnel/check-*").await;
    let idle = scene.idle(3).await;
    let execution = scene.deploy(&hasty()).await;
    scene.promoted(&execution).await;
    scene.all_handed_over(&idle).await;
    // And what it was tested through forwards as before: the next one is, too.
    let next = scene.deploy(&hasty()).await;
    scene.promoted_into(&next, "tunnel-c").await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_green_that_users_would_not_reach_by_the_load_balancer_is_rejected() {
    // Given test forwards that a firewall keeps the load balancer from, or so: nobody answers there
    let mut scene = with_test_forwards("/health").await;
    let idle = scene.idle(3).await;
    let nobody = ["http://127.0.0.1:9"; 3].join(",");
    let update = [("TestUrls", nobody.as_str())];
    scene.cloud.update(&update).await.expect("an update");
    let execution = scene.deploy(&json!({})).await;
    // Then green is rejected before it had any weight, although each of its servers passed
    let cause = scene.fails_with(&execution, "GreenRejected").await;
    let seen = "the checks at green's place in TestUrls do not pass: /health";
    assert!(cause.contains(seen), "{cause}");
    assert!(idle.iter().all(|session| session.seen() == Seen::Open));
    scene.released("GreenRejected").await;
    // And forwards in another order than the environments are refused before anything is touched
    let mut turned = scene.cloud.world().tests.clone();
    turned.reverse();
    let turned = turned.join(",");
    let update = [("TestListenerArns", turned.as_str())];
    scene.cloud.update(&update).await.expect("an update");
    let refused = scene.deploy(&json!({})).await;
    let cause = scene.fails_with(&refused, "PreflightRefused").await;
    assert!(cause.contains("order of TargetGroupArns"), "{cause}");
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_asked_where_users_reach_it_until_the_bake_is_over() {
    // Given tunnels and a page as checks, through a front as well
    let mut scene = with_checks("/health,ws:/tunnel/check-*").await;
    let front = Front::of(&mut scene).await;
    let idle = scene.idle(3).await;
    // Then they pass, before anything is touched and in the bake, and their sessions are nobody's that stays
    let execution = scene.deploy(&hasty()).await;
    scene.promoted(&execution).await;
    // Each time a page and a WebSocket: TestBlue once, and a pass of the bake at the least.
    let asked = front.passed.load(Ordering::SeqCst);
    assert!(asked >= 4, "{asked}");
    scene.all_handed_over(&idle).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_fail_three_times_where_users_are_roll_back_and_cut_nobody() {
    // Given a bake without an end of its own
    let mut scene = with_checks("/health").await;
    let front = Front::of(&mut scene).await;
    let busy = scene.busy("busy").await;
    let idle = scene.idle(3).await;
    let bake = json!({"bake": {"seconds": 3600}, "drain": {"settleSeconds": 1}});
    let execution = scene.deploy(&bake).await;
    scene.passes(&execution, "CheckDrained", 1).await;
    // When users do not reach the service any more, although every server is healthy
    front.fails.store(true, Ordering::SeqCst);
    // Then it is rolled back, by what the checks say, and whoever is idle was asked to move at the most
    let seen = "the checks through the load balancer failed 3 times in a row: /health";
    rolled_back(&scene, &execution, seen).await;
    scene.all_still_busy([&busy]);
    let cut = |session: &&Session| matches!(session.seen(), Seen::Cut(_));
    assert_eq!(idle.iter().filter(cut).count(), 0);
    scene.ends().await;
}
