//! Requests on their way to a customer's application: `ANY /t/{name}/{path…}`.
//!
//! Owns the public port's paths and the road of a request: into a tunnel of this server, else to the server that
//! holds it, else it waits for the tunnel to arrive. It counts as in use all the way, and is never passed on twice.
//! Refuses once sealed; while draining it asks the connection to end, so that the next request goes elsewhere.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ebbtide_endpoint::admission::Mode;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use hyper::body::Incoming;

use super::Shared;
use super::again::Again;
use super::body::{Counted, Outbox, Outgoing, Work, outgoing};
use super::headers::{RESERVATION, SERVER, strip};
use super::open::open;
use super::peers::{Asked, FORWARD, Reserved};
use super::problem::{closing, elsewhere, problem};
use super::tunnel::InFlight;
use crate::sync::{now, select, sleep, timeout};

/// The pause between two attempts, and the first between two questions to the peers; that one doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_NAME: usize = 128;

/// Answers requests on the public port.
pub(crate) async fn public(shared: Arc<Shared>, request: Request<Incoming>) -> Response {
    let path = request.uri().path();
    if path == "/health" {
        // Green while draining and sealed too: an NLB cuts the connections of unhealthy targets.
        return "ok\n".into_response();
    }
    if let Some(name) = path.strip_prefix("/tunnel/") {
        return match (valid(name), request.method() == Method::GET) {
            (false, _) => bad_name(),
            (true, false) => problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "open a tunnel with GET",
            ),
            (true, true) => open(shared.clone(), name.to_owned(), request),
        };
    }
    match path.strip_prefix("/t/").map(split) {
        None => problem(
            StatusCode::NOT_FOUND,
            "NoSuchPath",
            "here are /t/{name}/…, /tunnel/{name} and /health",
        ),
        Some((name, _)) if !valid(name) => bad_name(),
        Some((name, rest)) => {
            let (name, rest) = (name.to_owned(), rest.to_owned());
            let response = forward(&shared, &name, &rest, request).await;
            match shared.endpoint.state().mode {
                Mode::Open => response,
                Mode::Draining | Mode::Sealing | Mode::Sealed => closing(response),
            }
        }
    }
}

/// `name/rest` as name and `/rest`.
fn split(path: &str) -> (&str, &str) {
    path.find('/').map_or((path, "/"), |at| path.split_at(at))
}

/// Names are what needs no escaping in a path (RFC 3986 "unreserved").
fn valid(name: &str) -> bool {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(unreserved)
}

fn bad_name() -> Response {
    problem(
        StatusCode::BAD_REQUEST,
        "BadName",
        "a tunnel's name has 1 to 128 letters, digits and -._~",
    )
}

/// Carries one request; refuses it once sealed.
pub(crate) async fn forward<B>(
    shared: &Shared,
    name: &str,
    rest: &str,
    request: Request<B>,
) -> Response
where
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<super::body::BoxError>,
{
    shared.metrics.requests.inc();
    let place = match shared.endpoint.enter_request() {
        Ok(place) => place,
        Err(refusal) => return elsewhere("Sealed", &refusal.to_string()),
    };
    let work = Work {
        in_flight: None,
        carried: Some(shared.carrying.begin(now())),
        _place: place,
    };
    let outbox = request
        .extensions()
        .get::<Outbox>()
        .cloned()
        .unwrap_or_default();
    let response = match onward(request, rest) {
        Ok(request) => {
            let request = Again::new(request, &shared.kept);
            send(shared, name, request, work, outbox).await
        }
        Err(error) => counted(
            problem(StatusCode::BAD_REQUEST, "BadRequest", &error.to_string()),
            work,
            outbox,
        ),
    };
    if response.status().is_server_error() && !response.headers().contains_key(SERVER) {
        shared.metrics.failed.inc();
    }
    response
}

/// The request as the application shall see it: its own path, and no header that was meant for this server.
fn onward<B>(request: Request<B>, rest: &str) -> Result<Request<Outgoing>, http::Error>
where
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<super::body::BoxError>,
{
    let (mut parts, body) = request.into_parts();
    let path = match parts.uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    parts.uri = Uri::from(PathAndQuery::try_from(path)?);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    strip(&mut parts.headers);
    Ok(Request::from_parts(parts, outgoing(body)))
}

/// The response's work ends when its last byte has left, an error's too.
fn counted<B>(response: Response<B>, work: Work, outbox: Outbox) -> Response
where
    B: hyper::body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
    B::Error: Into<super::body::BoxError>,
{
    response.map(|body| Body::new(Counted::new(body, work, outbox)))
}

/// Where a request goes.
enum Road {
    Here(InFlight),
    There(Reserved),
    Nowhere { silent: usize },
}

/// Sends the request where its tunnel is, and again (as [`Again`] allows) if the tunnel had gone, until the deadline.
async fn send(
    shared: &Shared,
    name: &str,
    request: Again,
    mut work: Work,
    outbox: Outbox,
) -> Response {
    let deadline = now() + shared.hold_for;
    loop {
        let Some(attempt) = request.attempt() else {
            return counted(moved("too much of its body was sent"), work, outbox);
        };
        let gone = match find(shared, name, deadline).await {
            Road::Here(in_flight) => {
                // From here on the session counts it.
                work.in_flight = Some(in_flight);
                work.carried = None;
                match into_tunnel(shared, attempt, work, outbox.clone()).await {
                    Ok(response) => {
                        request.arrived();
                        return response;
                    }
                    Err(unsent) => work = *unsent,
                }
                work.carried = Some(shared.carrying.begin(now()));
                work.in_flight = None;
                "its client went away".to_owned()
            }
            Road::There(reserved) => {
                shared.metrics.passed_on.inc();
                match shared.peers.pass_on(reserved, attempt).await {
                    Ok(response) => {
                        request.arrived();
                        return counted(response, work, outbox);
                    }
                    Err(failed) if failed.unsent() => failed.to_string(),
                    Err(failed) => return counted(lost(&failed.to_string()), work, outbox),
                }
            }
            Road::Nowhere { silent } => return counted(nowhere(shared, silent), work, outbox),
        };
        if now() >= deadline {
            return counted(moved(&gone), work, outbox);
        }
        sleep(FIRST_PAUSE).await;
    }
}

/// The application has certainly not seen the request.
fn moved(why: &str) -> Response {
    let message = format!("the tunnel moved before the request was in it: {why}");
    elsewhere("TunnelMoved", &message)
}

/// The application may have seen it.
fn lost(why: &str) -> Response {
    problem(StatusCode::BAD_GATEWAY, "TunnelLost", why)
}

fn nowhere(shared: &Shared, silent: usize) -> Response {
    let waited = shared.hold_for.as_secs_f32();
    if silent == 0 {
        let message =
            format!("no server holds a tunnel of this name, and none was opened in {waited} s");
        return problem(StatusCode::NOT_FOUND, "NoSuchTunnel", &message);
    }
    let message =
        format!("no tunnel of this name in {waited} s; {silent} servers could not be asked");
    elsewhere("TunnelUnknown", &message)
}

/// Here, or at a peer, or wherever the tunnel arrives first until the deadline.
async fn find(shared: &Shared, name: &str, deadline: Instant) -> Road {
    if let Some(in_flight) = shared.registry.begin(name, now()) {
        return Road::Here(in_flight);
    }
    let waiter = shared.registry.wait(name);
    let mut pause = FIRST_PAUSE;
    loop {
        let mut arrival = pin!(waiter.arrival.notified());
        // Listening comes before looking, else an arrival in between would be missed.
        arrival.as_mut().enable();
        if let Some(in_flight) = shared.registry.begin(name, now()) {
            return Road::Here(in_flight);
        }
        let asked = select! {
            asked = shared.peers.reserve(name) => asked,
            () = arrival.as_mut() => continue,
        };
        let silent = match asked {
            Asked::Reserved(reserved) => return Road::There(reserved),
            Asked::Nobody { silent } => silent,
        };
        let left = deadline.saturating_duration_since(now());
        if left.is_zero() {
            return Road::Nowhere { silent };
        }
        let _ = timeout(pause.min(left), arrival).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Sends a request into the tunnel that its work is in flight on; gives back the work of a request that certainly did not
/// leave this server.
async fn into_tunnel(
    shared: &Shared,
    request: Request<Outgoing>,
    mut work: Work,
    outbox: Outbox,
) -> Result<Response, Box<Work>> {
    let tunnel = match &mut work.in_flight {
        Some(in_flight) => match in_flight.take_turn().await {
            Ok(()) => in_flight.tunnel().clone(),
            Err(_over) => return Err(Box::new(work)),
        },
        None => return Err(Box::new(work)),
    };
    let Ok(mut http2) = tunnel.http2().await else {
        return Err(Box::new(work));
    };
    match http2.try_send_request(with_authority(request)).await {
        Ok(mut response) => {
            strip(response.headers_mut());
            if let Ok(instance) = HeaderValue::from_str(shared.endpoint.instance()) {
                response.headers_mut().insert(SERVER, instance);
            }
            *response.version_mut() = Version::HTTP_11;
            Ok(counted(response, work, outbox))
        }
        Err(mut failed) => match failed.take_message() {
            Some(_unsent) => Err(Box::new(work)),
            None => {
                let message = format!(
                    "the tunnel's client went away or gave up: {}",
                    failed.into_error()
                );
                Ok(counted(lost(&message), work, outbox))
            }
        },
    }
}

/// HTTP/2 names the host in the URI.
fn with_authority(mut request: Request<Outgoing>) -> Request<Outgoing> {
    let host = request.headers_mut().remove(header::HOST);
    let authority = host
        .and_then(|host| Authority::try_from(host.as_bytes()).ok())
        .unwrap_or_else(|| Authority::from_static("tunnel"));
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(authority);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// A request that another server passes on: `ANY /peers/forward/{path…}` on the private port.
pub(crate) async fn from_peer(
    State(shared): State<Arc<Shared>>,
    request: axum::extract::Request,
) -> Response {
    let Some(rest) = request
        .uri()
        .path()
        .strip_prefix(FORWARD)
        .map(str::to_owned)
    else {
        return problem(
            StatusCode::NOT_FOUND,
            "NoSuchPath",
            "the session endpoint is at /sessions",
        );
    };
    let token = request
        .headers()
        .get(RESERVATION)
        .and_then(|token| token.to_str().ok());
    let Some(work) = token.and_then(|token| shared.reservations.redeem(token)) else {
        return lapsed();
    };
    let outbox = request
        .extensions()
        .get::<Outbox>()
        .cloned()
        .unwrap_or_default();
    match onward(request, &rest) {
        Ok(request) => into_tunnel(&shared, request, work, outbox.clone())
            .await
            .unwrap_or_else(|unsent| counted(lapsed(), *unsent, outbox)),
        Err(error) => counted(
            problem(StatusCode::BAD_REQUEST, "BadRequest", &error.to_string()),
            work,
            outbox,
        ),
    }
}

/// Tells the server that passed the request on, by a header that no application can send, that it did not arrive.
fn lapsed() -> Response {
    let mut response = problem(
        StatusCode::GONE,
        "ReservationLapsed",
        "the tunnel is no longer kept for this request",
    );
    response
        .headers_mut()
        .insert(RESERVATION, HeaderValue::from_static("lapsed"));
    response
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "forward_tests.rs"]
mod tests;
