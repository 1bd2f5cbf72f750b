//! The Lambda drain-idle.
fn main() {}
