//! The Lambda terminate-blue.
