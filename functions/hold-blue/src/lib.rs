//! The Lambda hold-blue.
