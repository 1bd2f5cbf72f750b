//! A server with keys: what of its private port is guarded, and what is not.

use http::StatusCode;
use tunnel::server::Options;

use super::harness::{Fleet, Running, TIMING};

/// The options of a server whose keys' file has this text; none: there is no file.
fn keyed(fleet: &Fleet, text: Option<&str>) -> Options {
    let file = fleet.state_directory().join("keys");
    if let Some(text) = text {
        std::fs::write(&file, text).unwrap();
    }
    Options {
        keys: Some(file),
        ..fleet.options("i-1", "i-1", TIMING)
    }
}

async fn statuses(server: &Running) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (method, path) in [
        ("GET", "/sessions"),
        ("POST", "/sessions/seal"),
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("POST", "/peers/reserve"),
    ] {
        statuses.push(server.private(method, path, "{}").await.0.as_u16());
    }
    statuses
}

#[tokio::test]
async fn unsigned_calls_of_the_session_endpoint_alone_are_refused() {
    let fleet = Fleet::start(0).await;
    let options = keyed(&fleet, Some(&"ab".repeat(32)));
    let guarded = Running::start(options.clone()).await.unwrap();
    let refused = StatusCode::UNAUTHORIZED.as_u16();
    let seen = statuses(&guarded).await;
    assert_eq!(seen[..2], [refused, refused]);
    drop(guarded);
    let taking = Running::start(Options {
        take_unsigned: true,
        ..options
    });
    let taken = statuses(&taking.await.unwrap()).await;
    assert_eq!(taken[0], 200);
    // What else there is answers both in the same way.
    assert_eq!(seen[2..], taken[2..]);
    assert_eq!(seen[2..4], [200, 200]);
    assert_ne!(seen[4], refused);
}

#[tokio::test]
async fn without_keys_to_read_it_does_not_start_and_says_what_to_do() {
    let fleet = Fleet::start(0).await;
    for text in [None, Some("a secret that was pasted in")] {
        let refused = Running::start(keyed(&fleet, text)).await.err().unwrap();
        let told = refused.to_string();
        assert!(told.starts_with("--keys: /"), "{told}");
        assert!(told.contains("docs/signed-calls.md"), "{told}");
        assert!(!told.contains("pasted"), "{told}");
    }
}
