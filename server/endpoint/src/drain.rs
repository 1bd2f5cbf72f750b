//! Carries out the standing drain order.
//!
//! Owns the order in force and the number of sessions closed by orders. Closes a session only under the lock that a
//! resume takes too, so that none is closed after a resume was acknowledged, and only if it is idle at that instant.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::sessions::{SessionNumber, Sessions};
use crate::standing::{Allows, Standing};
use crate::sync::{Mutex, MutexGuard, Notify, chance, now, select, sleep_until, spawn};

/// How often to look for sessions that have become idle, while none is.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The order in force.
#[derive(Default)]
struct Given {
    order: Option<Standing>,
    /// A task carries it out.
    running: bool,
    /// Sessions closed by orders since draining began.
    closed: u64,
}

pub(crate) struct Drain {
    given: Mutex<Given>,
    news: Notify,
    sessions: Arc<dyn Sessions>,
}

impl Drain {
    pub(crate) fn new(sessions: Arc<dyn Sessions>) -> Arc<Self> {
        Arc::new(Self {
            given: Mutex::default(),
            news: Notify::new(),
            sessions,
        })
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new order takes the place of the one before; a repeat only prolongs it.
    pub(crate) fn give(self: &Arc<Self>, per_second: f64, lease: Duration, now: Instant) {
        let mut given = self.given();
        given.order = Some(Standing::given(
            given.order,
            per_second,
            lease,
            chance(),
            now,
        ));
        let running = std::mem::replace(&mut given.running, true);
        drop(given);
        if running {
            self.news.notify_one();
        } else {
            drop(spawn(self.clone().run()));
        }
    }

    /// No session is closed from the moment that this returns.
    pub(crate) fn cancel(&self) {
        self.given().order = None;
    }

    /// Sessions closed by orders since draining began: under the lock, so that whoever sees one gone sees it here.
    pub(crate) fn closed(&self) -> u64 {
        self.given().closed
    }

    /// Draining begins.
    pub(crate) fn reset_closed(&self) {
        self.given().closed = 0;
    }

    /// Carries out orders for as long as one stands.
    async fn run(self: Arc<Self>) {
        let _running = Running(&self);
        let mut candidates = Candidates {
            queue: VecDeque::new(),
            scanned: now(),
        };
        loop {
            let pause = match self.step(&mut candidates) {
                Next::Now => continue,
                Next::At(instant) => instant,
                Next::Look => now() + LOOK_AGAIN,
                Next::Nothing => return,
            };
            select! {
                () = sleep_until(pause) => {}
                () = self.news.notified() => {}
            }
        }
    }

    /// Closes at most one session.
    fn step(&self, candidates: &mut Candidates) -> Next {
        let mut given = self.given();
        let now = now();
        let allowed = given
            .order
            .map_or(Allows::Nothing, |order| order.allows(now));
        match allowed {
            Allows::Wait(until) => return Next::At(until),
            Allows::Nothing => {
                (given.order, given.running) = (None, false);
                return Next::Nothing;
            }
            Allows::Close => {}
        }
        candidates.refresh(&*self.sessions, now);
        while let Some(session) = candidates.queue.pop_front() {
            if self.sessions.close_if_idle(session) {
                if let Some(order) = given.order.as_mut() {
                    order.close(now);
                }
                given.closed += 1;
                return Next::Now;
            }
        }
        Next::Look
    }
}

/// A server's own code may panic: the next order then starts anew.
struct Running<'a>(&'a Drain);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.given().running = false;
        }
    }
}

/// Idle sessions, longest idle first, as of the last scan.
struct Candidates {
    queue: VecDeque<SessionNumber>,
    scanned: Instant,
}

impl Candidates {
    /// Scans again when the list is used up or no longer fresh: not for every closure, for a server may hold
    /// thousands and close hundreds a second.
    fn refresh(&mut self, sessions: &dyn Sessions, now: Instant) {
        if self.queue.is_empty() || now.saturating_duration_since(self.scanned) >= LOOK_AGAIN {
            *self = Self {
                queue: sessions.idle().into(),
                scanned: now,
            };
        }
    }
}

/// When to take the next step.
enum Next {
    /// At once.
    Now,
    /// At this instant.
    At(Instant),
    /// When a session may have become idle.
    Look,
    /// No order stands.
    Nothing,
}
