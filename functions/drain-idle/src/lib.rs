//! The Lambda drain-idle.
