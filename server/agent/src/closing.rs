//! Closes one idle session of the server, as if its client had left: freeze, barrier, look, shut down, thaw.
//!
//! While it is frozen no packet of the client is taken, so none is acknowledged, and its kernel repeats it: nothing is lost
//! that the client believes delivered. The freeze lapses by itself.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ebbtide_endpoint::SessionNumber;

use crate::barrier::barrier;
use crate::orders::{NotDone, Orders};
use crate::rules::FREEZE_LASTS;
use crate::sockets::{self, Socket};
use crate::steps;

/// A list of idle sessions is used again for so long, and for ten times what it took to make.
const LIST_LASTS: Duration = Duration::from_millis(500);
/// How often the server is looked after that has been told that its client left.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A server that has not closed by now does not close on the end of its input.
const PATIENCE: Duration = Duration::from_secs(10);

/// Closes sessions; the answers of one look at a time.
pub(crate) struct Closing {
    orders: Orders,
    inner: Mutex<Inner>,
}

struct Inner {
    listed: Vec<SessionNumber>,
    fresh_until: Instant,
    candidates: HashMap<SessionNumber, Socket>,
}

impl Closing {
    pub(crate) fn new(orders: Orders) -> Self {
        Self {
            orders,
            inner: Mutex::new(Inner {
                listed: Vec::new(),
                fresh_until: Instant::now(),
                candidates: HashMap::new(),
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idle sessions, longest idle first: those of the last look if that is not long ago.
    pub(crate) fn candidates(
        &self,
        look: impl FnOnce() -> Option<Vec<Socket>>,
    ) -> Vec<SessionNumber> {
        let mut inner = self.inner();
        let begun = Instant::now();
        if begun >= inner.fresh_until {
            let sockets = look().unwrap_or_default();
            inner.listed = sockets.iter().map(|socket| socket.cookie).collect();
            inner.candidates = sockets
                .into_iter()
                .map(|socket| (socket.cookie, socket))
                .collect();
            inner.fresh_until = Instant::now() + LIST_LASTS.max(10 * begun.elapsed());
        }
        inner.listed.clone()
    }

    /// Closes it if nothing has passed over it since it was found idle. `stands` says whether the freeze is enforced.
    pub(crate) fn close(
        self: &Arc<Self>,
        session: SessionNumber,
        stands: impl FnOnce() -> bool,
    ) -> bool {
        let mut inner = self.inner();
        let Some(socket) = inner.candidates.remove(&session) else {
            return false;
        };
        steps::done("chosen");
        match self.freeze_and_shut_down(&socket, stands) {
            Ok(true) => {
                let closing = self.clone();
                // It stays frozen until the server has closed it, and whoever counts does not wait for that.
                thread::spawn(move || closing.thaw_once_closed(&socket));
                return true;
            }
            Ok(false) => {}
            Err(NotDone::Refused(error)) => tracing::warn!(error, "an idle session is not closed"),
            Err(error) => {
                // It may be shut down or not; so it is not thawed, which would have its client's words acknowledged.
                tracing::warn!(%error, "an idle session may be closed or not; it thaws by itself");
                return false;
            }
        }
        self.thaw(&socket);
        steps::done("left alone");
        false
    }

    fn freeze_and_shut_down(
        &self,
        socket: &Socket,
        stands: impl FnOnce() -> bool,
    ) -> Result<bool, NotDone> {
        self.orders.freeze(socket, true)?;
        steps::done("frozen");
        barrier()?;
        if !stands() || !is_as_it_was(socket)? {
            return Ok(false);
        }
        steps::done("found idle");
        // The helper does it only while the freeze lasts for certain, and knows when it began.
        self.orders.shut_down(socket)?;
        steps::done("shut down");
        Ok(true)
    }

    fn thaw_once_closed(&self, socket: &Socket) {
        let begun = Instant::now();
        let mut frozen_at = begun;
        while !has_left(socket) {
            if begun.elapsed() > PATIENCE {
                tracing::error!(
                    port = socket.port,
                    "the server does not close a session whose client has left; it cannot be emptied by closing"
                );
                break;
            }
            if frozen_at.elapsed() > FREEZE_LASTS / 3 {
                frozen_at = Instant::now();
                if let Err(error) = self.orders.freeze(socket, true) {
                    tracing::warn!(%error, "a session thaws before the server has closed it");
                }
            }
            thread::sleep(LOOK_EVERY);
        }
        steps::done("closed");
        self.thaw(socket);
    }

    fn thaw(&self, socket: &Socket) {
        if let Err(error) = self.orders.freeze(socket, false) {
            tracing::debug!(%error, "a session thaws by itself");
        }
    }
}

/// Nothing has come, nothing was sent, nothing waits.
fn is_as_it_was(socket: &Socket) -> io::Result<bool> {
    let Some(now) = sockets::again(socket)? else {
        return Ok(false);
    };
    let moved = |socket: &Socket| {
        socket
            .traffic
            .map(|traffic| (traffic.sent, traffic.received))
    };
    Ok(now.established
        && now.inode == socket.inode
        && (now.unread, now.unacknowledged) == (0, 0)
        && moved(&now).is_some()
        && moved(&now) == moved(socket))
}

fn has_left(socket: &Socket) -> bool {
    // What cannot be read is not taken for gone.
    sockets::again(socket).is_ok_and(|now| now.is_none_or(|now| !now.established))
}
