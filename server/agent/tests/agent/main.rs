//! The agent against the kernel, in network namespaces of its own: nothing outside is touched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod agent;
mod namespace;
mod world;
// Servers, what their clients say, and what they have kept of it.
mod client;
mod kept;
mod programs;
mod target;

// The races of a seal, hammered; the same run with the count before the rule.
mod hammered;
// What is not established yet, and what the server has not accepted.
mod half_open;
// The session endpoint over HTTP, a stopped server, rules that somebody takes away.
mod endpoint;
// The agent killed at each of its steps and never started again; and started again.
mod killed;

// Idle sessions closed: frozen, looked at again, shut down, thawed.
mod closing;
// Many of them, while others talk and while the closed ones speak at the wrong moment.
mod closed_at_work;

// Two processes: what the one that listens may not do, and what becomes of it without the other.
mod split;

// The program: what it says on a terminal.
mod commands;

// Every rule of the session endpoint, by the tool that tries any server.
mod conformance;
