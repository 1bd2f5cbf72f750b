//! A failure that Step Functions can tell apart: a name from the one list, and a cause a person can act on.

use std::fmt::Display;

use ebbtide_rules::ErrorName;

/// A handler's error. Its `Display` becomes the execution's Cause: say what happened and what to do, never a secret.
pub trait Failure: Display {
    /// The name that `ErrorEquals` matches.
    fn name(&self) -> ErrorName;
}
