//! Requests through one tunnel of one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::harness::*;

#[tokio::test]
async fn both_bodies_stream_at_the_same_time() {
    let fleet = Fleet::start(1).await;
    let _tunnel = fleet.servers[0].tunnel("a").await;
    let (send, body) = pieces();
    send.send(Bytes::from("one")).unwrap();
    let response = fleet.servers[0].send("POST", "/t/a/echo", body).await;
    let mut echoed = response.into_body();
    assert_eq!(piece(&mut echoed).await.unwrap(), "one");
    // The first piece came back before the second was sent.
    send.send(Bytes::from("two")).unwrap();
    assert_eq!(piece(&mut echoed).await.unwrap(), "two");
    drop(send);
    assert_eq!(piece(&mut echoed).await, None);
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    let fleet = Fleet::start(1).await;
    let _tunnel = fleet.servers[0].tunnel("a").await;
    let large: String = (0..1_000_000)
        .map(|n| char::from(b'a' + (n % 23) as u8))
        .collect();
    let response = fleet.servers[0]
        .send("POST", "/t/a/echo", text(large.clone()))
        .await;
    assert!(read(response).await == large);
}

#[tokio::test]
async fn many_requests_share_a_tunnel_and_each_gets_its_own_answer() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let waiting: Vec<_> = (0..200)
        .map(|n| server.spawn_get(&format!("/t/a/{n}")))
        .collect();
    let mut arrived = Vec::new();
    while arrived.len() < waiting.len() {
        arrived.push(tunnel.arrival().await);
    }
    // All are in flight at once; the last to come is the first to be answered.
    for request in arrived.into_iter().rev() {
        let path = request.path().to_owned();
        request.answer(text(path));
    }
    for (n, response) in waiting.into_iter().enumerate() {
        assert_eq!(read(response.await.unwrap()).await, format!("/{n}"));
    }
}

/// A body without an end, and how many pieces of it were taken so far.
fn endless() -> (Arc<AtomicUsize>, Body) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let pieces = futures_util::stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))
    });
    (taken, StreamBody::new(pieces).boxed_unsync())
}

#[tokio::test]
async fn responses_that_nobody_reads_do_not_stop_the_others() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        let response = server.spawn_get("/t/a/endless");
        let (taken, body) = endless();
        tunnel.arrival().await.answer(body);
        unread.push(response.await.unwrap());
        // Until all buffers on the way are full, and the stream stands still.
        until("standstill", || async {
            let before = taken.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
            let after = taken.load(Ordering::SeqCst);
            if before == after {
                Ok(())
            } else {
                Err(format!("{after} pieces"))
            }
        })
        .await;
    }
    let response = server.send("POST", "/t/a/echo", text("quick")).await;
    assert_eq!(read(response).await, "quick");
    // Both ways: nor do requests whose bodies nobody reads.
    let (_taken, body) = endless();
    let asked = request("POST", server.url("/t/a/unread"), body);
    let _asking = tokio::spawn(user().request(asked));
    let _unread = tunnel.arrival().await;
    let response = server.send("POST", "/t/a/echo", text("quick")).await;
    assert_eq!(read(response).await, "quick");
}

#[tokio::test]
async fn the_application_sees_path_query_method_and_headers_of_the_user() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let url = server.url("/t/a/x//y%2Fz?q=1&r=%20");
    let mut asked = request("DELETE", url, text(""));
    asked.headers_mut().insert("x-mine", "1".parse().unwrap());
    asked
        .headers_mut()
        .insert("connection", "x-private".parse().unwrap());
    asked
        .headers_mut()
        .insert("x-private", "1".parse().unwrap());
    let response = tokio::spawn(async move { user().request(asked).await.unwrap() });
    let arrived = tunnel.arrival().await;
    assert_eq!(arrived.request.method(), "DELETE");
    assert_eq!(
        arrived.request.uri().path_and_query().unwrap(),
        "/x//y%2Fz?q=1&r=%20"
    );
    assert_eq!(
        arrived.request.uri().authority().unwrap().as_str(),
        server.public.to_string()
    );
    assert_eq!(arrived.request.headers()["x-mine"], "1");
    assert!(!arrived.request.headers().contains_key("x-private"));
    arrived.answer(text(""));
    let response = response.await.unwrap();
    assert_eq!(response.headers()["tunnel-server"], "i-1");
    assert!(!response.headers().contains_key("connection"));
}

#[tokio::test]
async fn a_user_who_hangs_up_cancels_the_request_at_the_application() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let response = server.spawn_get("/t/a/slow");
    let mut arrived = tunnel.arrival().await;
    response.abort();
    soon("cancelled request", arrived.answer.closed()).await;
    server
        .reports(serde_json::json!({ "busy": 0, "idle": 1 }))
        .await;
}

#[tokio::test]
async fn a_client_that_goes_away_fails_its_requests_with_a_reason() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let response = server.spawn_get("/t/a/slow");
    let _arrived = tunnel.arrival().await;
    drop(tunnel);
    let response = soon("response", response).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(read(response).await.contains("TunnelLost"));
    server
        .reports(serde_json::json!({ "busy": 0, "idle": 0 }))
        .await;
}

#[tokio::test]
async fn a_request_for_no_tunnel_is_told_so_after_the_wait() {
    let fleet = Fleet::timed(
        1,
        Timing {
            hold_for: std::time::Duration::from_millis(50),
            ..TIMING
        },
    )
    .await;
    let response = fleet.servers[0].get("/t/nobody/").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(read(response).await.contains("NoSuchTunnel"));
    for path in ["/", "/t", "/t/", "/t/a%20b/", "/tunnel/"] {
        assert!(
            fleet.servers[0].get(path).await.status().is_client_error(),
            "{path}"
        );
    }
}
