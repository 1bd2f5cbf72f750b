//! The local cloud: emulators, a host for server processes and a load balancer.
//!
//! [`LocalCloud`] deploys the unmodified template next to a service of three blue servers and hands out what a scenario
//! or a demo needs: the listener's address, AWS clients, the servers' processes, executions. `ebbtide-local` keeps one up.
//! Several can run side by side. Linux only: the servers listen on loopback addresses of their own.

pub mod alarms;
pub mod balancer;
pub mod breaking;
pub mod clients;
pub mod cloud;
pub mod demo;
mod directory;
pub mod emulators;
pub mod error;
pub mod execution;
pub mod faults;
mod ground;
pub mod host;
mod http;
pub mod kept;
pub mod ledger;
mod logs;
pub mod machines;
pub mod moto;
pub mod observation;
pub mod options;
pub mod package;
pub mod places;
pub mod ports;
pub mod program;
mod recording;
pub mod redrive;
pub mod report;
mod service;
pub mod signing;
pub mod stack;
pub mod variant;
pub mod venv;
pub mod wait;
pub mod warden;
pub mod witness;
pub mod world;

pub use cloud::LocalCloud;
pub use error::{Error, Result};
pub use execution::{Execution, Standing};
pub use options::{Choice, Options, Progress};

/// The region that everything is in.
pub const REGION: &str = "us-east-1";
