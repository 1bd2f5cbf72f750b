//! Opens a tunnel: `GET /tunnel/{name}`.
//!
//! Owns the WebSocket handshake. Refuses with 503 while draining or sealed, never while open; a handshake holds its
//! place in admission from its first moment, so a seal cannot slip in under it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::carrier::carry;
use super::headers::SERVER;
use super::problem::{elsewhere, problem};
use super::{Shared, carried::Carried};
use crate::admission::Place;
use crate::link::websocket_config;

/// A client that does not read the answer to its handshake keeps its place no longer than this.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers the handshake; the tunnel is registered when the answer has been sent.
pub(crate) fn open(shared: Arc<Shared>, name: String, request: Request<Incoming>) -> Response {
    let place = match shared.control.admission().enter_session() {
        Ok(place) => place,
        Err(refusal) => {
            shared.metrics.refused.inc();
            return elsewhere("Draining", &format!("{refusal}; connect again"));
        }
    };
    let carried = shared.carrying.begin(Instant::now());
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
    if let Ok(instance) = HeaderValue::from_str(&shared.instance) {
        response.headers_mut().insert(SERVER, instance);
    }
    let stop = shared.stop.clone();
    let upgraded = upgrade(
        shared,
        name,
        Request::from_parts(parts, body),
        place,
        carried,
    );
    tokio::spawn(stop.run_until_cancelled_owned(upgraded));
    response
}

// Parameters are dropped last to first: the place goes when nothing is counted any more.
async fn upgrade(
    shared: Arc<Shared>,
    name: String,
    request: Request<Incoming>,
    place: Place,
    carried: Carried,
) {
    let upgraded = match tokio::time::timeout(HANDSHAKE, hyper::upgrade::on(request)).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
        Err(_) => return tracing::debug!("a handshake was never finished"),
    };
    let io = TokioIo::new(upgraded);
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(websocket_config())).await;
    let opened_at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let opened_at = u64::try_from(opened_at.as_micros()).unwrap_or(u64::MAX);
    let tunnel = shared.registry.open(&name, opened_at, Instant::now());
    drop(carried);
    shared.metrics.opened.inc();
    carry(&shared, tunnel, socket, place).await;
}
