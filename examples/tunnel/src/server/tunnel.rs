//! One tunnel: a client's WebSocket as the server sees it, from registration to the end of its close.
//!
//! Owns what decides busy or idle, under one lock, so that "it is idle, close it" and "a request begins" cannot both
//! happen. Refuses requests once it is retiring or closing. The registry finds tunnels, `forward` sends requests into
//! them, `carrier` runs their WebSocket.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::{AcquireError, OnceCell, OwnedSemaphorePermit, Semaphore};

use super::body::{BoxError, Outgoing};
use crate::close;
use crate::link::{CONNECTION_WINDOW, HEADERS, Link, STREAM_WINDOW, STREAMS};
use crate::sync::{Executor, Mutex, MutexGuard, Notify, now, spawn};

/// Where a tunnel is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `Serving` is when requests are taken.
    Serving,
    /// `Retiring` is when a newer tunnel has the name: requests finish, none begins.
    Retiring,
    /// `Closing` is when the Close frame is on its way, or the WebSocket is over.
    Closing { code: u16, reason: String },
}

#[derive(Debug)]
struct Life {
    phase: Phase,
    in_flight: usize,
    /// When the busy spell began that lasts now or was the last.
    busy_since: Instant,
    /// When the last request ended, or the tunnel was opened.
    free_since: Instant,
    /// It has carried a request, so it is busy for a while after `free_since`.
    used: bool,
    /// The transport of an HTTP/2 connection that the carrier has to attach.
    attach: Option<DuplexStream>,
}

/// Busy or idle, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    Busy { since: Instant },
    Idle { since: Instant },
}

pub(crate) struct Tunnel {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    /// Microseconds since 1970: which of two tunnels of one name on two servers is the newer.
    pub(crate) opened_at: u64,
    life: Mutex<Life>,
    /// Tells the carrier to look at phase and attachment.
    pub(crate) changed: Notify,
    http2: OnceCell<SendRequest<Outgoing>>,
    /// Kept here, because a client of another make may allow any number of streams, or never say how many.
    streams: Arc<Semaphore>,
}

impl Tunnel {
    pub(crate) fn new(id: u64, name: Arc<str>, opened_at: u64, now: Instant) -> Arc<Self> {
        let life = Life {
            phase: Phase::Serving,
            in_flight: 0,
            busy_since: now,
            free_since: now,
            used: false,
            attach: None,
        };
        Arc::new(Self {
            id,
            name,
            opened_at,
            life: Mutex::new(life),
            changed: Notify::new(),
            http2: OnceCell::new(),
            streams: Arc::new(Semaphore::new(STREAMS as usize)),
        })
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request; none if the tunnel takes no more.
    pub(crate) fn begin(self: &Arc<Self>, now: Instant, idle_after: Duration) -> Option<InFlight> {
        let mut life = self.life();
        if life.phase != Phase::Serving {
            return None;
        }
        if matches!(life.activity(now, idle_after), Activity::Idle { .. }) {
            life.busy_since = now;
        }
        life.in_flight += 1;
        life.used = true;
        Some(InFlight {
            tunnel: self.clone(),
            stream: None,
        })
    }

    fn end(&self) {
        let mut life = self.life();
        life.in_flight -= 1;
        if life.in_flight == 0 {
            // Read under the lock: of two that end together, the later instant counts.
            life.free_since = now();
            if life.phase == Phase::Retiring {
                life.phase = replaced();
                self.changed.notify_one();
            }
        }
    }

    pub(crate) fn activity(&self, now: Instant, idle_after: Duration) -> Activity {
        self.life().activity(now, idle_after)
    }

    /// A request is under way, or its answer.
    pub(crate) fn in_flight(&self) -> bool {
        self.life().in_flight > 0
    }

    pub(crate) fn phase(&self) -> Phase {
        self.life().phase.clone()
    }

    /// Begins the close if the tunnel serves and is idle at this instant; requests find it closed from then on.
    pub(crate) fn close_if_idle(&self, now: Instant, idle_after: Duration, reason: String) -> bool {
        let mut life = self.life();
        let idle = matches!(life.activity(now, idle_after), Activity::Idle { .. });
        if life.phase != Phase::Serving || !idle {
            return false;
        }
        life.phase = Phase::Closing {
            code: close::RESTART,
            reason,
        };
        self.changed.notify_one();
        true
    }

    /// Lets the requests in flight finish and takes no more; then the tunnel closes.
    pub(crate) fn retire(&self) {
        let mut life = self.life();
        if life.phase == Phase::Serving {
            life.phase = if life.in_flight == 0 {
                replaced()
            } else {
                Phase::Retiring
            };
            self.changed.notify_one();
        }
    }

    /// The WebSocket is over or of no more use: no request may begin. Those in flight fail by themselves.
    pub(crate) fn over(&self, code: u16, reason: &str) {
        let mut life = self.life();
        if !matches!(life.phase, Phase::Closing { .. }) {
            life.phase = Phase::Closing {
                code,
                reason: reason.to_owned(),
            };
        }
        life.attach = None;
        self.streams.close();
    }

    /// The transport that the carrier has to attach, once.
    pub(crate) fn take_attachment(&self) -> Option<DuplexStream> {
        self.life().attach.take()
    }

    /// The HTTP/2 connection, begun at the first call: until then a client receives nothing but pings.
    ///
    /// In a task of its own: whoever asks first may hang up meanwhile, and a connection that is dropped half begun
    /// would take the tunnel with it.
    pub(crate) async fn http2(self: &Arc<Self>) -> Result<SendRequest<Outgoing>, BoxError> {
        if let Some(begun) = self.http2.get() {
            return Ok(begun.clone());
        }
        let tunnel = self.clone();
        let connecting = async move {
            let connect = || tunnel.connect();
            tunnel.http2.get_or_try_init(connect).await.cloned()
        };
        Ok(spawn(connecting).await??)
    }

    async fn connect(&self) -> Result<SendRequest<Outgoing>, hyper::Error> {
        let (ours, carriers) = Link::<tokio::net::TcpStream>::pipe();
        {
            // On a closing tunnel the pipe is dropped here, and the connection below ends at once.
            let mut life = self.life();
            if !matches!(life.phase, Phase::Closing { .. }) {
                life.attach = Some(carriers);
            }
        }
        self.changed.notify_one();
        let (requests, connection) = Builder::new(Executor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(STREAMS as usize)
            .max_header_list_size(HEADERS)
            // Users hang up; that is no attack by the client.
            .max_local_error_reset_streams(None)
            .max_concurrent_reset_streams(STREAMS as usize)
            .handshake(TokioIo::new(ours))
            .await?;
        spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection ended");
            }
        });
        Ok(requests)
    }
}

fn replaced() -> Phase {
    Phase::Closing {
        code: close::REPLACED,
        reason: close::REPLACED_REASON.to_owned(),
    }
}

impl Life {
    fn activity(&self, now: Instant, idle_after: Duration) -> Activity {
        let rested = now.saturating_duration_since(self.free_since) >= idle_after;
        if self.in_flight > 0 || (self.used && !rested) {
            Activity::Busy {
                since: self.busy_since,
            }
        } else {
            Activity::Idle {
                since: self.free_since,
            }
        }
    }
}

/// A request in flight on a tunnel, until it is dropped.
pub(crate) struct InFlight {
    tunnel: Arc<Tunnel>,
    stream: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    pub(crate) fn tunnel(&self) -> &Arc<Tunnel> {
        &self.tunnel
    }

    /// Waits until it is one of so many that share the tunnel; an error if the tunnel is over.
    pub(crate) async fn take_turn(&mut self) -> Result<(), AcquireError> {
        let streams = self.tunnel.streams.clone();
        self.stream = Some(streams.acquire_owned().await?);
        Ok(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.tunnel.end();
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "tunnel_tests.rs"]
mod tests;
