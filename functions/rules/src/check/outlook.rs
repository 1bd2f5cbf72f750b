//! What a check says of what comes: for what the pass waits, how long, and when no session will be left.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::forecast::Forecast;
use super::{Memory, Question};
use crate::wait;

/// What comes next, as one check sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// Whether rollback is still one step away.
    pub baking: bool,
    /// Whether the load balancer has stopped sending new sessions here.
    pub settled: bool,
    /// Seconds to wait until the next pass.
    pub wait_seconds: u64,
    /// When no session will be left, as far as that can be told.
    pub forecast: Forecast,
    /// What is being waited for, in a sentence.
    pub waiting_for: String,
}

pub(super) fn wait_seconds(memory: &Memory, question: &Question<'_>, now: Timestamp) -> u64 {
    let floor_from = wait::floor_from(
        question.step_ends_at,
        question.step_began_at,
        question.settled_at,
    );
    let baking = question.stage(now).baking;
    let in_group = question.retiring.environment.auto_scaling_group.is_some();
    let longest = wait::longest(baking, question.poll_seconds, in_group);
    let wait = wait::seconds(now, memory.changed_at, floor_from, longest);
    [
        question.step_ends_at,
        question.settled_at,
        question.baked_at,
    ]
    .into_iter()
    .fold(wait, |wait, milestone| wait::until(wait, now, milestone))
}
