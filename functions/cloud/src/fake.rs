//! An AWS in memory.
