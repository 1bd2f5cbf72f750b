//! How a retiring environment is held and listed.
