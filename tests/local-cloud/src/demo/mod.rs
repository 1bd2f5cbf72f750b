//! `ebbtide-local demo`: one blue/green deployment of a real stateful service, watched from outside.

pub mod expectations;
pub mod observe;
pub mod page;
pub mod report;
pub mod rows;
pub mod stages;
pub mod timeline;
