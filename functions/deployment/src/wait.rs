//! How long to wait between passes.
