//! The one decision about the record: [`decide`].

use jiff::Timestamp;

use super::{
    Answer, Ask, Doing, Facts, Kind, Next, Outcome, OutcomeItem, Record, Refused, SHAPE, claim,
    hand_on, pass, release,
};
use crate::shape::Fence;

/// What came of an ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The whole next record; as it was where nothing is to be written.
    pub record: Record,
    /// The answer.
    pub answer: Answer,
    /// What is written with the record, or not at all.
    pub outcome: Option<OutcomeItem>,
}

/// Answers `ask`, which came in now, by the record and the facts.
///
/// The same ask gets the same answer for as long as its deployment's owner and epoch hold, and for ever where the answer
/// was that its execution ends: a reply that was lost advances nothing and counts nothing twice.
///
/// # Errors
/// [`Refused`]; nothing is to be written then.
pub fn decide(
    record: &Record,
    ask: &Ask,
    facts: &Facts,
    now: Timestamp,
) -> Result<Decision, Refused> {
    decide_in(SHAPE, record, ask, facts, now)
}

/// As [`decide`], for code that writes records of this shape: the next version of Ebbtide, of which nothing else is known.
///
/// # Errors
/// [`Refused`]; nothing is to be written then.
pub fn decide_in(
    shape: u32,
    record: &Record,
    ask: &Ask,
    facts: &Facts,
    now: Timestamp,
) -> Result<Decision, Refused> {
    if record.shape > shape {
        return Err(Refused::newer(record.shape, shape, ask));
    }
    if let Some(answer) = same_answer(record, ask) {
        return Ok(Decision {
            record: record.clone(),
            answer,
            outcome: None,
        });
    }
    refuse_late(record, ask)?;
    let mut made = match ask.kind {
        Kind::Claim => claim::decide(record, ask, facts, now)?,
        Kind::Switch => claim::switch(record, ask, facts, now)?,
        Kind::Pass => pass::decide(record, ask, facts, now)?,
        Kind::Adopt => hand_on::adopt(record, ask, now)?,
        Kind::HandOn => hand_on::decide(record, ask, now)?,
        Kind::Release => release::decide(record, ask, now)?,
    };
    // A new epoch of a claim is the only moment at which everybody who acts is of the version that writes.
    if ask.kind == Kind::Claim && made.record.epoch > record.epoch {
        made.record.shape = shape;
    }
    // A dry run writes nothing; every other answer is kept, so that it can be given again.
    if made.answer.next != Next::Show {
        made.record.revision = record.revision + 1;
        let deployment = made.deployment.as_str();
        made.record.remember(deployment, ask.key(), &made.answer);
    }
    Ok(Decision {
        record: made.record,
        answer: made.answer,
        outcome: made.outcome,
    })
}

/// What a kind of ask makes of the record.
pub(super) struct Made {
    /// The next record, without its revision.
    pub(super) record: Record,
    /// The answer.
    pub(super) answer: Answer,
    /// What is written with it.
    pub(super) outcome: Option<OutcomeItem>,
    /// Whose answer it is.
    pub(super) deployment: String,
}

/// An answer in the making.
pub(super) struct Say {
    pub(super) next: Next,
    pub(super) doing: Doing,
    pub(super) wait_seconds: u64,
    pub(super) reason: String,
}

impl Say {
    pub(super) fn new(next: Next, doing: Doing, reason: impl Into<String>) -> Self {
        Self {
            next,
            doing,
            wait_seconds: 0,
            reason: reason.into(),
        }
    }

    pub(super) fn after(self, wait_seconds: u64) -> Self {
        Self {
            wait_seconds,
            ..self
        }
    }

    /// The answer to `ask`, for a deployment that acts with `fence` from here on.
    pub(super) fn made(self, record: Record, fence: &Fence, ask: &Ask, now: Timestamp) -> Made {
        Made {
            record,
            answer: Answer {
                next: self.next,
                turn: ask.document.turn() + 1,
                epoch: fence.epoch,
                at: now,
                wait_seconds: self.wait_seconds,
                reason: self.reason,
                doing: self.doing,
            },
            outcome: None,
            deployment: fence.deployment.clone(),
        }
    }
}

/// An ask that comes late, after its execution has been answered a later one, changes nothing. A claim is known to be
/// late by the epoch that its plan saw.
fn refuse_late(record: &Record, ask: &Ask) -> Result<(), Refused> {
    let key = ask.key();
    let last = record.answered(&ask.execution);
    let late = last.is_some_and(|last| key.turn < last.key.turn);
    if late && ask.kind != Kind::Claim {
        return Err(Refused::Superseded(
            record.superseded(&ask.document.fence()?),
        ));
    }
    Ok(())
}

/// The last answer to the execution, if it was to this very ask and its deployment still acts with that epoch. Whoever
/// was told that it ends is told so again, whatever became of the execution that it handed on to.
fn same_answer(record: &Record, ask: &Ask) -> Option<Answer> {
    let last = record.answered(&ask.execution)?;
    if last.key != ask.key() {
        return None;
    }
    let deployment = &last.deployment;
    let owner = record
        .front_of(deployment)
        .map(|front| &front.owner)
        .or(record.entry_of(deployment).map(|entry| &entry.owner));
    let holds = match (&last.answer.doing, owner) {
        (Doing::Ended(_), _) | (Doing::Nothing, None) => true,
        (_, owner) => owner.is_some_and(|owner| owner.epoch == last.answer.epoch),
    };
    holds.then(|| last.answer.clone())
}

/// The word for how a deployment ended.
pub(super) fn ends(outcome: &Outcome) -> Next {
    match outcome {
        Outcome::Promoted => Next::Promoted,
        Outcome::RolledBack { .. } => Next::RolledBack,
        Outcome::GreenRejected { .. } => Next::GreenRejected,
    }
}
