//! The Lambda check-drained.
