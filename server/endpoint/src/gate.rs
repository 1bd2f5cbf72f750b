//! What keeps sessions out where the server itself cannot: a kernel's rules, before a server that nobody changes.
//!
//! Owns nothing. Control has the gate follow admission, and asks it before a seal; the answers over HTTP count by it.

use crate::admission::Mode;
use crate::order::Refused;
use crate::sessions::{Count, Sessions};

/// It cannot be told what is in use, or whether new work is kept out. Answered with 500, never with a guess.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

/// Admission that is enforced outside of this process, and sessions that are counted there. All but what [`Sessions`] has
/// may block: they are called in tasks that may.
pub trait Gate: Sessions {
    /// Whose the gate is, as reports say it: name and version.
    fn agent(&self) -> &'static str;

    /// Keeps everything out, and then counts: when this returns, nothing is in use, and nothing comes in until
    /// [`Gate::set`], or until a time has passed that is the gate's own. The first half of a seal.
    ///
    /// # Errors
    /// [`crate::Refusal::InUse`] if something is in use, and then nothing is kept out that was not before; and whatever
    /// kept it from finding out.
    fn shut(&self) -> Result<(), Refused>;

    /// Follows admission, before an order is acknowledged: lets new sessions in if it is open, and refuses them otherwise.
    /// `Sealed` refuses everything for good, and only if nothing has come in since [`Gate::shut`]: a gate that cannot tell
    /// shuts again.
    ///
    /// # Errors
    /// When that cannot be done; for `Sealed` also if something is in use, and then new sessions are refused on as while
    /// `Sealing`, until a seal succeeds.
    fn set(&self, mode: Mode) -> Result<(), Refused>;

    /// How many sessions there are now, if what was set last is still enforced.
    ///
    /// # Errors
    /// When it is not, or either cannot be told.
    fn look(&self) -> Result<Count, Unknown>;
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "gate_tests.rs"]
mod tests;
