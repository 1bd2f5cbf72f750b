//! Nothing of its own: this package holds tests.
