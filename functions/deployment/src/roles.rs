//! Which environment is blue.
