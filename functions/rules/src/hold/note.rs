//! What holding took from an environment: noted in tags before it is taken, so that a repeat, a redrive or a take-over
//! knows what to give back, and what was so before.
//!
//! A note outlives its deployment: one that is superseded leaves it to the next.

use super::SUSPENDED;
use crate::scaling::ScalingGroup;

/// On an Auto Scaling group: which of its processes holding suspended, for which environment, by which deployment.
pub const SUSPENDED_TAG: &str = "ebbtide:suspended";
/// On an instance: the deployment that protected it from scale-in.
pub const PROTECTED_TAG: &str = "ebbtide:protected";

/// What was noted on an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// The deployment that noted it last.
    pub deployment: String,
    /// The name of the environment that it held.
    pub environment: String,
    /// The processes that were not suspended before.
    pub processes: Vec<String>,
}

impl Note {
    /// Reads a tag's value. Whatever holding never suspends is not read: a damaged note gives back less, never more.
    pub fn parse(value: &str) -> Self {
        let mut words = value.split(' ').map(str::to_owned);
        Self {
            deployment: words.next().unwrap_or_default(),
            environment: words.next().unwrap_or_default(),
            processes: words
                .filter(|word| SUSPENDED.contains(&word.as_str()))
                .collect(),
        }
    }

    /// The tag's value. Neither an execution's name nor a target group's has a space, and all of it stays below the 256
    /// characters that a tag takes.
    pub fn value(&self) -> String {
        let mut value = format!("{} {}", self.deployment, self.environment);
        for process in &self.processes {
            value.push(' ');
            value.push_str(process);
        }
        value
    }
}

impl ScalingGroup {
    /// What was noted on it, if anything.
    pub fn note(&self) -> Option<Note> {
        self.tags.get(SUSPENDED_TAG).map(|value| Note::parse(value))
    }
}
