//! The session endpoint, version 1, for a TCP server that nobody changes: beside it on the same instance, through the kernel.
//!
//! `docs/agent.md` in Ebbtide's repository says what it guarantees, what it needs and what it cannot do.

pub mod barrier;
pub mod busy;
pub mod channel;
pub mod check;
mod closing;
pub mod config;
mod fields;
pub mod gate;
mod health;
pub mod helper;
mod holders;
pub mod hook;
mod metrics;
pub mod nft;
pub mod orders;
mod privileges;
mod program;
pub mod rules;
pub mod samples;
pub mod serve;
pub mod sockets;
pub mod split;
#[doc(hidden)]
pub mod steps;
