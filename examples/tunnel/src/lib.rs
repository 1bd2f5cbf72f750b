//! A service that gives private applications a public path through a WebSocket tunnel.
//!
//! It is the stateful service that Ebbtide's demonstration deploys, and a model for anybody's own: what to copy from
//! it is said in README.md. [`server`] is the service, [`client`] is what customers run, [`admission`] is the state
//! that lets a server prove that it holds no session.

pub mod admission;
pub mod client;
pub mod close;
mod link;
mod net;
pub mod server;
mod sync;
