//! The Lambda hold-blue.
fn main() {}
