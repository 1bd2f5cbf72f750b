//! The Lambda launch-green.
fn main() {}
