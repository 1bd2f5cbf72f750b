//! Opens a tunnel: `GET /tunnel/{name}`.
//!
//! Owns the WebSocket handshake. Refuses with 503 while draining or sealed, never while open; a handshake holds its
//! place in admission from its first moment, so a seal cannot slip in under it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use ebbtide_endpoint::{Place, Refusal};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::carrier::carry;
use super::headers::SERVER;
use super::problem::{elsewhere, problem};
use super::{Shared, carried::Carried};
use crate::link::websocket_config;
use crate::sync::{now, since_1970, spawn, timeout};

/// A client that does not read the answer to its handshake keeps its place no longer than this.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers the handshake; the tunnel is registered when the answer has been sent.
pub(crate) fn open(shared: Arc<Shared>, name: String, request: Request<Incoming>) -> Response {
    let arriving = match Arriving::enter(&shared) {
        Ok(arriving) => arriving,
        Err(refusal) => {
            shared.metrics.refused.inc();
            return elsewhere("Draining", &format!("{refusal}; connect again"));
        }
    };
    let (parts, body) = request.into_parts();
    let asked = Request::from_parts(parts.clone(), ());
    let response = match create_response(&asked) {
        Ok(response) => response,
        Err(error) => {
            let message = format!("a tunnel is a WebSocket: {error}");
            return problem(StatusCode::BAD_REQUEST, "NotAWebSocket", &message);
        }
    };
    let mut response = response.map(|()| Body::empty());
    if let Ok(instance) = HeaderValue::from_str(shared.endpoint.instance()) {
        response.headers_mut().insert(SERVER, instance);
    }
    let stop = shared.stop.clone();
    let request = Request::from_parts(parts, body);
    let upgraded = async { hyper::upgrade::on(request).await.map(TokioIo::new) };
    spawn(stop.run_until_cancelled_owned(arriving.become_tunnel(shared, name, upgraded)));
    response
}

/// A handshake under way: in use from its first moment.
pub(crate) struct Arriving {
    carried: Carried,
    // Dropped last: the place goes when nothing is counted any more.
    place: Place,
}

impl Arriving {
    /// # Errors
    /// Unless the server is open.
    pub(crate) fn enter(shared: &Shared) -> Result<Self, Refusal> {
        let place = shared.endpoint.enter_session()?;
        let carried = shared.carrying.begin(now());
        Ok(Self { carried, place })
    }

    /// Waits until the connection is a WebSocket's, and carries the tunnel to its end.
    pub(crate) async fn become_tunnel<S, E>(
        self,
        shared: Arc<Shared>,
        name: String,
        upgraded: impl Future<Output = Result<S, E>>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
        E: Display,
    {
        let io = match timeout(HANDSHAKE, upgraded).await {
            Ok(Ok(io)) => io,
            Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
            Err(_) => return tracing::debug!("a handshake was never finished"),
        };
        // Dropped in the reverse of this order.
        let Self { place, carried } = self;
        let config = Some(websocket_config());
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, config).await;
        let opened_at = u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX);
        let tunnel = shared.registry.open(&name, opened_at, now());
        drop(carried);
        shared.metrics.opened.inc();
        carry(&shared, tunnel, socket, place).await;
    }
}
