//! What an ask is answered: the next step in one word, and what the next states need.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Clearing, Outcome};
use crate::Environment;
use crate::weights::{Moments, Weights};

/// The answer of `keep-record`; the document's `record`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// What follows.
    pub next: Next,
    /// How many answers the deployment has had.
    pub turn: u64,
    /// The deployment's fencing number.
    pub epoch: u64,
    /// When it was given.
    pub at: Timestamp,
    /// How long to wait before that, in seconds; 0 where nothing waits.
    pub wait_seconds: u64,
    /// Why.
    pub reason: String,
    /// What the deployment is about from here on.
    pub doing: Doing,
}

impl Answer {
    /// From when on its execution looks again: when it was given, and where the definition waits first, after the wait.
    pub fn looks_from(&self) -> Timestamp {
        let waits = matches!(
            self.next,
            Next::Wait | Next::WaitOut | Next::Return | Next::Detach
        );
        let wait = if waits { self.wait_seconds } else { 0 };
        let wait = SignedDuration::from_secs(i64::try_from(wait).unwrap_or(i64::MAX));
        self.at.checked_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// The next step, in the word that the definition's Choices compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Next {
    /// Show the plan and end: a dry run.
    Show,
    /// End: another execution was told a wish.
    Told,
    /// Wait until calls of the one whose place was taken cannot arrive any more.
    WaitOut,
    /// Attach and launch green.
    Launch,
    /// End green, which never served.
    Reject,
    /// Plan again: what was in the way is cleared.
    Plan,
    /// Begin a pass at once.
    Pass,
    /// Begin a pass after the wait.
    Wait,
    /// End what has sealed in this pass.
    Terminate,
    /// Open blue and give it the weight back.
    RollBack,
    /// Look once more, after the wait, whether blue has its weight and is let go.
    Return,
    /// Let the next execution go on.
    HandOn,
    /// Take what is gone out of the forward action, after the wait.
    Detach,
    /// End: the drain goes on in another execution.
    Continued,
    /// End: green never served.
    GreenRejected,
    /// End: green serves and blue is gone.
    Promoted,
    /// End: blue serves and green is gone, or is drained by another execution.
    RolledBack,
}

/// What a deployment is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Doing {
    /// It holds nothing.
    Nothing,
    /// It ends another's green before it plans.
    Clearing(Clearing),
    /// It launches and tests green.
    Launching,
    /// It ends its own green, which never served.
    Rejecting,
    /// Steps and bake: weights and alarms are watched.
    Watching {
        /// The shares that the two environments shall have.
        weights: Weights,
    },
    /// It was taken over on the way back: blue's servers have to be listed before they are opened.
    Reopening {
        /// How many of them have to be open before the weights move.
        minimum_open: u32,
    },
    /// It opens blue and gives it the weight back; green is held.
    Returning {
        /// How many blue servers have to be open before the weights move; none once they have.
        minimum_open: u32,
    },
    /// It empties an environment.
    Draining {
        /// Which.
        environment: Environment,
        /// From when on, and by when.
        moments: Moments,
    },
    /// It empties green after a rollback, while some of blue's servers are not open again.
    Opening {
        /// What it empties.
        environment: Environment,
        /// From when on, and by when.
        moments: Moments,
    },
    /// It takes what is gone out of the forward action.
    Detaching {
        /// How its drain has ended.
        outcome: Outcome,
    },
    /// It has ended.
    Ended(Ended),
}

/// How an execution ended; the output of its Succeed state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The deployment.
    pub deployment: String,
    /// The name of the execution that goes on; none where nothing does.
    pub successor: Option<String>,
    /// Idle sessions that were asked to move.
    pub closed: u64,
    /// Instances that were ended.
    pub terminated: usize,
}
