//! Which known word was probably meant.
