//! The Lambda terminate-blue.
fn main() {}
