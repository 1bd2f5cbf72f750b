//! All by which one task of the server can act on another, in one place: locks, atomics, tasks, time and chance.
//!
//! What ships is the standard library's and tokio's ([`shipped`]). With the feature `races` the session endpoint's checker
//! takes their place ([`explored`]), decides at every step which task goes on, and so explores the server's own code. What
//! else the server takes from `tokio::sync` is the same in both: it needs no runtime, and nothing of ours depends on who
//! comes between two of its operations.
//! The client does without: it holds nothing that a seal promises.

#[cfg(not(feature = "races"))]
mod shipped;
#[cfg(not(feature = "races"))]
pub(crate) use shipped::*;

#[cfg(feature = "races")]
mod explored;
#[cfg(feature = "races")]
pub(crate) use explored::*;
