//! Model checking of the shipped rules.
pub mod calls;
pub mod model;
pub mod properties;
pub mod server;
mod shipped;
pub mod variants;
mod workflow;
pub mod world;
