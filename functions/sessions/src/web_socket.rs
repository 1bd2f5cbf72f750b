//! One bounded WebSocket, as a client opens it: a ping, some seconds, a ping, and a proper end.
//!
//! The handshake is a call of the same HTTP client as every other: no redirect, no proxy. Its answer is checked by RFC 6455,
//! section 4.1; frames are tungstenite's. What the server sends is read and dropped, up to 64 KiB a message. Nothing is
//! tried twice: whoever asked tries again as a whole.

use std::time::Duration;

use ebbtide_rules::green_test::SocketAnswer;
use ebbtide_rules::report::UnknownReason;
use futures_util::{SinkExt, StreamExt};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, StatusCode};
use reqwest::Upgraded;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};

use crate::call::{Caller, MOST_BYTES, reason};

/// Opens a WebSocket at `url`, an `http:` URL, holds it, and closes it. An answer, to the handshake, to a ping and to the
/// close frame, has as long as one to any other call.
pub(crate) async fn hold(caller: &Caller, url: &str, hold: Duration) -> SocketAnswer {
    let opened = timeout(caller.total, open(caller, url)).await;
    let stream = match opened {
        Ok(Ok(stream)) => stream,
        Ok(Err(answer)) => return answer,
        Err(_) => return SocketAnswer::Unknown(UnknownReason::TimedOut),
    };
    let mut socket = Socket {
        stream,
        opened: Instant::now(),
        answer_within: caller.total,
    };
    let held = socket.held(hold).await;
    socket.close().await;
    held.map_or_else(|answer| answer, |()| SocketAnswer::Held)
}

async fn open(caller: &Caller, url: &str) -> Result<WebSocketStream<Upgraded>, SocketAnswer> {
    let unknown = |error: reqwest::Error| SocketAnswer::Unknown(reason(&error));
    let key = generate_key();
    let request = caller
        .http
        .get(url)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    let response = request.send().await.map_err(unknown)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(SocketAnswer::Status(response.status().as_u16()));
    }
    if let Some(header) = wrong_header(response.headers(), &key) {
        return Err(SocketAnswer::NotAWebSocket(header));
    }
    let connection = response.upgrade().await.map_err(unknown)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MOST_BYTES))
        .max_frame_size(Some(MOST_BYTES));
    Ok(WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await)
}

/// The header that makes the answer none of a WebSocket. No extension and no subprotocol was asked for.
fn wrong_header(headers: &HeaderMap, key: &str) -> Option<&'static str> {
    let has = |name: HeaderName, token: &str| {
        let values = headers.get_all(name).iter();
        let mut values = values.filter_map(|value| value.to_str().ok());
        values.any(|value| {
            let mut tokens = value.split(',').map(str::trim);
            tokens.any(|it| it.eq_ignore_ascii_case(token))
        })
    };
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    let accepted =
        accept.is_some_and(|it| it.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    if !has(UPGRADE, "websocket") {
        Some("Upgrade")
    } else if !has(CONNECTION, "upgrade") {
        Some("Connection")
    } else if !accepted {
        Some("Sec-WebSocket-Accept")
    } else if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        Some("Sec-WebSocket-Extensions")
    } else if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        Some("Sec-WebSocket-Protocol")
    } else {
        None
    }
}

/// An open WebSocket.
struct Socket {
    stream: WebSocketStream<Upgraded>,
    opened: Instant,
    answer_within: Duration,
}

impl Socket {
    /// A ping at the end too: a connection that nothing answers on any more looks open until somebody asks.
    async fn held(&mut self, hold: Duration) -> Result<(), SocketAnswer> {
        self.ping(b"first").await?;
        let left = hold.saturating_sub(self.opened.elapsed());
        if let Ok(ended) = timeout(left, self.read_until(|_| false)).await {
            ended?;
        }
        self.ping(b"last").await
    }

    async fn ping(&mut self, payload: &'static [u8]) -> Result<(), SocketAnswer> {
        let within = self.answer_within;
        let answered = async {
            let sent = self.stream.send(Message::Ping(payload.into())).await;
            sent.map_err(|error| self.end(&error))?;
            let is_answer =
                |message: &Message| matches!(message, Message::Pong(it) if it == payload);
            self.read_until(is_answer).await
        };
        let answered = timeout(within, answered).await;
        answered.unwrap_or(Err(SocketAnswer::NoPong))
    }

    /// Reads and drops; a server's pings are answered on the way.
    async fn read_until(&mut self, found: impl Fn(&Message) -> bool) -> Result<(), SocketAnswer> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Close(frame))) => {
                    return Err(SocketAnswer::Closed {
                        code: frame.map(|frame| frame.code.into()),
                        after: self.opened.elapsed().as_secs(),
                    });
                }
                Some(Ok(message)) if found(&message) => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.end(&error)),
                None => return Err(self.hung_up()),
            }
        }
    }

    /// Says that it is over, and waits until the server has said so too: it counts a session until then.
    async fn close(&mut self) {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "the check is over".into(),
        };
        let closed = async {
            // What fails here has ended already.
            let _ended = self.stream.close(Some(frame)).await;
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        let _given_up = timeout(self.answer_within, closed).await;
    }

    fn end(&self, error: &Error) -> SocketAnswer {
        match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => self.hung_up(),
            _ => SocketAnswer::Garbled,
        }
    }

    fn hung_up(&self) -> SocketAnswer {
        SocketAnswer::HungUp {
            after: self.opened.elapsed().as_secs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_of_a_web_socket_is_told_by_its_header() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        // The example of RFC 6455, section 1.3.
        let good = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        let wrong = |name: &'static str, value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in good {
                headers.insert(name, value.parse().unwrap());
            }
            headers.remove(name);
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
            wrong_header(&headers, key)
        };
        assert_eq!(wrong("date", None), None);
        assert_eq!(wrong("upgrade", None), Some("Upgrade"));
        assert_eq!(wrong("upgrade", Some("h2c")), Some("Upgrade"));
        assert_eq!(wrong("connection", Some("close")), Some("Connection"));
        for accept in [None, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")] {
            let told = wrong("sec-websocket-accept", accept);
            assert_eq!(told, Some("Sec-WebSocket-Accept"));
        }
        let extension = wrong("sec-websocket-extensions", Some("permessage-deflate"));
        assert_eq!(extension, Some("Sec-WebSocket-Extensions"));
        let protocol = wrong("sec-websocket-protocol", Some("chat"));
        assert_eq!(protocol, Some("Sec-WebSocket-Protocol"));
    }
}
