//! What whole-workflow tests share: a service on a local cloud with its users, in steps that read as Given, When, Then.
//!
//! The scenarios and the fault matrix are two programs; both stand on this. Everything here asserts by panicking.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test says what it expected by failing"
)]

pub mod scene;
pub mod sessions;
