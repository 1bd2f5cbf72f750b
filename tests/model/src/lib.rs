//! Model checking of the shipped rules: a world in which anything may happen at any moment, and what must hold in it.
//!
//! The functions of this world call the decision functions of `functions/rules`, keep-record's among them; the order of
//! their calls is read from the definition that ships; its servers run the admission state of the reference server. AWS,
//! users and faults are modelled here. `docs/proof.md` says what that proves and what not.

pub mod action;
pub mod agent;
mod beginning;
pub mod calls;
mod canonical;
pub mod checked;
mod choices;
pub mod clock;
pub mod configurations;
pub mod definition;
mod ending;
mod graph;
pub mod kept;
pub mod model;
pub mod proof;
pub mod properties;
pub mod server;
mod shipped;
mod steps;
pub mod story;
pub mod variants;
mod workflow;
pub mod world;
