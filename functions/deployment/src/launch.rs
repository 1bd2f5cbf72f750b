//! What is missing of green.
