//! `ebbtide-local demo`: one blue/green deployment of a real stateful service, watched from outside.

pub mod app;
pub mod caller;
mod drawing;
pub mod expectations;
pub mod load;
pub mod observe;
pub mod page;
pub mod progress;
pub mod report;
pub mod rows;
pub mod stages;
pub mod summary;
pub mod timeline;
pub mod tunnels;
