//! Requests that arrive at a server which does not hold the tunnel, or before the tunnel does.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::harness::*;

#[tokio::test]
async fn a_request_reaches_its_tunnel_through_any_server_streamed_both_ways() {
    let fleet = Fleet::start(3).await;
    let _tunnel = fleet.servers[0].tunnel("a").await;
    for server in &fleet.servers {
        let (send, body) = pieces();
        send.send(Bytes::from("one")).unwrap();
        let response = server.send("POST", "/t/a/echo?q=1", body).await;
        assert_eq!(response.headers()["tunnel-server"], "i-1");
        let mut echoed = response.into_body();
        assert_eq!(piece(&mut echoed).await.unwrap(), "one");
        send.send(Bytes::from("two")).unwrap();
        assert_eq!(piece(&mut echoed).await.unwrap(), "two");
        drop(send);
        assert_eq!(piece(&mut echoed).await, None);
    }
}

#[tokio::test]
async fn it_is_busy_and_refuses_the_seal_on_every_server_that_carries_it() {
    let fleet = Fleet::start(2).await;
    let mut tunnel = fleet.servers[0].tunnel("a").await;
    let response = fleet.servers[1].spawn_get("/t/a/slow");
    let arrived = tunnel.arrival().await;
    for server in &fleet.servers {
        server.reports(json!({ "busy": 1, "idle": 0 })).await;
        let (status, answer) = server.seal().await;
        assert_eq!(
            (status, &answer["error"]),
            (StatusCode::CONFLICT, &json!("InUse")),
            "{}",
            server.instance
        );
    }
    arrived.answer(text("done"));
    assert_eq!(read(response.await.unwrap()).await, "done");
    fleet.servers[1]
        .reports(json!({ "busy": 0, "idle": 0 }))
        .await;
    assert_eq!(fleet.servers[1].seal().await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_user_who_hangs_up_cancels_it_behind_two_servers() {
    let fleet = Fleet::start(2).await;
    let mut tunnel = fleet.servers[0].tunnel("a").await;
    let response = fleet.servers[1].spawn_get("/t/a/slow");
    let mut arrived = tunnel.arrival().await;
    response.abort();
    soon("cancelled request", arrived.answer.closed()).await;
    fleet.servers[0]
        .reports(json!({ "busy": 0, "idle": 1 }))
        .await;
    fleet.servers[1]
        .reports(json!({ "busy": 0, "idle": 0 }))
        .await;
}

#[tokio::test]
async fn a_request_waits_for_its_tunnel_here_or_elsewhere_and_refuses_the_seal_meanwhile() {
    let fleet = Fleet::start(2).await;
    let waiting: Vec<_> = fleet
        .servers
        .iter()
        .map(|server| server.spawn_get("/t/a/"))
        .collect();
    for server in &fleet.servers {
        server.reports(json!({ "busy": 1, "idle": 0 })).await;
        assert_eq!(server.seal().await.0, StatusCode::CONFLICT);
    }
    let mut tunnel = fleet.servers[1].tunnel("a").await;
    for _ in &waiting {
        tunnel.arrival().await.answer(text("here"));
    }
    for response in waiting {
        assert_eq!(read(response.await.unwrap()).await, "here");
    }
}

#[tokio::test]
async fn a_request_during_a_move_waits_and_is_answered_at_the_new_place() {
    let fleet = Fleet::start(2).await;
    let (blue, green) = (&fleet.servers[0], &fleet.servers[1]);
    let mut tunnel = blue.tunnel("a").await;
    blue.drain(1000.0, 60).await;
    assert_eq!(u16::from(tunnel.closed().await.code), 1012);
    let waiting = blue.spawn_get("/t/a/");
    blue.reports(json!({ "busy": 1, "idle": 0 })).await;
    // The load balancer would send the client there; without one the test does.
    let mut moved = green.tunnel("a").await;
    moved.arrival().await.answer(text("moved"));
    let response = waiting.await.unwrap();
    assert_eq!(response.headers()["tunnel-server"], "i-2");
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(read(response).await, "moved");
    assert_eq!(
        until("seal", || async { sealed(blue).await }).await,
        StatusCode::OK
    );
}

async fn sealed(server: &Running) -> Result<StatusCode, String> {
    match server.seal().await {
        (StatusCode::OK, _) => Ok(StatusCode::OK),
        (_, answer) => Err(answer.to_string()),
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_makes_the_answer_unknown_not_no() {
    let fleet = Fleet::timed(
        1,
        Timing {
            hold_for: Duration::from_millis(100),
            ..TIMING
        },
    )
    .await;
    // Bound and never accepting: as a peer that hangs, or is gone.
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    fleet.write_peers(&[hanging.local_addr().unwrap()]);
    let answer = until("answer that counts the silent peer", || async {
        let response = fleet.servers[0].get("/t/nobody/").await;
        let status = response.status();
        let answer = read(response).await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            Ok(answer)
        } else {
            Err(answer)
        }
    })
    .await;
    assert!(
        answer.contains("TunnelUnknown") && answer.contains("1 servers"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_reservation_counts_until_it_lapses_and_serves_one_request_only() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let _tunnel = server.tunnel("a").await;
    let (status, granted) = server
        .private("POST", "/peers/reserve", r#"{"name":"b"}"#)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{granted}");
    let (status, granted) = server
        .private("POST", "/peers/reserve", r#"{"name":"a"}"#)
        .await;
    assert_eq!(status, StatusCode::OK, "{granted}");
    server.reports(json!({ "busy": 1 })).await;
    server.drain(1000.0, 60).await;
    let token = serde_json::from_str::<serde_json::Value>(&granted).unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let mut asked = request(
            "POST",
            format!("http://{}/peers/forward/echo", server.private),
            text("kept"),
        );
        asked
            .headers_mut()
            .insert("tunnel-reservation", token.parse().unwrap());
        statuses.push(user().request(asked).await.unwrap().status());
    }
    assert_eq!(statuses, [StatusCode::OK, StatusCode::GONE]);
    let _unused = server
        .private("POST", "/peers/reserve", r#"{"name":"a"}"#)
        .await;
    server
        .reports(json!({ "closed": 1, "idle": 0, "busy": 0 }))
        .await;
}

/// A server that says it has every tunnel, and then does not.
async fn forgetful() -> (
    std::net::SocketAddr,
    tokio::sync::mpsc::UnboundedReceiver<()>,
) {
    let (told, asked) = tokio::sync::mpsc::unbounded_channel();
    let router = axum::Router::new()
        .route(
            "/peers/reserve",
            axum::routing::post(|| async { r#"{"token":"x"}"# }),
        )
        .fallback(move || {
            let _ = told.send(());
            async { (StatusCode::GONE, [("tunnel-reservation", "lapsed")]) }
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

#[tokio::test]
async fn a_request_that_its_peer_no_longer_expects_goes_on_looking_with_its_whole_body() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let (peer, mut asked) = forgetful().await;
    fleet.write_peers(&[peer]);
    let waiting = server.spawn_get("/t/a/");
    soon("a request at the peer", asked.recv()).await.unwrap();
    // One whose body is there, one whose body still comes.
    let url = server.url("/t/a/echo");
    let whole = "whole ".repeat(10_000);
    let sent = user().request(request("POST", url.clone(), text(whole.clone())));
    let sent = tokio::spawn(sent);
    let (send, body) = pieces();
    send.send(Bytes::from("one ")).unwrap();
    let streamed = tokio::spawn(user().request(request("POST", url, body)));
    for _ in 0..6 {
        soon("a request at the peer", asked.recv()).await.unwrap();
    }
    let mut tunnel = server.tunnel("a").await;
    tunnel.arrival().await.answer(text("found"));
    assert_eq!(read(waiting.await.unwrap()).await, "found");
    let response = sent.await.unwrap().unwrap();
    assert_eq!(read(response).await, whole);
    let mut echoed = streamed.await.unwrap().unwrap().into_body();
    assert_eq!(piece(&mut echoed).await.unwrap(), "one ");
    send.send(Bytes::from("two")).unwrap();
    assert_eq!(piece(&mut echoed).await.unwrap(), "two");
    drop(send);
    assert_eq!(piece(&mut echoed).await, None);
}

/// A server that says it has every tunnel, and takes the body before it says that it has not.
async fn greedy() -> std::net::SocketAddr {
    let router = axum::Router::new()
        .route(
            "/peers/reserve",
            axum::routing::post(|| async { r#"{"token":"x"}"# }),
        )
        .fallback(|body: axum::body::Body| async {
            axum::body::to_bytes(body, usize::MAX).await.unwrap();
            (StatusCode::GONE, [("tunnel-reservation", "lapsed")])
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_body_that_is_too_large_to_be_kept_is_sent_once_and_its_user_told_to_try_again() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    fleet.write_peers(&[greedy().await]);
    let send = async |bytes: usize| {
        let body = text(vec![b'x'; bytes]);
        let response = server.send("POST", "/t/a/echo", body).await;
        let (status, moved) = (response.status(), read(response).await);
        match moved.contains("TunnelMoved") {
            true => Ok((status, moved)),
            false => Err(moved),
        }
    };
    // The list of peers is read once a second: until then nobody holds the tunnel.
    let (status, answer) = until("an answer", || send(256 * 1024 + 1)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.contains("too much of its body"), "{answer}");
}
