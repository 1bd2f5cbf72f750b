//! All by which one task of a server can act on another, in one place: locks, atomics, tasks, time and chance.
//!
//! What ships is the standard library's and tokio's (`shipped`). With the feature `races` a checker takes their
//! place (`explored`), decides at every step which task goes on, and so explores the endpoint's own code, and that of a
//! server that takes them from here. What else comes from `tokio::sync` is the same in both: it needs no runtime, and
//! nothing of ours depends on who comes between two of its operations.
//!
//! Not a part of what this crate promises: it may change in any release.

#[cfg(not(feature = "races"))]
mod shipped;
#[cfg(not(feature = "races"))]
pub use shipped::*;

#[cfg(feature = "races")]
mod explored;
#[cfg(feature = "races")]
pub use explored::*;
