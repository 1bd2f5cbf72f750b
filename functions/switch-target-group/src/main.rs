//! The Lambda switch-target-group.
fn main() {}
