//! Whole deployments on the local cloud, read as Given, When, Then.
//!
//! Every scenario has a cloud of its own: the unmodified template and state machine, the real functions, real server
//! processes, real WebSocket connections. `make scenarios` builds what they run.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expected by failing"
)]

mod agents;
mod behind_a_rule;
mod blockers;
mod checks;
mod claims;
mod contested;
mod fleets;
mod groups;
mod harness;
mod late_balancer;
mod listeners;
mod long_drains;
mod metrics;
mod operator;
mod promotion;
mod redrive;
mod refused;
mod rejection;
mod rollback;
mod scaling;
mod several;
mod signed;
mod take_over;
mod traffic;
mod updates;
mod wishes;

use ebbtide_tests::{scene, sessions};
