//! Drain orders: idle sessions only, at their pace, until the lease ends.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;
use tunnel::client::Event;

use super::harness::*;

#[tokio::test]
async fn idle_sessions_are_closed_busy_ones_work_on_until_they_become_idle() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut idle = server.tunnel("idle").await;
    let mut busy = server.tunnel("busy").await;
    let response = server.spawn_get("/t/busy/");
    let arrived = busy.arrival().await;
    server.drain(1000.0, 60).await;
    assert_eq!(u16::from(idle.closed().await.code), 1012);
    server
        .reports(json!({ "admission": "draining", "busy": 1, "idle": 0, "closed": 1 }))
        .await;
    arrived.answer(text("worked on"));
    assert_eq!(read(response.await.unwrap()).await, "worked on");
    assert_eq!(u16::from(busy.closed().await.code), 1012);
    server
        .reports(json!({ "busy": 0, "idle": 0, "closed": 2 }))
        .await;
}

#[tokio::test]
async fn a_session_is_busy_until_the_end_of_its_answer_not_its_beginning() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let response = server.spawn_get("/t/a/");
    let (send, body) = pieces();
    tunnel.arrival().await.answer(body);
    let mut answer = response.await.unwrap().into_body();
    server.drain(1000.0, 60).await;
    // Four idle times without a byte are no end.
    tokio::time::sleep(TIMING.idle_after * 4).await;
    server
        .reports(json!({ "busy": 1, "idle": 0, "closed": 0 }))
        .await;
    send.send("still there".into()).unwrap();
    assert_eq!(piece(&mut answer).await.unwrap(), "still there");
    drop(send);
    assert_eq!(piece(&mut answer).await, None);
    assert_eq!(u16::from(tunnel.closed().await.code), 1012);
}

#[tokio::test]
async fn sessions_are_closed_no_faster_than_ordered_longest_idle_first() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnels = Vec::new();
    for n in 0..6 {
        tunnels.push(server.tunnel(&format!("t{n}")).await);
    }
    server.reports(json!({ "idle": 6 })).await;
    let begun = Instant::now();
    server.drain(20.0, 60).await;
    for (n, tunnel) in tunnels.iter_mut().enumerate() {
        tunnel.closed().await;
        // The n-th slot begins n slots after the first; timers may take 10 ms off.
        let earliest =
            Duration::from_millis(50 * n as u64).saturating_sub(Duration::from_millis(10));
        assert!(
            begun.elapsed() >= earliest,
            "session {n} after {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn a_repeated_order_does_not_close_more() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let _tunnels = (
        server.foreign("a").await,
        server.foreign("b").await,
        server.foreign("c").await,
    );
    server.reports(json!({ "idle": 3 })).await;
    for _ in 0..20 {
        server.drain(0.01, 60).await;
    }
    // Foreign clients that are not read from do not answer the close, so the first stays counted for a while.
    let (_, metrics) = server.private("GET", "/metrics", "").await;
    assert!(metrics.contains("tunnel_closed_total 0"), "{metrics}");
    assert_eq!(server.report().await["idle"], 3);
}

#[tokio::test]
async fn a_draining_server_refuses_tunnels_carries_requests_and_asks_connections_to_end() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let busy = server.spawn_get("/t/a/");
    let arrived = tunnel.arrival().await;
    assert!(
        !server
            .send("POST", "/t/a/echo", text("x"))
            .await
            .headers()
            .contains_key("connection")
    );
    server.drain(1000.0, 60).await;
    let response = server.send("POST", "/t/a/echo", text("x")).await;
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(read(response).await, "x");
    let refused =
        tokio_tungstenite::connect_async(format!("ws://{}/tunnel/b", server.public)).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(server.get("/health").await.status(), StatusCode::OK);
    assert_eq!(server.order("resume", 1, json!({})).await.0, StatusCode::OK);
    let _taken = server.tunnel("b").await;
    arrived.answer(text(""));
    // The server is open again, so its connection may stay.
    assert!(!busy.await.unwrap().headers().contains_key("connection"));
    let response = server.send("POST", "/t/a/echo", text("x")).await;
    assert!(!response.headers().contains_key("connection"));
}

#[tokio::test]
async fn after_a_resume_no_session_is_closed() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let response = server.spawn_get("/t/a/");
    let arrived = tunnel.arrival().await;
    server.drain(1000.0, 60).await;
    server.order("resume", 1, json!({})).await;
    arrived.answer(text(""));
    response.await.unwrap();
    server
        .reports(json!({ "admission": "open", "idle": 1 }))
        .await;
    // Idle for long enough that an order in force would have closed it.
    assert_eq!(
        read(server.send("POST", "/t/a/echo", text("still here")).await).await,
        "still here"
    );
    server.reports(json!({ "idle": 1, "closed": 0 })).await;
}

#[tokio::test]
async fn an_order_lapses_with_its_lease() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let response = server.spawn_get("/t/a/");
    let arrived = tunnel.arrival().await;
    let begun = Instant::now();
    server.drain(1000.0, 1).await;
    until("end of the lease", || async {
        if begun.elapsed() > Duration::from_millis(1100) {
            Ok(())
        } else {
            Err(String::new())
        }
    })
    .await;
    arrived.answer(text(""));
    response.await.unwrap();
    server
        .reports(json!({ "admission": "draining", "idle": 1, "closed": 0 }))
        .await;
    assert_eq!(
        read(server.send("POST", "/t/a/echo", text("still here")).await).await,
        "still here"
    );
}

#[tokio::test]
async fn a_client_comes_back_at_once_because_the_slots_have_spread_the_clients() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    server.drain(1000.0, 60).await;
    let frame = tunnel.closed().await;
    assert_eq!(frame.reason.as_str(), "reconnect in 0 ms");
    let at_once = Duration::ZERO;
    assert_eq!(tunnel.event().await, Event::Reconnecting { after: at_once });
    server.order("resume", 1, json!({})).await;
    let server_name = loop {
        match tunnel.event().await {
            Event::Connected { server } => break server,
            // It was still draining: such a loss has its own, random waits.
            Event::Lost { .. } | Event::Reconnecting { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(server_name, "i-1");
}
