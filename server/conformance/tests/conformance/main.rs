//! The tool against servers that are right, and against servers that are wrong in one thing.

// clippy's allowance for tests reaches only functions marked as tests, not what they call.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod by_hand;
#[expect(dead_code, reason = "an example has a main")]
#[path = "../../../endpoint/examples/chat.rs"]
mod chat;

mod command;
mod document;
mod guard;
mod process;
mod right;
mod signed;
mod tunnels;
mod wrong;
