//! From when on a retiring environment may be drained, and sealed, and by when that has to be over.

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use serde::{Deserialize, Serialize};

use super::Weights;
use crate::plan::Policy;

/// The moments that count from when weights were first confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moments {
    /// When the wanted weights were first confirmed.
    pub at: Timestamp,
    /// From when on sessions may be drained; none in a step.
    pub settled_at: Option<Timestamp>,
    /// From when on servers may be sealed; none in a step.
    pub baked_at: Option<Timestamp>,
    /// When the drain fails with an alert; none in a step.
    pub deadline_at: Option<Timestamp>,
    /// When a step may be followed by the next one; none when one environment has all the weight.
    pub step_ends_at: Option<Timestamp>,
}

/// How long what follows a change of weights takes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// How long a step lasts.
    pub step: u32,
    /// How long nothing is drained.
    pub settle: u32,
    /// How long both environments run.
    pub bake: u32,
    /// How long the drain may take.
    pub deadline: u32,
}

impl Spans {
    /// Those of a deployment's policy. What a rollback gave back is not watched: the way forward is closed.
    pub fn of(policy: &Policy, back: bool) -> Self {
        Self {
            step: policy.step_seconds,
            settle: policy.settle_seconds,
            bake: if back { 0 } else { policy.bake_seconds },
            deadline: policy.deadline_seconds,
        }
    }
}

impl Moments {
    /// The same, but nothing is settled before `late`: until then a call may arrive that gives weight back.
    pub fn not_before(self, late: Option<Timestamp>) -> Self {
        Self {
            settled_at: self
                .settled_at
                .max(late.filter(|_| self.settled_at.is_some())),
            ..self
        }
    }

    /// The same, but settled when `repaired` is.
    pub(super) fn settling_by(self, repaired: Self) -> Self {
        Self {
            settled_at: repaired.settled_at,
            ..self
        }
    }

    /// Counts from the first whole second at or after `at`, so that none of them is early: every JSONata engine reads whole
    /// seconds. A moment beyond the calendar is its end.
    pub fn count(at: Timestamp, weights: Weights, spans: &Spans) -> Self {
        let whole = TimestampRound::new()
            .smallest(Unit::Second)
            .mode(RoundMode::Ceil);
        let at = at.round(whole).unwrap_or(at);
        let after = |seconds: u32| {
            at.checked_add(SignedDuration::from_secs(i64::from(seconds)))
                .unwrap_or(Timestamp::MAX)
        };
        let step = weights.is_step();
        let settled = |seconds: u32| (!step).then(|| after(seconds));
        Self {
            at,
            settled_at: settled(spans.settle),
            baked_at: settled(spans.bake),
            deadline_at: settled(spans.deadline),
            step_ends_at: step.then(|| after(spans.step)),
        }
    }
}
