//! A failure that Step Functions can tell apart: a name from the one list, and a cause a person can act on.

use std::fmt;

use ebbtide_rules::{ErrorName, Failure};

/// Why a function failed: what every handler answers instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    name: ErrorName,
    cause: String,
}

impl Failed {
    /// A failure under this name; the cause says what happened and what to do, never a secret.
    pub fn new(name: ErrorName, cause: impl Into<String>) -> Self {
        Self {
            name,
            cause: cause.into(),
        }
    }

    /// The name that `ErrorEquals` matches.
    pub fn name(&self) -> ErrorName {
        self.name
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

// Not a `Failure` itself: every failure becomes one.
impl<E: Failure> From<E> for Failed {
    fn from(failure: E) -> Self {
        Self::new(failure.name(), failure.to_string())
    }
}
