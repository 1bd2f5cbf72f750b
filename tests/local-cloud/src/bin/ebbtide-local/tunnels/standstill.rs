//! How long this process stood still, because the machine had other things to do.
//!
//! The load balancer and the clients run here: while they stand still nothing is accepted, and afterwards what waited
//! is accepted at once. A count that leaves the pace means something only where this says nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A shorter one moves no more than a few accepts from one second into the next.
const TOLD: Duration = Duration::from_millis(50);

/// One standstill: when it ended, and how long it was.
pub(crate) type Standstill = (Instant, Duration);

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Vec<Standstill>>>,
    _watching: AbortOnDropHandle<()>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let seen = Arc::<Mutex<Vec<Standstill>>>::default();
        let noted = seen.clone();
        let watching = async move {
            loop {
                let due = Instant::now() + LOOK_EVERY;
                tokio::time::sleep_until(due.into()).await;
                let now = Instant::now();
                if now - due >= TOLD {
                    let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.push((now, now - due));
                }
            }
        };
        Self {
            seen,
            _watching: AbortOnDropHandle::new(tokio::spawn(watching)),
        }
    }

    /// All standstills so far that are worth telling, in order.
    pub(crate) fn seen(&self) -> Vec<Standstill> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}
