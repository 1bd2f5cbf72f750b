//! Thousands of tunnels at work, and what is counted of them: shared by `pacing` and `load`.
//!
//! Knows no deployment; whoever measures starts one and asks.

pub(crate) mod accepts;
pub(crate) mod application;
pub(crate) mod clients;
mod files;
pub(crate) mod standstill;

pub(crate) use files::allow_files;
