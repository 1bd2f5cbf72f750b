//! Sessions that are WebSockets, opened by this tool itself: no command is as fast.
//!
//! Owns the handshake, and the answer to pings. A server that refuses with an HTTP error has not taken the session.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::hands::{Doing, NotOpened, Session};

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often a busy session says something.
const SAYS: Duration = Duration::from_millis(100);

/// Opens a WebSocket. With a text it says that all the time, else it says nothing.
pub fn open(url: String, says: Option<String>) -> Doing<Result<Session, NotOpened>> {
    Box::pin(async move {
        let refused = |error: &dyn std::fmt::Display| NotOpened(error.to_string());
        let connected = timeout(HANDSHAKE, connect_async(&url)).await;
        let (socket, _) = connected
            .map_err(|late| refused(&late))?
            .map_err(|error| refused(&error))?;
        let (mut out, mut heard) = socket.split();
        let Some(says) = says else {
            return Ok(Session::new(async move {
                // Reading answers pings.
                while let Some(Ok(message)) = heard.next().await {
                    if message.is_close() {
                        break;
                    }
                }
                drop(out);
            }));
        };
        let says = Message::text(says);
        // Said before it is called open: busy from then on.
        let said = out.send(says.clone()).await;
        said.map_err(|error| refused(&error))?;
        Ok(Session::new(async move {
            let mut again = tokio::time::interval(SAYS);
            loop {
                tokio::select! {
                    message = heard.next() => match message {
                        Some(Ok(message)) if !message.is_close() => {}
                        _ => return,
                    },
                    _ = again.tick() => if out.send(says.clone()).await.is_err() { return },
                }
            }
        }))
    })
}
