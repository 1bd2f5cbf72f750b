//! One connection of a client: the handshake, HTTP/2 over the WebSocket, and how it ended.
//!
//! Owns the socket until the end. Limits of HTTP/2 are set high: the server is trusted, and users who hang up by the
//! hundred must not end a tunnel.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use thiserror::Error;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;

use super::counted::{CountedApp, Counter};
use super::{BoxError, Event, Options};
use crate::close;
use crate::link::{
    self, CONNECTION_WINDOW, HEADERS, Link, STREAM_WINDOW, STREAMS, websocket_config,
};
use crate::net;

/// Users who hang up one after the other, faster than we notice.
const RESETS: usize = 10_000;
/// How long the server may take to finish a closing handshake.
const CLOSING: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    #[error("no connection after {0:?}")]
    Slow(Duration),
    #[error("the server answered {status} instead of opening the tunnel")]
    Refused {
        status: http::StatusCode,
        come_back: Option<Duration>,
    },
    #[error(transparent)]
    Socket(SocketError),
}

impl ConnectError {
    /// When the server that refused wants to see the client again, somewhere: at the latest.
    pub(crate) fn come_back(&self) -> Option<Duration> {
        match self {
            Self::Refused { come_back, .. } => *come_back,
            Self::Slow(_) | Self::Socket(_) => None,
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is nobody's here.
fn come_back(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    Stopped,
    Closed {
        code: u16,
        reason: String,
        in_flight: usize,
    },
    Lost {
        error: String,
        in_flight: usize,
    },
    /// A draining server's refusal: another one will take the tunnel.
    Refused {
        error: String,
        come_back: Duration,
    },
}

pub(crate) struct Connected {
    pub(crate) server: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

pub(crate) async fn connect(options: &Options) -> Result<Connected, ConnectError> {
    let connecting =
        connect_async_with_config(options.url.as_str(), Some(websocket_config()), true);
    let (socket, response) = match tokio::time::timeout(options.connect_timeout, connecting).await {
        Err(_) => return Err(ConnectError::Slow(options.connect_timeout)),
        Ok(Err(SocketError::Http(response))) => {
            return Err(ConnectError::Refused {
                status: response.status(),
                come_back: come_back(response.headers()),
            });
        }
        Ok(Err(error)) => return Err(ConnectError::Socket(error)),
        Ok(Ok(connected)) => connected,
    };
    // Under TLS the pings notice a server that is gone.
    if let MaybeTlsStream::Plain(socket) = socket.get_ref() {
        net::keep_alive(socket);
    }
    let server = response
        .headers()
        .get(crate::server::SERVER)
        .and_then(|name| name.to_str().ok());
    Ok(Connected {
        server: server.unwrap_or_default().to_owned(),
        socket,
    })
}

impl Connected {
    /// Serves requests until the connection is over.
    pub(crate) async fn serve<S, B>(
        self,
        app: S,
        options: &Options,
        events: &UnboundedSender<Event>,
        stop: &CancellationToken,
    ) -> End
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let counter = Counter::new(events.clone());
        let app = CountedApp {
            app,
            counter: counter.clone(),
        };
        let mut link = Link::new(self.socket);
        let mut http2 = JoinSet::new();
        // Begun when the server speaks: an idle tunnel has no HTTP/2 connection at either end.
        let begin = || {
            let (ours, links) = Link::<TcpStream>::pipe();
            http2.spawn(serve_http2(ours, app.clone()));
            links
        };
        let end = drive(&mut link, begin, options.ping_every, &counter, stop).await;
        // hyper ends its connection, and with it all requests, when its transport ends.
        drop(link);
        http2.join_all().await;
        end
    }
}

async fn serve_http2<S, B>(io: DuplexStream, app: CountedApp<S>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let served = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(None)
        .serve_connection(TokioIo::new(io), app)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP/2 connection ended");
    }
}

async fn drive(
    link: &mut Link<MaybeTlsStream<TcpStream>>,
    mut begin: impl FnMut() -> DuplexStream,
    ping_every: Duration,
    counter: &Counter,
    stop: &CancellationToken,
) -> End {
    let mut end = None;
    let mut due = Instant::now() + ping_every;
    loop {
        tokio::select! {
            event = poll_fn(|cx| link.poll_event(cx)) => match event {
                link::Event::Spoke => {}
                link::Event::Unattached => link.attach(begin()),
                link::Event::PeerClosed { code, reason } => {
                    end.get_or_insert(End::Closed { code, reason, in_flight: counter.in_flight() });
                    due = Instant::now() + CLOSING;
                }
                link::Event::Ended(result) => {
                    let error = result.map_or_else(|error| error.to_string(), |()| "the connection ended".to_owned());
                    return end.unwrap_or_else(|| End::Lost { error, in_flight: counter.in_flight() });
                }
                link::Event::PipeEnded => {
                    let error = "the server did not speak HTTP/2".to_owned();
                    end.get_or_insert(End::Lost { error, in_flight: counter.in_flight() });
                    link.close(close::PROTOCOL_ERROR, "this is not HTTP/2");
                    due = Instant::now() + CLOSING;
                }
            },
            () = stop.cancelled(), if end.is_none() => {
                end = Some(End::Stopped);
                link.close(close::NORMAL, "the client stopped");
                due = Instant::now() + CLOSING;
            }
            () = sleep_until(due) => {
                if let Some(end) = end {
                    return end;
                }
                if !link.ping() {
                    return End::Lost { error: "the server is silent".to_owned(), in_flight: counter.in_flight() };
                }
                due = Instant::now() + ping_every;
            }
        }
    }
}
