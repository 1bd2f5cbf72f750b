//! The steps of what the agent does, by name: for tests that end the process at one of them.

use std::sync::OnceLock;

static WATCH: OnceLock<fn(&str)> = OnceLock::new();

/// Calls `watch` at every step of this process from now on. Not a part of what this crate promises.
pub fn watch(watch: fn(&str)) {
    // Whoever came first stays.
    let _ = WATCH.set(watch);
}

/// A step is done.
pub(crate) fn done(step: &str) {
    tracing::trace!(step);
    if let Some(watch) = WATCH.get() {
        watch(step);
    }
}
