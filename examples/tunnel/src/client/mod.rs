//! The tunnel client: keeps a tunnel open and hands the requests that come through it to an application.
//!
//! Owns the connection's life: connect, serve HTTP/2 over the WebSocket, reconnect. After close code 1012 it comes
//! back at the moment that the reason names, after a loss with capped exponential back-off, and not at all once a
//! newer tunnel has its name. The binary gives it [`forwarder::Forwarder`] as the application; a program of your own
//! gives it any hyper service.

mod backoff;
mod connection;
mod counted;
pub mod forwarder;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::close;
use backoff::Backoff;
use connection::{ConnectError, End, connect};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Options {
    /// `ws://host:port/tunnel/name`
    pub url: String,
    /// The longest first wait after a loss; waits are random, from nothing up to the limit.
    pub first_backoff: Duration,
    /// The longest wait ever.
    pub max_backoff: Duration,
    /// A connection that is not open after this long is given up.
    pub connect_timeout: Duration,
    /// How often the server is pinged; silent for three of these, it is taken for lost.
    pub ping_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: String::new(),
            first_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(20),
        }
    }
}

/// What happens to a client, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The tunnel is open.
    Connected {
        /// The server's instance, as it names itself; empty if it does not.
        server: String,
    },
    /// The server closed the tunnel.
    Closed {
        /// Why, as RFC 6455 and [`crate::close`] say.
        code: u16,
        /// The server's words.
        reason: String,
        /// Requests that this cut.
        in_flight: usize,
    },
    /// There is no connection: it broke, or could not be made.
    Lost {
        /// What broke.
        error: String,
        /// Requests that this cut.
        in_flight: usize,
    },
    /// A request arrived for the application.
    RequestStarted,
    /// A response was sent, or the user hung up.
    RequestEnded,
    /// The client waits before it connects again.
    Reconnecting {
        /// How long.
        after: Duration,
    },
}

/// Keeps a tunnel open until `stop`, or until a newer tunnel takes its name. Closes with code 1000 on `stop`.
///
/// The application gets every request with its own path, and may answer with a streamed body while the request's body
/// still arrives. Events that nobody receives are dropped.
pub async fn run<S, B>(
    options: Options,
    app: S,
    events: UnboundedSender<Event>,
    stop: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut backoff = Backoff::new(options.first_backoff, options.max_backoff);
    while !stop.is_cancelled() {
        let end = match stop.run_until_cancelled(connect(&options)).await {
            None => return,
            Some(Err(error)) => not_connected(&error),
            Some(Ok(connected)) => {
                backoff.reset();
                let _ = events.send(Event::Connected {
                    server: connected.server.clone(),
                });
                connected.serve(app.clone(), &options, &events, &stop).await
            }
        };
        let Some(after) = pause(&end, &mut backoff, rand::random()) else {
            tell(&events, end);
            return;
        };
        tell(&events, end);
        let _ = events.send(Event::Reconnecting { after });
        let _ = stop.run_until_cancelled(tokio::time::sleep(after)).await;
    }
}

fn not_connected(failed: &ConnectError) -> End {
    let error = failed.to_string();
    match failed.come_back() {
        Some(come_back) => End::Refused { error, come_back },
        None => End::Lost {
            error,
            in_flight: 0,
        },
    }
}

fn tell(events: &UnboundedSender<Event>, end: End) {
    let event = match end {
        End::Stopped => return,
        End::Lost { error, in_flight } => Event::Lost { error, in_flight },
        End::Refused { error, .. } => Event::Lost {
            error,
            in_flight: 0,
        },
        End::Closed {
            code,
            reason,
            in_flight,
        } => Event::Closed {
            code,
            reason,
            in_flight,
        },
    };
    let _ = events.send(event);
}

/// How long to wait before the next connection; none if there shall be no other.
fn pause(end: &End, backoff: &mut Backoff, random: f64) -> Option<Duration> {
    match end {
        End::Stopped
        | End::Closed {
            code: close::REPLACED,
            ..
        } => None,
        End::Closed {
            code: close::RESTART,
            reason,
            ..
        } => Some(close::reconnect_after(reason).unwrap_or_else(|| backoff.next(random))),
        End::Refused { come_back, .. } => Some(backoff.next_within(*come_back, random)),
        End::Closed { .. } | End::Lost { .. } => Some(backoff.next(random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16, reason: &str) -> End {
        End::Closed {
            code,
            reason: reason.to_owned(),
            in_flight: 0,
        }
    }

    #[test]
    fn only_a_restart_names_the_moment_and_only_a_newer_tunnel_ends_it_all() {
        let named = Duration::from_millis(350);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));
        let mut pauses = |end| pause(&end, &mut backoff, 1.0);
        assert_eq!(pauses(closed(1012, "reconnect in 350 ms")), Some(named));
        assert_eq!(pauses(closed(1012, "bye")), Some(Duration::from_secs(1)));
        assert_eq!(
            pauses(closed(1001, "reconnect in 350 ms")),
            Some(Duration::from_secs(2))
        );
        assert_eq!(
            pauses(End::Lost {
                error: String::new(),
                in_flight: 1
            }),
            Some(Duration::from_secs(4))
        );
        let refused = End::Refused {
            error: String::new(),
            come_back: Duration::from_secs(1),
        };
        assert_eq!(pauses(refused), Some(Duration::from_secs(1)));
        assert_eq!(pauses(closed(4001, "replaced")), None);
        assert_eq!(pauses(End::Stopped), None);
    }
}
