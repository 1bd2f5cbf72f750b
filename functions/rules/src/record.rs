//! The service's record: one front, many drains; and every decision about it.
//!
//! The *front* is the deployment that may move weights, from its claim until its bake, or its rollback, is over. The
//! *retiring* environments are being emptied, each by its own deployment. [`decide`] answers an [`Ask`] with the whole
//! next record and the next step; nothing else changes a record. Owns rule 8: whoever changes AWS is admitted by
//! [`Record::admits`], by the front for front work and by the environment's entry for drain work.

mod alarms;
mod answer;
mod ask;
mod claim;
mod decide;
mod fence;
mod hand_on;
mod outcome;
mod pass;
mod refused;
mod release;
mod stored;
mod take_over;
mod wish;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Environment;
use crate::check::Counts;
use crate::plan::Recorded;
use crate::weights::{Moments, Weights};

pub use crate::plan::Halt;
pub use alarms::{Alarms, Watch};
pub use answer::{Answer, Doing, Ended, Next};
pub use ask::{Ask, Execution, Facts, Key, Kind, Wants, wants};
pub use decide::{Decision, decide, decide_in};
pub use fence::{Superseded, Work};
pub use outcome::{Outcome, OutcomeItem};
pub use refused::{InProgress, Refused};
pub use stored::{OUTCOME, RECORD, Unread};
pub use take_over::not_owner;
pub use wish::{Approved, Waits, Wished, Wishes};

/// The shape that this version writes when it claims. A writer keeps the shape that it found; only a claim raises it.
/// In every shape `front.owner` and `retiring[].owner`, with `deployment` and `epoch` in them, stay where they are.
pub const SHAPE: u32 = 1;
/// How long a call whose outcome nobody knows may still arrive: the longest function time-out, and a margin.
pub const LATE_SECONDS: i64 = 75;
/// Answers that are kept of deployments that hold nothing any more: a lost reply is asked for again within minutes.
const ANSWERS_KEPT: usize = 8;

/// Who serves, who retires, and for whom. A service never deployed has none: that is the default, free and at epoch 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// How the rest is to be read.
    pub shape: u32,
    /// Grows with every write; a write is made only on the revision that it was decided on.
    pub revision: u64,
    /// The highest fencing number ever given; it grows with every claim, take-over and rollback.
    pub epoch: u64,
    /// The deployment that may move weights; none when the next one may claim.
    #[serde(default)]
    pub front: Option<Front>,
    /// The environments that are being emptied, or are gone and still named by the forward action.
    #[serde(default)]
    pub retiring: Vec<Entry>,
    /// The last answer to each execution, the newest last.
    #[serde(default)]
    pub answers: Vec<Answered>,
    /// How the last deployment that ended did.
    #[serde(default)]
    pub last: Option<Outcome>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            shape: SHAPE,
            revision: 0,
            epoch: 0,
            front: None,
            retiring: Vec::new(),
            answers: Vec::new(),
            last: None,
        }
    }
}

/// A deployment, the execution that acts for it, and the epoch that it acts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The deployment's name: that of its first execution.
    pub deployment: String,
    /// The ARN of the execution that acts for it now.
    pub execution: String,
    /// Its fencing number.
    pub epoch: u64,
}

/// The deployment that may move weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Front {
    /// Whose it is.
    pub owner: Owner,
    /// How far it is.
    pub phase: Phase,
    /// What it does.
    pub plan: Recorded,
    /// The shares that its two environments shall have now.
    pub weights: Weights,
    /// Its way so far.
    pub course: Course,
    /// What operators wish of it.
    #[serde(default)]
    pub wishes: Wishes,
    /// What a person has to say something to before it goes on.
    #[serde(default)]
    pub waits: Option<Waits>,
}

/// How far the front's deployment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Phase {
    /// Another deployment ended before its switch, and its green is being ended; then this one plans.
    Superseding {
        /// What is cleared away.
        clearing: Clearing,
    },
    /// Green is attached, launched and tested; it has never had weight.
    Claimed,
    /// Green may have weight: the steps and the bake.
    Switched,
    /// Blue is opened and gets the weight back; then green retires.
    RollingBack {
        /// Why.
        reason: String,
    },
    /// Its drain has ended while nobody held the front: the group leaves the forward action.
    Detaching {
        /// The environment that is gone.
        environment: Environment,
    },
}

impl Phase {
    /// The phase in a word, for people.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Superseding { .. } => "superseding",
            Self::Claimed => "claimed",
            Self::Switched => "switched",
            Self::RollingBack { .. } => "rollingBack",
            Self::Detaching { .. } => "detaching",
        }
    }
}

/// The green of a deployment that was superseded, and the blue that it may have held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clearing {
    /// Whose instances they are.
    pub deployment: String,
    /// What served.
    pub blue: Environment,
    /// What never served.
    pub green: Environment,
    /// The version that its Auto Scaling group named before that deployment; none of plain instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub green_version: Option<String>,
    /// The listeners of that deployment's plan.
    #[serde(default)]
    pub listeners: Vec<String>,
}

/// An environment that is being emptied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which.
    pub environment: Environment,
    /// Who empties it.
    pub owner: Owner,
    /// Whether it still may hold sessions.
    pub state: State,
    /// How its deployment ends once it is gone.
    pub outcome: Outcome,
    /// What the deployment does.
    pub plan: Recorded,
    /// Its way so far.
    pub course: Course,
    /// From when on it may be drained, and by when that has to be over.
    pub moments: Moments,
}

/// Whether a retiring environment still may hold sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Its servers are being emptied and ended.
    Draining,
    /// Every server has ended; the forward action may still name its group.
    Gone,
}

/// A deployment's way so far; it travels with it from the front to the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// When it claimed the front.
    pub claimed_at: Timestamp,
    /// When the intent to move weight was written.
    #[serde(default)]
    pub switched_at: Option<Timestamp>,
    /// When its bake ended; never for one that did not bake.
    #[serde(default)]
    pub baked_at: Option<Timestamp>,
    /// Which of its executions acts, from 1.
    pub part: u32,
    /// Passes that this execution has made.
    pub passes: u32,
    /// Passes in all.
    pub total: u32,
    /// Redrives of this execution that were seen.
    pub redrives: u64,
    /// How often somebody else had moved the weights, and they were set right.
    #[serde(default)]
    pub repairs: u32,
    /// Until when a call whose outcome nobody knows may still arrive.
    #[serde(default)]
    pub unanswered_until: Option<Timestamp>,
    /// Up to when alarms were looked at.
    #[serde(default)]
    pub alarms_seen_at: Option<Timestamp>,
    /// What the last pass saw.
    #[serde(default)]
    pub progress: Option<Progress>,
}

/// What the last pass saw, for people and for those who follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// When.
    pub at: Timestamp,
    /// What the servers of the environment that retires held.
    pub counts: Counts,
    /// What is being waited for.
    pub waiting_for: String,
    /// When no session will be left, as far as that can be told.
    pub forecast: String,
    /// How many instances were ended so far.
    #[serde(default)]
    pub terminated: usize,
}

/// The last answer to an execution: the same ask gets the same answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// For which deployment it asked.
    pub deployment: String,
    /// What was asked, and when in its execution.
    pub key: Key,
    /// What was answered.
    pub answer: Answer,
}

impl Record {
    /// The entry of an environment.
    pub fn entry(&self, environment: &Environment) -> Option<&Entry> {
        self.retiring
            .iter()
            .find(|entry| entry.environment == *environment)
    }

    /// The entry that `deployment` empties.
    pub fn entry_of(&self, deployment: &str) -> Option<&Entry> {
        self.retiring
            .iter()
            .find(|entry| entry.owner.deployment == deployment)
    }

    /// The front, if `deployment` holds it.
    pub fn front_of(&self, deployment: &str) -> Option<&Front> {
        self.front
            .as_ref()
            .filter(|front| front.owner.deployment == deployment)
    }

    /// The environments that the forward action names at weight 0 beside the front's pair.
    pub fn draining(&self) -> impl Iterator<Item = &Environment> {
        let draining = self
            .retiring
            .iter()
            .filter(|entry| entry.state == State::Draining);
        draining.map(|entry| &entry.environment)
    }

    /// The last answer to an execution.
    fn answered(&self, execution: &str) -> Option<&Answered> {
        self.answers
            .iter()
            .find(|answered| answered.key.execution == execution)
    }

    /// Keeps the answer, and drops the oldest of executions that do not act any more.
    fn remember(&mut self, deployment: &str, key: Key, answer: &Answer) {
        self.answers.retain(|it| it.key.execution != key.execution);
        self.answers.push(Answered {
            deployment: deployment.to_owned(),
            key,
            answer: answer.clone(),
        });
        while self.answers.len() > ANSWERS_KEPT {
            let Some(oldest) = self.answers.iter().position(|it| !self.acts(&it.key)) else {
                return;
            };
            self.answers.remove(oldest);
        }
    }

    /// Whether it names the execution of that name as one that acts, or is to.
    pub fn is_acted_for_by(&self, name: &str) -> bool {
        self.owners()
            .any(|owner| claim::name_of(&owner.execution) == name)
    }

    fn acts(&self, key: &Key) -> bool {
        self.owners().any(|owner| owner.execution == key.execution)
    }

    fn owners(&self) -> impl Iterator<Item = &Owner> {
        let front = self.front.iter().map(|front| &front.owner);
        front.chain(self.retiring.iter().map(|entry| &entry.owner))
    }
}

impl Course {
    /// Of a deployment that claims now.
    pub fn begun(now: Timestamp) -> Self {
        Self {
            claimed_at: now,
            switched_at: None,
            baked_at: None,
            part: 1,
            passes: 0,
            total: 0,
            redrives: 0,
            repairs: 0,
            unanswered_until: None,
            alarms_seen_at: None,
            progress: None,
        }
    }

    /// Of the same deployment, whose next execution begins.
    pub(crate) fn next_part(&mut self) {
        self.passes = 0;
        self.redrives = 0;
        self.part += 1;
    }

    /// Until when the one that acts must stay, if a call may still arrive now, or could when it last began to look: what
    /// it has seen since then may have been changed after it looked. `looked_since` is from when on it
    /// has looked at everything that it knows.
    pub(crate) fn unquiet(&self, looked_since: Option<Timestamp>) -> Option<Timestamp> {
        let until = self.unanswered_until?;
        let seen_after = looked_since.is_some_and(|since| since >= until);
        (!seen_after).then_some(until)
    }
}
