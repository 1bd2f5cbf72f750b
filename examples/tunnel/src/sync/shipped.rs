//! What ships: the standard library's threads, tokio's tasks, the system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use ebbtide_endpoint::sync::{Mutex, MutexGuard, Notify, atomic, now, sleep_until};
pub(crate) use hyper_util::rt::TokioExecutor as Executor;
pub(crate) use tokio::time::{sleep, timeout};
pub(crate) use tokio::{select, spawn};

/// The time since 1970.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
