//! What one look at green leaves to the next: what was ordered and is not seen, and which client tokens are in use.
//!
//! A client token launches once, and is spent for a day when what it launched has ended (EC2's developer guide, "Ensuring
//! idempotency": `IdempotentInstanceTerminated`). EC2 forgets what has ended after an hour. So a redrive of the next day
//! could ask for good for what nobody will see: an order that stays unseen gets tokens of a new generation.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Launch;

/// How long after a launch EC2 may still not show what it launched: "up to a few minutes" in its developer guide,
/// "Eventual consistency". Far less than the hour for which it shows what has ended.
pub const UNSEEN_SECONDS: u32 = 300;

/// How many generations of tokens are tried before green is given up.
pub const MOST_GENERATIONS: u32 = 3;

/// What one look at green leaves to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launching {
    /// Which generation of client tokens is in use, from 0.
    pub generation: u32,
    /// What was ordered and is not seen; none when nothing lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
}

/// Launches that were ordered, and of which EC2 shows nothing yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unseen {
    /// Which, in words: another order begins to count anew.
    pub launches: String,
    /// Since when.
    pub since: Timestamp,
}

impl Launching {
    /// What is left after a look that orders `launches`.
    pub(super) fn after(&self, launches: &[Launch], now: Timestamp) -> Self {
        if launches.is_empty() {
            return Self {
                unseen: None,
                ..self.clone()
            };
        }
        let words = launches.iter().map(ToString::to_string);
        let launches = words.collect::<Vec<_>>().join(", ");
        let anew = |generation| Self {
            generation,
            unseen: Some(Unseen {
                launches: launches.clone(),
                since: now,
            }),
        };
        match &self.unseen {
            Some(unseen) if unseen.launches != launches => anew(self.generation),
            None => anew(self.generation),
            Some(unseen) if is_spent(unseen, now) => anew(self.generation + 1),
            Some(_) => self.clone(),
        }
    }

    /// Whether as many generations were tried as there are.
    pub(super) fn is_over(&self) -> bool {
        self.generation >= MOST_GENERATIONS
    }
}

fn is_spent(unseen: &Unseen, now: Timestamp) -> bool {
    now.duration_since(unseen.since) > SignedDuration::from_secs(i64::from(UNSEEN_SECONDS))
}

impl std::fmt::Display for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} ({})", self.count, self.subnet, self.index)
    }
}
