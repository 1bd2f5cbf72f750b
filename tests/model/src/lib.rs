//! Model checking of the shipped rules: a world in which anything may happen at any moment, and what must hold in it.
//!
//! The Lambdas of this world call the decision functions of `functions/rules`, its servers run the admission state
//! of the reference server; the rest (the order of the workflow, AWS, users, faults) is modelled here. `docs/proof.md`
//! says what that proves and what not.

pub mod action;
mod beginning;
pub mod calls;
mod canonical;
mod choices;
pub mod configurations;
pub mod ending;
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
