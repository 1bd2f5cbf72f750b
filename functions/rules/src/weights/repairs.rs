//! How often somebody else moved the weights, and when that is a fight that nobody wins.
//!
//! A controller or an apply that owns the listener may set its own weights again and again. Each time users are sent to
//! the wrong servers for a while; so it is set right a few times, told, and then left to an operator.

use serde::{Deserialize, Serialize};

use super::{Refusal, Serving, Switched, Wanted, Weights, words};
use crate::observed::Forward;

/// How often weights are set right before an operator is called, between two redrives.
pub const MOST_REPAIRS: u32 = 3;

/// How often the weights were found moved and were set right, at one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repairs {
    /// In all.
    pub total: u32,
    /// Since the execution was redriven last.
    pub since_redrive: u32,
    /// How often it had been redriven then.
    pub redrives: u64,
    /// Whether this call set them right.
    pub repaired: bool,
    /// What was found last.
    pub found: String,
}

impl Repairs {
    /// Those of the calls before this one, which confirmed `former` at the same epoch.
    pub fn before(former: Option<&Switched>) -> Self {
        former.map_or_else(Self::default, |former| Self {
            repaired: false,
            ..former.repairs.clone()
        })
    }

    /// Counts the repair that a change from `found` is: of weights that this epoch has confirmed already, and that are not
    /// there any more.
    ///
    /// # Errors
    /// [`Refusal::Contested`], before anything is changed.
    pub fn count(
        mut self,
        former: Option<&Switched>,
        wanted: &Wanted,
        found: &Forward,
        redrives: u64,
    ) -> Result<Self, Refusal> {
        if self.redrives != redrives {
            self.redrives = redrives;
            self.since_redrive = 0;
        }
        if !former.is_some_and(|former| wanted.is_for(former.weights)) {
            return Ok(self);
        }
        if self.since_redrive >= MOST_REPAIRS {
            return Err(Refusal::Contested {
                repairs: self.since_redrive,
                wanted: words(&wanted.groups(found)),
                found: words(&found.groups),
            });
        }
        self.total += 1;
        self.since_redrive += 1;
        self.repaired = true;
        self.found = words(&found.groups);
        Ok(self)
    }

    /// For the operator's eye; none where nobody moved anything.
    pub fn sentence(&self) -> Option<String> {
        let times = match self.total {
            0 => return None,
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        Some(format!(
            "weights that somebody else moves (set right {times}, last found {})",
            self.found
        ))
    }
}

impl Wanted {
    /// Whether it wants of the front's pair what was confirmed before.
    fn is_for(&self, confirmed: Weights) -> bool {
        matches!(self.serving, Serving::Pair { weights, .. } if weights == confirmed)
    }
}
