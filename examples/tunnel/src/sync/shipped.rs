//! What ships: the standard library's threads, tokio's tasks, the system's clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) use hyper_util::rt::TokioExecutor as Executor;
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
pub(crate) use tokio::sync::Notify;
pub(crate) use tokio::task::{JoinError, spawn_blocking};
pub(crate) use tokio::time::{sleep, timeout};
pub(crate) use tokio::{select, spawn};

use std::time::Duration;

/// This instant.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until `instant`.
pub(crate) async fn sleep_until(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}

/// The time since 1970.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A random number from 0 to 1.
pub(crate) fn chance() -> f64 {
    rand::random()
}
