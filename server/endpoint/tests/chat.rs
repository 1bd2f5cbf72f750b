//! The chat of `examples/chat.rs`: guests come, a drain asks the idle ones to reconnect, and the seal comes last.
#![cfg(not(feature = "races"))]
// clippy's allowance for tests reaches only functions marked as tests, not what they call.
#![allow(clippy::unwrap_used)]

#[expect(dead_code, reason = "an example has a main")]
#[path = "../examples/chat.rs"]
mod chat;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tower_service::Service;

type Guest = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Server {
    public: SocketAddr,
    private: Router,
}

impl Server {
    async fn start(state: &Path, idle_after: Duration) -> Self {
        let state = state.to_str().unwrap();
        let (public, private) = chat::routes("i-0a1", state, idle_after).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, public).await });
        Self {
            public: address,
            private,
        }
    }

    async fn join(&self) -> Result<Guest, Error> {
        let joined = connect_async(format!("ws://{}/chat", self.public)).await;
        joined.map(|(guest, _)| guest)
    }

    async fn order(&mut self, path: &str) -> (u16, Value) {
        let order = json!({"instance": "i-0a1", "deployment": "spring", "epoch": 7,
                           "perSecond": 1000, "leaseSeconds": 60});
        let request = Request::post(path).body(Body::from(order.to_string()));
        let answer = self.private.call(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        (status, serde_json::from_slice(&body.unwrap()).unwrap())
    }

    async fn is_refused(&self) -> bool {
        match self.join().await {
            Err(Error::Http(answer)) => {
                answer.status() == 503 && answer.headers().contains_key("retry-after")
            }
            _ => false,
        }
    }
}

/// The next that is no ping.
async fn next(guest: &mut Guest) -> Message {
    use futures_util::StreamExt;
    loop {
        match guest.next().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            message => return message,
        }
    }
}

async fn say(guest: &mut Guest, text: &str) {
    use futures_util::SinkExt;
    guest.send(Message::text(text)).await.unwrap();
}

#[tokio::test]
async fn who_is_idle_is_asked_to_reconnect_and_then_the_server_is_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let mut server = Server::start(&state, Duration::ZERO).await;
    let mut guests = [server.join().await.unwrap(), server.join().await.unwrap()];
    say(&mut guests[0], "hello").await;
    for guest in &mut guests {
        assert_eq!(next(guest).await, Message::text("hello"));
    }
    assert_eq!(server.order("/sessions/seal").await.0, 409);

    let (status, report) = server.order("/sessions/drain").await;
    assert_eq!((status, &report["admission"]), (200, &json!("draining")));
    assert!(server.is_refused().await);
    for guest in &mut guests {
        let Message::Close(Some(close)) = next(guest).await else {
            panic!("no close frame")
        };
        assert_eq!(u16::from(close.code), 1012);
    }
    drop(guests);
    // The second guest's session is over some steps after its close frame.
    let sealed = loop {
        let (status, report) = server.order("/sessions/seal").await;
        if status == 200 {
            break report;
        }
        assert_eq!((status, &report["error"]), (409, &json!("InUse")));
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (&sealed["admission"], &sealed["closed"]),
        (&json!("sealed"), &json!(2))
    );
    assert!(server.is_refused().await);

    let again = Server::start(&state, Duration::ZERO).await;
    assert!(again.is_refused().await, "a restart forgot the seal");
}

#[tokio::test]
async fn who_is_busy_stays() {
    let directory = tempfile::tempdir().unwrap();
    let long = Duration::from_secs(86_400);
    let mut server = Server::start(&directory.path().join("state.json"), long).await;
    let mut guest = server.join().await.unwrap();
    say(&mut guest, "one").await;
    assert_eq!(next(&mut guest).await, Message::text("one"));
    server.order("/sessions/drain").await;
    for text in ["two", "three"] {
        say(&mut guest, text).await;
        assert_eq!(next(&mut guest).await, Message::text(text));
    }
    let (status, report) = server.order("/sessions/seal").await;
    assert_eq!(
        (status, &report["error"], &report["busy"]),
        (409, &json!("InUse"), &json!(1))
    );
    let (status, report) = server.order("/sessions/resume").await;
    assert_eq!((status, &report["admission"]), (200, &json!("open")));
    assert!(server.join().await.is_ok());
}
