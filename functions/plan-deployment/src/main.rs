//! The Lambda plan-deployment.
fn main() {}
