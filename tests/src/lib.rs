//! Definition checks and whole-workflow scenarios.
