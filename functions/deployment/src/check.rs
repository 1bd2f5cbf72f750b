//! When a retiring environment is drained.
