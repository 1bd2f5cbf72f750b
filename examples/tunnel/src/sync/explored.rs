//! The checker's: the session endpoint's own, and what else the server needs of it.

#[cfg(test)]
pub(crate) use ebbtide_endpoint::sync::chance;
pub(crate) use ebbtide_endpoint::sync::{
    Mutex, MutexGuard, Notify, atomic, now, since_1970, sleep, sleep_until, spawn, timeout,
};

/// Polls in the order written, where tokio would draw lots: a schedule must repeat what it did.
macro_rules! select {
    ($($branches:tt)*) => { tokio::select! { biased; $($branches)* } };
}
pub(crate) use select;

/// Gives hyper the checker's tasks.
#[derive(Clone, Default)]
pub(crate) struct Executor;

impl Executor {
    pub(crate) fn new() -> Self {
        Self
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(spawn(future));
    }
}
