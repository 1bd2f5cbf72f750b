//! A stack's defaults.
