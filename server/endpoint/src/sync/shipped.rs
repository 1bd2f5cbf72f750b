//! What ships: the standard library's threads, tokio's tasks, the system's clock.

pub use std::sync::atomic;

#[cfg(feature = "serve")]
pub use serving::*;

#[cfg(feature = "serve")]
mod serving {
    use std::time::Instant;

    pub use std::sync::{Mutex, MutexGuard};
    pub use tokio::sync::Notify;
    pub use tokio::task::spawn_blocking;
    pub use tokio::{select, spawn};

    /// This instant.
    pub fn now() -> Instant {
        Instant::now()
    }

    /// Waits until `instant`.
    pub async fn sleep_until(instant: Instant) {
        tokio::time::sleep_until(instant.into()).await;
    }

    /// A random number from 0 to 1.
    pub fn chance() -> f64 {
        fastrand::f64()
    }
}
