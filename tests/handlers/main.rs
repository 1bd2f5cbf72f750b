//! The Lambdas' handlers under everything that may happen to them, in sequences that are drawn at random.
//!
//! The definition that ships makes the calls (its JSONata is evaluated), the handlers are the real ones, AWS and the
//! servers are in memory and share one world. Nothing is compared with a model of the workflow: the rules of
//! [`rules`] are asked about every change, every answer, and the world after every event.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expected by failing"
)]

mod aws;
mod call;
mod definition;
mod ending;
mod event;
mod execution;
mod fleet;
mod functions;
mod properties;
mod rules;
mod run;
mod sequences;
mod server;
mod stack;
mod strangers;
mod wishes;
mod world;
