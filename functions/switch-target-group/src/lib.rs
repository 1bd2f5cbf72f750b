//! The Lambda switch-target-group.
