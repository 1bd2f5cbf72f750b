//! The Lambda test-green.
