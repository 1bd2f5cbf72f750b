//! Leaving: an environment that is gone leaves the list, its group the forward action, and the deployment the record.
//!
//! The forward action has one writer. When somebody holds the front, that one leaves the group out of the action; when
//! nobody does, the drain that ends takes the front for that moment. An environment that is gone stays in the list until
//! an action without it is confirmed. The outcome is written with the record that lets the environment go.

use jiff::Timestamp;

use super::decide::{Made, Say, ends};
use super::pass::{forget_gone, named_and_gone, note_unanswered, still_arrives};
use super::{
    Answer, Ask, Course, Doing, Ended, Entry, Front, Next, Outcome, OutcomeItem, Phase, Record,
    Refused, State, Wishes, outcome,
};
use crate::document::{Document, Told};
use crate::shape::Fence;
use crate::terminate::{Terminated, Verdict};
use crate::weights::Switched;

/// How long green that still ends is waited for, in seconds.
const UNTIL_GREEN_ENDS: u64 = 10;

pub(super) fn decide(record: &Record, ask: &Ask, now: Timestamp) -> Result<Made, Refused> {
    let fence = ask.document.fence()?;
    if let Some(front) = record.front_of(&fence.deployment) {
        let front_is_own = front.owner.execution == ask.execution && front.owner.is(&fence);
        if front_is_own {
            let leave = Leave {
                record,
                ask,
                fence: &fence,
                now,
            };
            return leave.front(front);
        }
    }
    let entry = record.entry_of(&fence.deployment);
    let Some(entry) = entry.filter(|entry| entry.owner.execution == ask.execution) else {
        return gone_from_list(record, ask, &fence, now);
    };
    let leave = Leave {
        record,
        ask,
        fence: &fence,
        now,
    };
    leave.list(entry)
}

/// The holder of the front has left the group out of the action meanwhile: there is nothing more to do.
fn gone_from_list(
    record: &Record,
    ask: &Ask,
    fence: &Fence,
    now: Timestamp,
) -> Result<Made, Refused> {
    // The answer that let it detach: the document's, or one that was lost and of which this is the repeat.
    let told = record
        .answered(&ask.execution)
        .filter(|told| told.key == ask.key());
    let told = told.map(|told| &told.answer);
    let answer = ask.document.record.as_ref();
    let detaches = |answer: &&Answer| matches!(answer.doing, Doing::Detaching { .. });
    let answer = told.filter(detaches).or(answer.filter(detaches));
    let Some(Doing::Detaching { outcome }) = answer.map(|answer| &answer.doing) else {
        // Without an answer that let it detach it never owned what it leaves.
        return Err(Refused::Superseded(record.superseded(fence)));
    };
    if record.entry_of(&fence.deployment).is_some() {
        return Err(Refused::Superseded(record.superseded(fence)));
    }
    let ended = ended_as(outcome, fence, &ask.document, None);
    let reason = reason(&ended, &ask.document);
    Ok(Say::new(ends(outcome), Doing::Ended(ended), reason).made(record.clone(), fence, ask, now))
}

struct Leave<'a> {
    record: &'a Record,
    ask: &'a Ask,
    fence: &'a Fence,
    now: Timestamp,
}

impl Leave<'_> {
    fn front(&self, front: &Front) -> Result<Made, Refused> {
        match &front.phase {
            Phase::Detaching { .. } | Phase::Claimed | Phase::Superseding { .. } => {}
            other => {
                return Err(Refused::Misplaced(format!(
                    "asked to leave while {}",
                    other.word()
                )));
            }
        }
        if !matches!(front.phase, Phase::Detaching { .. }) && !is_gone(&self.ask.document.rejected)
        {
            return Err(Refused::Misplaced(
                "asked to leave before green was gone".to_owned(),
            ));
        }
        let confirmed = self.ask.document.detached.as_ref();
        let confirmed = confirmed.filter(|it| it.epoch == self.fence.epoch);
        let Some(confirmed) = confirmed else {
            return Ok(self.detach_first(front));
        };
        let mut next = self.record.clone();
        forget_gone(&mut next, confirmed);
        let course = self.noted(&front.course);
        if let Some(front) = next.front.as_mut() {
            front.course = course.clone();
        }
        if let Some(stay) = must_stay(&next, &course, confirmed, self.ask, self.now) {
            return Ok(self.look_again(next, front, &course, stay));
        }
        if let Phase::Superseding { .. } = front.phase {
            let reason = "what was in the way is cleared";
            return Ok(Say::new(Next::Plan, Doing::Nothing, reason)
                .made(next, self.fence, self.ask, self.now));
        }
        next.front = None;
        if let Some(outcome) = detaching(&self.ask.document) {
            return Ok(self.ends(next, outcome, None));
        }
        let outcome = rejected(&self.ask.document);
        let item = OutcomeItem::new(
            &front.owner,
            &course,
            &outcome,
            &self.ask.document,
            self.now,
        );
        Ok(self.ends(next, &outcome, Some(item)))
    }

    fn list(&self, entry: &Entry) -> Result<Made, Refused> {
        if !entry.owner.is(self.fence) && entry.state == State::Draining {
            return Err(Refused::Superseded(self.record.superseded(self.fence)));
        }
        if entry.state == State::Draining && !is_gone(&self.ask.document.terminate) {
            return Err(Refused::Misplaced(
                "asked to leave before the environment was gone".to_owned(),
            ));
        }
        let course = self.noted(&entry.course);
        let unquiet = course.unquiet(self.ask.looked_since());
        if let (State::Draining, Some(until)) = (entry.state, unquiet) {
            let mut next = self.record.clone();
            set_course(&mut next, entry, &course);
            let wait = seconds_until(self.now, until);
            let doing = super::hand_on::draining(entry, &self.ask.document);
            let reason = still_arrives(until, self.now);
            return Ok(Say::new(Next::Wait, doing, reason)
                .after(wait)
                .made(next, self.fence, self.ask, self.now));
        }
        Ok(self.leave_list(entry, &course))
    }

    /// The environment is gone: its outcome is written; the group is detached by whoever holds the front.
    fn leave_list(&self, entry: &Entry, course: &Course) -> Made {
        let mut next = self.record.clone();
        let mut owner = entry.owner.clone();
        let takes = next.front.is_none();
        if takes {
            next.epoch += 1;
            owner.epoch = next.epoch;
            next.front = Some(Front {
                owner: owner.clone(),
                phase: Phase::Detaching {
                    environment: entry.environment.clone(),
                },
                plan: entry.plan.clone(),
                weights: crate::weights::Weights { blue: 0, green: 0 },
                course: course.clone(),
                wishes: Wishes::default(),
                waits: None,
            });
        }
        for it in &mut next.retiring {
            if it.environment == entry.environment {
                it.state = State::Gone;
                it.owner = owner.clone();
                it.course = course.clone();
            }
        }
        let first = entry.state == State::Draining;
        let item = first.then(|| {
            OutcomeItem::new(&owner, course, &entry.outcome, &self.ask.document, self.now)
        });
        if first {
            next.last = Some(entry.outcome.clone());
        }
        let fence = Fence {
            deployment: owner.deployment,
            epoch: owner.epoch,
        };
        let mut made = if takes {
            let reason = format!(
                "{} is gone, and nobody holds the front: its group is taken out of the forward action",
                entry.environment.name
            );
            let doing = Doing::Detaching {
                outcome: entry.outcome.clone(),
            };
            Say::new(Next::Detach, doing, reason).made(next, &fence, self.ask, self.now)
        } else {
            self.ends(next, &entry.outcome, None)
        };
        made.outcome = item;
        made
    }

    fn noted(&self, course: &Course) -> Course {
        let mut course = course.clone();
        note_unanswered(&mut course, self.ask, self.now);
        course
    }

    /// What the holder of the front is about while it leaves.
    fn leaving(&self, front: &Front) -> Doing {
        match (&front.phase, detaching(&self.ask.document)) {
            (Phase::Superseding { clearing }, _) => Doing::Clearing(clearing.clone()),
            (_, Some(outcome)) => Doing::Detaching {
                outcome: outcome.clone(),
            },
            (_, None) => Doing::Rejecting,
        }
    }

    fn detach_first(&self, front: &Front) -> Made {
        let doing = self.leaving(front);
        let reason = "the forward action has to be set before the front is left";
        Say::new(Next::Detach, doing, reason).made(
            self.record.clone(),
            self.fence,
            self.ask,
            self.now,
        )
    }

    /// One more look after the wait: of a rejection at green and blue as well, of a drain at the action alone.
    fn look_again(&self, next: Record, front: &Front, course: &Course, stay: String) -> Made {
        let until = course.unquiet(self.ask.looked_since());
        let wait = until.map_or(0, |until| {
            seconds_until(self.now, until).max(UNTIL_GREEN_ENDS)
        });
        let follows = match &front.phase {
            Phase::Detaching { .. } => Next::Detach,
            _ => Next::Reject,
        };
        Say::new(follows, self.leaving(front), stay)
            .after(wait)
            .made(next, self.fence, self.ask, self.now)
    }

    fn ends(&self, mut next: Record, outcome: &Outcome, item: Option<OutcomeItem>) -> Made {
        if item.is_some() {
            next.last = Some(outcome.clone());
        }
        let ended = ended_as(outcome, self.fence, &self.ask.document, item.as_ref());
        let reason = reason(&ended, &self.ask.document);
        let say = Say::new(ends(outcome), Doing::Ended(ended), reason);
        let mut made = say.made(next, self.fence, self.ask, self.now);
        made.outcome = item;
        made
    }
}

fn is_gone(ended: &Option<Told<Terminated>>) -> bool {
    let verdict = ended.as_ref().map(|ended| ended.verdict);
    verdict == Some(Verdict::Gone)
}

fn set_course(next: &mut Record, entry: &Entry, course: &Course) {
    for it in &mut next.retiring {
        if it.environment == entry.environment {
            it.course = course.clone();
        }
    }
}

/// How long calls may still arrive, in seconds.
fn seconds_until(now: Timestamp, until: Timestamp) -> u64 {
    if now < until {
        crate::wait::until(300, now, Some(until))
    } else {
        0
    }
}

fn must_stay(
    next: &Record,
    course: &Course,
    confirmed: &Switched,
    ask: &Ask,
    now: Timestamp,
) -> Option<String> {
    if let Some(until) = course.unquiet(ask.looked_since()) {
        return Some(still_arrives(until, now));
    }
    let named = named_and_gone(next, confirmed)?;
    Some(format!(
        "the forward action still names {named}, which is gone"
    ))
}

/// How the drain has ended whose group leaves the forward action.
fn detaching(document: &Document) -> Option<&Outcome> {
    match document.record.as_ref().map(|answer| &answer.doing) {
        Some(Doing::Detaching { outcome }) => Some(outcome),
        _ => None,
    }
}

/// How a deployment ends whose green never served.
fn rejected(document: &Document) -> Outcome {
    let green = document.green.as_ref();
    let launched = green.filter(|green| green.verdict == crate::launch::Verdict::Rejected);
    let reason = document
        .rejection
        .as_ref()
        .map(crate::document::Failure::reason)
        .or(launched.map(|green| green.reason.clone()))
        .or(document.record.as_ref().map(|it| it.reason.clone()))
        .unwrap_or_default();
    Outcome::GreenRejected { reason }
}

fn ended_as(
    outcome: &Outcome,
    fence: &Fence,
    document: &Document,
    item: Option<&OutcomeItem>,
) -> Ended {
    Ended {
        outcome: outcome.clone(),
        deployment: fence.deployment.clone(),
        successor: None,
        closed: item.map_or_else(|| outcome::closed(document, None), |item| item.closed),
        terminated: item.map_or_else(|| outcome::terminated(document, None), |it| it.terminated),
    }
}

fn reason(ended: &Ended, document: &Document) -> String {
    match &ended.outcome {
        Outcome::GreenRejected { reason } => {
            format!("Green was rejected and terminated; traffic never moved. {reason}")
        }
        Outcome::RolledBack { reason } => rolled_back(&ended.deployment, reason, document, None),
        Outcome::Promoted => format!(
            "{}. Idle sessions asked to move: {}; servers ended: {}",
            ended.outcome.reason(),
            ended.closed,
            ended.terminated
        ),
    }
}

/// The cause of a deployment that was rolled back.
pub(super) fn rolled_back(
    deployment: &str,
    reason: &str,
    document: &Document,
    successor: Option<&str>,
) -> String {
    let green = match successor {
        Some(successor) => format!("Green is still being drained, by execution {successor}"),
        None => "Green is drained and gone".to_owned(),
    };
    let waiting = document.resume.iter().flat_map(|it| &it.waiting);
    let waiting: Vec<&str> = waiting.map(|it| it.instance.as_str()).collect();
    let waiting = if waiting.is_empty() {
        String::new()
    } else {
        format!(
            ". Blue servers that have not opened again, as far as known: {}",
            waiting.join(", ")
        )
    };
    format!("Deployment {deployment} was rolled back, blue serves: {reason}. {green}{waiting}.")
}
