//! Carries out the standing drain order.
//!
//! Owns the order in force and the number of sessions closed by orders. Closes a session only under the lock that a
//! resume takes too, so that none is closed after a resume was acknowledged, and only if it is idle at that instant.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::order::{Allows, Order};
use super::registry::Registry;
use super::tunnel::Tunnel;
use crate::close;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, Notify, chance, now, select, sleep, sleep_until};

/// How often to look for sessions that have become idle, while none is.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Clients come back at once: the slots have spread them already.
///
/// The pace is there for the servers that take the clients back, and closures keep to it in every second. A random wait
/// on top would undo that: with up to a second each, the clients of a second are 20 ± 2.6 at a pace of 20, and one
/// second in twenty-five has more than a fifth too many. (A closure at `s` falls into the second that ends at `t` with probability
/// `p = 1 - |t - 1 - s|`; summing `p (1 - p)` over all closures, the variance is a third of the pace.)
pub(crate) const COME_BACK_AFTER: Duration = Duration::ZERO;

#[derive(Default)]
pub(crate) struct Drain {
    order: Mutex<Option<Order>>,
    given: Notify,
    closed: AtomicU64,
}

impl Drain {
    fn order(&self) -> MutexGuard<'_, Option<Order>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new order takes the place of the one before; a repeat only prolongs it.
    pub(crate) fn give(&self, per_second: f64, lease: Duration, now: Instant) {
        let mut order = self.order();
        *order = Some(Order::given(*order, per_second, lease, chance(), now));
        drop(order);
        self.given.notify_one();
    }

    /// No session is closed from the moment that this returns.
    pub(crate) fn cancel(&self) {
        *self.order() = None;
    }

    /// Sessions closed by orders since draining began.
    pub(crate) fn closed(&self) -> u64 {
        self.closed.load(Ordering::SeqCst)
    }

    pub(crate) fn count_closed(&self) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }

    /// Draining begins.
    pub(crate) fn reset_closed(&self) {
        self.closed.store(0, Ordering::SeqCst);
    }

    /// Carries out orders for as long as the server runs.
    pub(crate) async fn run(self: Arc<Self>, registry: Arc<Registry>, idle_after: Duration) {
        let mut candidates = Candidates {
            queue: VecDeque::new(),
            scanned: now(),
        };
        loop {
            let next = self.step(&mut candidates, &registry, idle_after);
            select! {
                () = next.pause() => {}
                () = self.given.notified() => {}
            }
        }
    }

    /// Closes at most one session.
    fn step(&self, candidates: &mut Candidates, registry: &Registry, idle_after: Duration) -> Next {
        let mut standing = self.order();
        let Some(order) = standing.as_mut() else {
            return Next::Order;
        };
        let now = now();
        match order.allows(now) {
            Allows::Wait(until) => return Next::At(until),
            Allows::Nothing => {
                *standing = None;
                return Next::Order;
            }
            Allows::Close => {}
        }
        candidates.refresh(registry, now);
        while let Some(tunnel) = candidates.queue.pop_front() {
            if tunnel.close_if_idle(now, idle_after, close::reconnect_in(COME_BACK_AFTER)) {
                order.close(now);
                return Next::Now;
            }
        }
        Next::Look
    }
}

/// Idle sessions, longest idle first, as of the last scan.
struct Candidates {
    queue: VecDeque<Arc<Tunnel>>,
    scanned: Instant,
}

impl Candidates {
    /// Scans again when the list is used up or no longer fresh: not for every closure, for a server may hold
    /// thousands and close hundreds a second.
    fn refresh(&mut self, registry: &Registry, now: Instant) {
        if self.queue.is_empty() || now.saturating_duration_since(self.scanned) >= LOOK_AGAIN {
            *self = Self {
                queue: registry.idle(now).into(),
                scanned: now,
            };
        }
    }
}

/// When to take the next step.
enum Next {
    Now,
    At(Instant),
    Look,
    Order,
}

impl Next {
    async fn pause(self) {
        match self {
            Self::Now => {}
            Self::At(instant) => sleep_until(instant).await,
            Self::Look => sleep(LOOK_AGAIN).await,
            Self::Order => std::future::pending().await,
        }
    }
}
