//! How fast idle sessions are closed.
