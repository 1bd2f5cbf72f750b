//! The Lambda launch-green.
