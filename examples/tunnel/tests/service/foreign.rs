//! WebSocket clients of another make, which only answer pings.

use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::harness::*;

/// Reads until something else than a ping arrives; reading answers pings.
async fn next_but_pings<S>(foreign: &mut WebSocketStream<S>) -> Message
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match soon("message", foreign.next())
            .await
            .expect("an open tunnel")
            .expect("a message")
        {
            Message::Ping(_) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn it_gets_pings_only_until_a_request_arrives_and_then_a_binary_message() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut foreign = server.foreign("a").await;
    for _ in 0..5 {
        assert!(matches!(
            soon("ping", foreign.next()).await,
            Some(Ok(Message::Ping(_)))
        ));
    }
    server.reports(json!({ "busy": 0, "idle": 1 })).await;
    let _response = server.spawn_get("/t/a/");
    assert!(matches!(
        next_but_pings(&mut foreign).await,
        Message::Binary(_)
    ));
}

#[tokio::test]
async fn one_that_never_answers_its_request_stays_refuses_the_seal_and_holds_the_server() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut foreign = server.foreign("a").await;
    let response = server.spawn_get("/t/a/");
    assert!(matches!(
        next_but_pings(&mut foreign).await,
        Message::Binary(_)
    ));
    server.drain(1000.0, 60).await;
    // A hundred pings are many idle times: neither the order nor the silence ends it.
    for _ in 0..20 {
        loop {
            match soon("ping", foreign.next())
                .await
                .expect("an open tunnel")
                .expect("a message")
            {
                Message::Ping(_) => break,
                Message::Binary(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let (status, answer) = server.seal().await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::CONFLICT, &json!("InUse"))
    );
    assert_eq!((&answer["busy"], &answer["closed"]), (&json!(1), &json!(0)));
    drop(foreign);
    assert_eq!(
        soon("response", response).await.unwrap().status(),
        StatusCode::BAD_GATEWAY
    );
    server.reports(json!({ "busy": 0, "idle": 0 })).await;
    assert_eq!(server.seal().await.0, StatusCode::OK);
}

#[tokio::test]
async fn idle_ones_are_closed_with_1012_and_a_moment_to_come_back() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut foreign = server.foreign("a").await;
    server.reports(json!({ "idle": 1 })).await;
    server.drain(1000.0, 60).await;
    let Message::Close(Some(frame)) = next_but_pings(&mut foreign).await else {
        panic!("a close")
    };
    assert_eq!(u16::from(frame.code), 1012);
    assert!(
        tunnel::close::reconnect_after(&frame.reason).is_some(),
        "{}",
        frame.reason
    );
    assert!(
        soon("end", foreign.next())
            .await
            .is_none_or(|message| message.is_err())
    );
    server.reports(json!({ "idle": 0, "closed": 1 })).await;
}

#[tokio::test]
async fn one_that_answers_no_ping_is_dropped_and_one_that_does_is_not() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    // Never read from, so that its pings stay unanswered while the connection stands.
    let _silent = server.foreign("silent").await;
    let mut living = server.foreign("living").await;
    server.reports(json!({ "idle": 2 })).await;
    tokio::select! {
        message = next_but_pings(&mut living) => panic!("{message:?}"),
        _ = server.reports(json!({ "idle": 1 })) => {}
    }
    let (_, metrics) = server.private("GET", "/metrics", "").await;
    assert!(metrics.contains("tunnel_lost_total 1"), "{metrics}");
}

#[tokio::test]
async fn one_that_speaks_something_else_is_closed_but_text_means_nothing() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut foreign = server.foreign("a").await;
    foreign.send(Message::text("hello")).await.unwrap();
    foreign.send(Message::binary("early")).await.unwrap();
    server.reports(json!({ "idle": 1 })).await;
    let response = server.spawn_get("/t/a/");
    assert!(matches!(
        next_but_pings(&mut foreign).await,
        Message::Binary(_)
    ));
    foreign
        .send(Message::binary(
            "this is not HTTP/2, whatever else it may be",
        ))
        .await
        .unwrap();
    assert_eq!(
        soon("response", response).await.unwrap().status(),
        StatusCode::BAD_GATEWAY
    );
    loop {
        match next_but_pings(&mut foreign).await {
            Message::Binary(_) => {}
            Message::Close(Some(frame)) => break assert_eq!(u16::from(frame.code), 1002),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn our_own_client_is_as_silent_until_it_is_spoken_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tunnel = Tunnel::start(listener.local_addr().unwrap(), "a");
    let (socket, _) = listener.accept().await.unwrap();
    let mut server = tokio_tungstenite::accept_async(socket).await.unwrap();
    assert_eq!(tunnel.connected().await, "");
    for _ in 0..3 {
        server.send(Message::Ping("x".into())).await.unwrap();
        let answer = soon("pong", server.next()).await.unwrap().unwrap();
        assert!(matches!(answer, Message::Pong(_)), "{answer:?}");
    }
    drop(tunnel);
    assert!(
        matches!(next_but_pings(&mut server).await, Message::Close(Some(frame)) if u16::from(frame.code) == 1000)
    );
}
