//! The Lambda check-drained.
fn main() {}
