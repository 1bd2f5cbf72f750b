//! Which instances may be ended.
