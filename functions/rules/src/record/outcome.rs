//! How a deployment ended, in the record and in an item of its own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Course, Owner};
use crate::document::Document;

/// How a deployment ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Outcome {
    /// Green serves, blue is gone.
    Promoted,
    /// Blue serves, green is gone.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// Green never served and is gone.
    GreenRejected {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// The outcome in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Promoted => "Promoted",
            Self::RolledBack { .. } => "RolledBack",
            Self::GreenRejected { .. } => "GreenRejected",
        }
    }

    /// Why.
    pub fn reason(&self) -> String {
        match self {
            Self::Promoted => "green serves, blue is gone".to_owned(),
            Self::RolledBack { reason } | Self::GreenRejected { reason } => reason.clone(),
        }
    }
}

/// The item that outlives the deployment; it is written with the record that lets the deployment go, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeItem {
    /// The deployment.
    pub deployment: String,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// Its epoch at the end.
    pub epoch: u64,
    /// The execution that ended it.
    pub execution: String,
    /// When it claimed.
    pub claimed_at: Timestamp,
    /// When the intent to move weight was written.
    pub switched_at: Option<Timestamp>,
    /// When its bake ended.
    pub baked_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How long it took, in seconds.
    pub seconds: i64,
    /// Idle sessions that were asked to move.
    pub closed: u64,
    /// Instances that were ended.
    pub terminated: usize,
    /// Its passes.
    pub passes: u32,
    /// Its executions.
    pub parts: u32,
}

impl OutcomeItem {
    pub(super) fn new(
        owner: &Owner,
        course: &Course,
        outcome: &Outcome,
        document: &Document,
        now: Timestamp,
    ) -> Self {
        Self {
            deployment: owner.deployment.clone(),
            outcome: outcome.word().to_owned(),
            reason: outcome.reason(),
            epoch: owner.epoch,
            execution: owner.execution.clone(),
            claimed_at: course.claimed_at,
            switched_at: course.switched_at,
            baked_at: course.baked_at,
            ended_at: now,
            seconds: now.duration_since(course.claimed_at).as_secs(),
            closed: closed(document, Some(course)),
            terminated: terminated(document, Some(course)),
            passes: course.total,
            parts: course.part,
        }
    }
}

/// Idle sessions that were asked to move: by the document, or by the record, which knows of executions that were taken
/// over.
pub(super) fn closed(document: &Document, course: Option<&Course>) -> u64 {
    let checked = document.check.as_ref();
    let closed = checked.map_or(0, |check| check.counts.closed);
    let recorded = course.and_then(|course| course.progress.as_ref());
    closed.max(recorded.map_or(0, |progress| progress.counts.closed))
}

/// Instances that were ended, by the one or the other.
pub(super) fn terminated(document: &Document, course: Option<&Course>) -> usize {
    let ended = document.terminate.as_ref().or(document.rejected.as_ref());
    let ended = ended.map_or(0, |ended| ended.terminated.len());
    let recorded = course.and_then(|course| course.progress.as_ref());
    ended.max(recorded.map_or(0, |progress| progress.terminated))
}
