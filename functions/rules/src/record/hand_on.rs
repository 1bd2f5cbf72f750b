//! Going on in the next execution, baking or draining: history has an end, and a pipeline's action may end with the bake.
//!
//! The record names the next execution before it is started, so that an execution of that name which exists already is
//! the one that was meant, and no other.

use jiff::Timestamp;

use super::claim::name_of;
use super::decide::{Made, Say, ends};
use super::release::rolled_back;
use super::{
    Answer, Ask, Course, Doing, Ended, Next, Outcome, Owner, Phase, Record, Refused, outcome,
};
use crate::document::Document;
use crate::plan::Recorded;
use crate::shape::Fence;

/// Names the next execution.
pub(super) fn decide(record: &Record, ask: &Ask, now: Timestamp) -> Result<Made, Refused> {
    let fence = ask.document.fence()?;
    let mut next = record.clone();
    let Some((owner, course, plan)) = held_by(&mut next, &fence) else {
        return Err(Refused::Superseded(record.superseded(&fence)));
    };
    let successor = successor(&fence, plan, course.part + 1);
    if owner.execution == ask.execution {
        owner.execution = arn_of(&ask.execution, &successor);
    } else if name_of(&owner.execution) != successor {
        return Err(Refused::Superseded(record.superseded(&fence)));
    }
    let ended = Ended {
        outcome: match record.entry_of(&fence.deployment) {
            Some(entry) => entry.outcome.clone(),
            None => Outcome::Promoted,
        },
        deployment: fence.deployment.clone(),
        successor: Some(successor.clone()),
        closed: outcome::closed(&ask.document, Some(course)),
        terminated: outcome::terminated(&ask.document, Some(course)),
    };
    // What was rolled back has ended for the pipeline that waits; what is promoted goes on.
    let word = match ends(&ended.outcome) {
        Next::RolledBack => Next::RolledBack,
        _ => Next::Continued,
    };
    let reason = match &ended.outcome {
        Outcome::RolledBack { reason } => rolled_back(
            &fence.deployment,
            reason,
            &ask.document,
            Some(successor.as_str()),
        ),
        _ => format!("the deployment goes on in execution {successor}"),
    };
    Ok(Say::new(word, Doing::Ended(ended), reason).made(next, &fence, ask, now))
}

/// Lets the execution that the record names go on.
pub(super) fn adopt(record: &Record, ask: &Ask, now: Timestamp) -> Result<Made, Refused> {
    let fence = ask.document.fence()?;
    let doing = resumed(record, &fence, ask)?;
    let mut next = record.clone();
    if let Some((_, course, _)) = held_by(&mut next, &fence) {
        course.next_part();
    }
    Ok(Say::new(Next::Pass, doing, "handed on").made(next, &fence, ask, now))
}

fn resumed(record: &Record, fence: &Fence, ask: &Ask) -> Result<Doing, Refused> {
    let acts = |owner: &Owner| owner.is(fence) && owner.execution == ask.execution;
    if let Some(entry) = record.retiring.iter().find(|entry| acts(&entry.owner)) {
        return Ok(draining(entry, &ask.document));
    }
    let front = record.front.as_ref().filter(|front| acts(&front.owner));
    match front.map(|front| (&front.phase, front.weights)) {
        Some((Phase::Switched, weights)) => Ok(Doing::Watching { weights }),
        _ => Err(Refused::Superseded(record.superseded(fence))),
    }
}

/// What the owner of an entry is about.
pub(super) fn draining(entry: &super::Entry, document: &Document) -> Doing {
    let (environment, moments) = (entry.environment.clone(), entry.moments);
    let waits = document.resume.as_ref();
    if waits.is_some_and(|resumed| !resumed.waiting.is_empty()) {
        Doing::Opening {
            environment,
            moments,
        }
    } else {
        Doing::Draining {
            environment,
            moments,
        }
    }
}

/// What `fence`'s deployment holds: the owner's line, its way, its plan.
fn held_by<'a>(
    record: &'a mut Record,
    fence: &Fence,
) -> Option<(&'a mut Owner, &'a mut Course, &'a Recorded)> {
    if let Some(front) = record.front.as_mut().filter(|front| front.owner.is(fence)) {
        return Some((&mut front.owner, &mut front.course, &front.plan));
    }
    let mut entries = record.retiring.iter_mut();
    let entry = entries.find(|entry| entry.owner.is(fence))?;
    Some((&mut entry.owner, &mut entry.course, &entry.plan))
}

/// The next execution's name: the deployment's, cut to leave room, with what tells it from every other.
fn successor(fence: &Fence, plan: &Recorded, part: u32) -> String {
    let name: String = fence.deployment.chars().take(50).collect();
    format!("{name}-{}-{}-part-{part}", plan.hash, fence.epoch)
}

/// The ARN of another execution of the same state machine.
fn arn_of(execution: &str, name: &str) -> String {
    match execution.rsplit_once(':') {
        Some((machine, _)) => format!("{machine}:{name}"),
        None => name.to_owned(),
    }
}

impl Answer {
    /// The name of the execution that is to be started for this answer, if any.
    pub fn successor(&self) -> Option<&str> {
        match &self.doing {
            Doing::Ended(ended) => ended.successor.as_deref(),
            _ => None,
        }
    }
}
