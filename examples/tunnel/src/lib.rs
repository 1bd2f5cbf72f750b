//! A service that gives private applications a public path through a WebSocket tunnel.
//!
//! It is the stateful service that Ebbtide's demonstration deploys, and an example of `ebbtide-endpoint` in a server that
//! carries more than its own sessions. [`server`] is the service, [`client`] is what customers run.

pub mod client;
pub mod close;
mod link;
mod net;
pub mod server;
mod sync;
