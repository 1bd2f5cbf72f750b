//! The Lambda test-green.
fn main() {}
