//! How a fake server's WebSockets behave: each is an idle session while it is open.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Inside;

/// What a server does with a WebSocket that it has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Answers pings, and its end.
    Well,
    /// Ends the connection at once, without a word.
    HangsUp,
    /// Answers this ping and closes with this code after it, counted from 1.
    ClosesAfterPing(u8, u16),
    /// Never reads again, so that no ping is answered.
    Deaf,
    /// Sends a message of so many bytes.
    Says(usize),
}

/// Answers a handshake with 101, and counts the session.
pub(super) fn accept(
    upgrade: WebSocketUpgrade,
    inside: Arc<Mutex<Inside>>,
    accepted: Accepted,
) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let count = |change: i64| {
            let mut inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
            inside.idle = inside.idle.saturating_add_signed(change);
        };
        count(1);
        behave(socket, accepted, || count(-1)).await;
    })
}

/// `ended` is called once, before the client can see that the session is over.
async fn behave(mut socket: WebSocket, accepted: Accepted, ended: impl Fn()) {
    let mut pings = 0;
    match accepted {
        Accepted::HangsUp => return ended(),
        Accepted::Deaf => {
            // The client's end shows in a write alone: nothing is read.
            std::future::pending::<()>().await;
        }
        Accepted::Says(bytes) => {
            let _gone = socket.send(Message::Binary(vec![0; bytes].into())).await;
        }
        Accepted::Well | Accepted::ClosesAfterPing(..) => {}
    }
    while let Some(Ok(message)) = socket.recv().await {
        match (message, accepted) {
            (Message::Close(_), _) => break,
            (Message::Ping(_), Accepted::ClosesAfterPing(number, code)) => {
                pings += 1;
                if pings == number {
                    let reason = "a server's own words".into();
                    let frame = Message::Close(Some(CloseFrame { code, reason }));
                    let _gone = socket.send(frame).await;
                }
            }
            _ => {}
        }
    }
    ended();
    // The answer to the client's close frame goes out with the next read.
    let _over = socket.recv().await;
}

/// A 101 that no WebSocket client may take.
pub(super) fn wrong_accept() -> Response {
    let headers = [
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (
            header::SEC_WEBSOCKET_ACCEPT,
            HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}
