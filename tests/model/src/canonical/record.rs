//! The normal form of a record: without words for people, counters and moments that nobody compares.

use ebbtide_rules::record::{
    Answer, Answered, Course, Doing, Ended, Front, Outcome, Owner, Phase, Record, Wished, Wishes,
};

use jiff::Timestamp;

use super::Asking;
use crate::clock::{Clock, FAR, NOW, PAST};

/// A record by itself.
pub(super) fn plain(clock: Clock, record: &Record, ticks: u8) -> Record {
    let mut plain = record.clone();
    plain.revision = 0;
    if let Some(front) = &mut plain.front {
        let since = answered_at(record, &front.owner);
        front.course = course(clock, &front.course, since, ticks);
        forget_words(front);
    }
    let detaches = plain
        .front
        .as_ref()
        .is_some_and(|it| matches!(it.phase, Phase::Detaching { .. }));
    plain.last = plain.last.filter(|_| detaches).map(|last| outcome(&last));
    for entry in &mut plain.retiring {
        let since = answered_at(record, &entry.owner);
        entry.course = course(clock, &entry.course, since, ticks);
        entry.outcome = outcome(&entry.outcome);
        entry.moments = clock.moments(&entry.moments, ticks);
    }
    for answered in &mut plain.answers {
        answered.answer = answer(clock, &answered.answer, ticks);
    }
    plain
}

/// A record among those who may yet ask: the answers of all others are not asked for again.
pub(super) fn contextual(clock: Clock, record: &Record, ticks: u8, asking: &[Asking]) -> Record {
    let mut plain = plain(clock, record, ticks);
    let known = |answered: Answered| {
        let asks = asking
            .iter()
            .find(|it| *it.arn.get() == answered.key.execution)?;
        let mut answered = answered;
        answered.key.turn = asks.turn(answered.key.turn);
        answered.answer.turn = asks.turn(answered.answer.turn);
        Some(answered)
    };
    plain.answers = plain.answers.into_iter().filter_map(known).collect();
    plain
        .answers
        .sort_by(|a, b| a.key.execution.cmp(&b.key.execution));
    plain
}

fn forget_words(front: &mut Front) {
    if let Phase::RollingBack { reason } = &mut front.phase {
        reason.clear();
    }
    let Wishes {
        roll_back,
        promote,
        approved,
    } = &mut front.wishes;
    let wished = roll_back.iter_mut().chain(promote.iter_mut());
    let approved = approved.iter_mut().map(|it| &mut it.wished);
    wished.chain(approved).for_each(forget_who);
    if let Some(waits) = &mut front.waits {
        // Whoever waits for a person waits for ever: that a wait has an end is the golden scripts' affair.
        (waits.since, waits.until) = (NOW, FAR);
        waits.asked.iter_mut().for_each(forget_who);
    }
}

fn forget_who(wished: &mut Wished) {
    wished.by.clear();
    wished.at = PAST;
}

/// When the one that acts was last answered.
fn answered_at(record: &Record, owner: &Owner) -> Option<Timestamp> {
    let mut answers = record.answers.iter();
    let last = answers.find(|it| it.key.execution == owner.execution);
    last.map(|it| it.answer.looks_from())
}

fn course(clock: Clock, course: &Course, since: Option<Timestamp>, ticks: u8) -> Course {
    Course {
        claimed_at: PAST,
        switched_at: None,
        baked_at: None,
        part: course.part,
        passes: 0,
        total: 0,
        redrives: course.redrives,
        repairs: 0,
        unanswered_until: clock.until(course.unanswered_until, since, ticks),
        alarms_seen_at: None,
        progress: None,
    }
}

fn outcome(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Promoted => Outcome::Promoted,
        Outcome::RolledBack { .. } => Outcome::RolledBack {
            reason: String::new(),
        },
        Outcome::GreenRejected { .. } => Outcome::GreenRejected {
            reason: String::new(),
        },
    }
}

/// An answer by itself.
pub(super) fn answer(clock: Clock, answer: &Answer, ticks: u8) -> Answer {
    let mut plain = answer.clone();
    plain.at = PAST;
    plain.reason.clear();
    let waits = clock.ticks_of(plain.wait_seconds);
    plain.wait_seconds = u64::try_from(clock.tick()).unwrap_or(0) * u64::from(waits);
    match &mut plain.doing {
        Doing::Draining { moments, .. } | Doing::Opening { moments, .. } => {
            *moments = clock.moments(moments, ticks);
        }
        Doing::Ended(ended) => {
            *ended = Ended {
                outcome: outcome(&ended.outcome),
                closed: 0,
                terminated: 0,
                ..ended.clone()
            };
        }
        _ => {}
    }
    plain
}
