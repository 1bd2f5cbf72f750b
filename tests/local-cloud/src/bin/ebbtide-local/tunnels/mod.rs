//! Thousands of tunnels at work, and what is counted of them: shared by `pacing` and `load`.
//!
//! Knows no deployment; whoever measures starts one and asks.

pub(crate) mod accepts;
pub(crate) mod application;
pub(crate) mod clients;
mod files;
mod measuring;
pub(crate) mod standstill;

pub(crate) use files::allow_files;
pub(crate) use measuring::on_a_cloud;
