//! The rules of a deployment, pure: no AWS, no async, no clock.
//!
//! Every Lambda observes, asks a function of this crate what to do, acts, and confirms by reading again. Whatever
//! decides lives here, so that it can be tested by table and run by a model checker; time is always an argument, and
//! a refusal is an enum variant that carries its numbers.

// What travels between the functions, and the names of what can go wrong.
pub mod document;
pub mod error_name;
pub mod observed;
pub mod scaling;
pub mod shape;

// Input and settings: everything is parsed at the start, and every error is told together.
pub mod input;
pub mod knobs;
pub mod service_url;
pub mod settings;
pub mod suggestion;
pub mod url_path;

// The AWS half: who holds what, which environment is which, what may be launched, weighed and ended.
pub mod guard;
pub mod hold;
pub mod launch;
pub mod plan;
pub mod record;
pub mod roles;
pub mod terminate;
pub mod weights;

// The session half: what servers say, what they are asked, when they count as drained.
pub mod check;
pub mod drain;
pub mod green_test;
pub mod report;
pub mod resume;
pub mod service;
pub mod wait;

// What is told of all this to CloudWatch.
pub mod metrics;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod arbitrary_json;
#[cfg(any(test, feature = "examples"))]
pub mod examples;

pub use error_name::{ErrorName, Failure};
pub use shape::{Environment, Fence, Retiring, Server};
