//! This server's races, explored: the code that ships, on the session endpoint's checker.
//!
//! What the endpoint does by itself is explored where it is (`server/endpoint/src/races`); here is what a tunnel, a
//! request and another server do to it. `cargo test --package tunnel --features races --lib races -- --nocapture` tells
//! how many orders were told and what happened in them.

mod draining;
mod moving;
mod passing_on;
mod people;
mod sealing;
mod world;

use ebbtide_endpoint::races::{explore, explore_timeless, happened};
