//! The proxy itself: one task per client connection, each request sent to the target that [`Routes`] names.
//!
//! Bodies are streamed both ways. Errors are ELB's: 503 without a healthy target, 502 if the target breaks off before
//! it has answered, 504 if it does not answer in time.

use std::net::{IpAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Passes, Routes, copying};

type Body = BoxBody<Bytes, hyper::Error>;

/// Below every server's own keep-alive, or a request could meet a connection that is just being closed.
const KEEP_UNUSED: Duration = Duration::from_secs(4);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Headers about one connection, not about the request. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
const HOP_BY_HOP: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What every connection's task shares.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    routes: Arc<Routes>,
    client: Client<HttpConnector, Incoming>,
    idle_timeout: Duration,
}

impl Proxy {
    pub(super) fn new(routes: Arc<Routes>, idle_timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_UNUSED)
            .build(connector);
        Self {
            routes,
            client,
            idle_timeout,
        }
    }

    /// A connection as it is, to the target whose turn it is. What is broken on one side, or comes to nothing, is reset on
    /// the other: an orderly end is the server's or the client's own.
    async fn pass(&self, client: TcpStream) {
        let Some(target) = self.routes.next(Instant::now()) else {
            return reset(&client);
        };
        let connecting = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(target));
        let Ok(Ok(server)) = connecting.await else {
            return reset(&client);
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (mut client, mut server) = (client, server);
        if copying::both_ways(&mut client, &mut server, self.idle_timeout)
            .await
            .is_err()
        {
            reset(&client);
            reset(&server);
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        stop: CancellationToken,
    ) -> Response<Body> {
        match self.routes.next(Instant::now()) {
            Some(target) => self.forward(request, peer, target, stop).await,
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "no healthy target"),
        }
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        peer: IpAddr,
        target: SocketAddrV4,
        stop: CancellationToken,
    ) -> Response<Body> {
        let upgrading = request.headers().contains_key(UPGRADE);
        let from_client = upgrading.then(|| hyper::upgrade::on(&mut request));
        let Some(uri) = at_target(request.uri(), target) else {
            return plain(StatusCode::BAD_REQUEST, "no such URI");
        };
        *request.uri_mut() = uri;
        *request.version_mut() = http::Version::HTTP_11;
        for_next_hop(request.headers_mut(), upgrading);
        forwarded_for(request.headers_mut(), peer);
        let mut response = match tokio::time::timeout(
            self.idle_timeout,
            self.client.request(request),
        )
        .await
        {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::warn!(%target, error = crate::error::chain(&error), "target broke off");
                return plain(StatusCode::BAD_GATEWAY, "the target broke off");
            }
            Err(_) => return plain(StatusCode::GATEWAY_TIMEOUT, "the target did not answer"),
        };
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if let (true, Some(from_client)) = (switched, from_client) {
            let to_target = hyper::upgrade::on(&mut response);
            tokio::spawn(stop.run_until_cancelled_owned(pin(
                from_client,
                to_target,
                self.idle_timeout,
            )));
        }
        for_next_hop(response.headers_mut(), switched);
        response.map(|body| body.boxed())
    }
}

/// Accepts until stopped; stopping drops every connection.
pub(super) async fn serve(
    listener: TcpListener,
    passes: Passes,
    proxy: Proxy,
    stop: CancellationToken,
) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let (proxy, stopping) = (proxy.clone(), stop.clone());
                let connection = async move {
                    match passes {
                        Passes::Http => connection(stream, peer.ip(), proxy, stopping).await,
                        Passes::Tcp => proxy.pass(stream).await,
                    }
                };
                tokio::spawn(stop.clone().run_until_cancelled_owned(connection));
            }
            Err(error) => {
                // Out of file descriptors, most likely; without a pause this would be a busy loop.
                tracing::warn!(%error, "the load balancer cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whoever is at the other end sees a reset once it is dropped.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn connection(stream: TcpStream, peer: IpAddr, proxy: Proxy, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let idle_timeout = proxy.idle_timeout;
    let service = hyper::service::service_fn(move |request| {
        let (proxy, stop) = (proxy.clone(), stop.clone());
        async move { Ok::<_, std::convert::Infallible>(proxy.answer(request, peer, stop).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = served.await {
        tracing::debug!(%error, "a client's connection ended");
    }
}

async fn pin(
    client: hyper::upgrade::OnUpgrade,
    target: hyper::upgrade::OnUpgrade,
    idle_timeout: Duration,
) {
    match tokio::try_join!(client, target) {
        Ok((client, target)) => {
            let ended =
                copying::both_ways(TokioIo::new(client), TokioIo::new(target), idle_timeout).await;
            if let Err(error) = ended {
                tracing::debug!(%error, "a pinned connection broke");
            }
        }
        Err(error) => tracing::debug!(%error, "an upgrade came to nothing"),
    }
}

fn at_target(uri: &Uri, target: SocketAddrV4) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(target.to_string()).ok()?);
    Uri::from_parts(parts).ok()
}

/// Drops what concerned the connection that the message came on; an upgrade passes.
fn for_next_hop(headers: &mut HeaderMap, upgrading: bool) {
    let upgrade = headers.get(UPGRADE).cloned();
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    if let (true, Some(upgrade)) = (upgrading, upgrade) {
        headers.insert(UPGRADE, upgrade);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// As https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html says.
fn forwarded_for(headers: &mut HeaderMap, peer: IpAddr) {
    let before = headers
        .get("x-forwarded-for")
        .and_then(|value| value.to_str().ok());
    let chain = before.map_or_else(|| peer.to_string(), |before| format!("{before}, {peer}"));
    if let Ok(value) = HeaderValue::try_from(chain) {
        headers.insert("x-forwarded-for", value);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(
        Full::new(Bytes::from_static(text.as_bytes()))
            .map_err(|never| match never {})
            .boxed(),
    );
    *response.status_mut() = status;
    response
}
