//! Real servers on 127.0.0.1, real WebSockets, real HTTP.

// Built for the checker, no server runs.
#![cfg(not(feature = "races"))]
// clippy's allowance for tests reaches only functions marked as tests, not what they call.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod clients;
mod draining;
mod endpoint;
mod foreign;
mod forwarding;
mod harness;
mod keys;
mod lagging;
mod moving;
mod passing_on;
mod replacing;
mod sealing;
