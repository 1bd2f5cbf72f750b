//! The normal form of a document: without what no function and no Choice reads any more.

use ebbtide_rules::check::{Check, Counts, Forecast, Memory, Outlook, Since};
use ebbtide_rules::document::{Act, Document, Failure, Told};
use ebbtide_rules::drain::Drained;
use ebbtide_rules::launch::Launched;
use ebbtide_rules::plan::{Asked, Plan};
use ebbtide_rules::record::Answer;
use ebbtide_rules::resume::Resumed;
use ebbtide_rules::shape::Retiring;
use ebbtide_rules::terminate::Terminated;
use ebbtide_rules::weights::Switched;
use jiff::Timestamp;

use crate::clock::{Clock, LONG_AGO, NOW, PAST};

/// A document after `ticks` have passed, whose turn is numbered anew.
pub(super) fn plain(clock: Clock, document: &Document, ticks: u8, turn: Option<u64>) -> Document {
    let mut plain = document.clone();
    let since = document.record.as_ref().map(Answer::looks_from);
    if let (Some(answer), Some(turn)) = (&mut plain.record, turn) {
        *answer = super::record::answer(clock, answer, ticks);
        answer.turn = turn;
    }
    if plain.record.is_some() {
        plain.plan = plain.plan.map(claimed);
        plain.continued = None;
    }
    // Nobody reads these.
    (plain.blue_test, plain.test, plain.drain) = (None, None, None::<Drained>);
    plain.rejection = plain.rejection.map(failure);
    plain.ill = plain.ill.map(failure);
    plain.attach = plain
        .attach
        .map(|it| switched(clock, it, since, ticks))
        .filter(is_unanswered);
    plain.green = plain
        .green
        .map(|it| told(clock, it, since, ticks, launched));
    plain.rejected = plain
        .rejected
        .map(|it| told(clock, it, since, ticks, terminated));
    plain.held = plain.held.map(|it| told(clock, it, since, ticks, listed));
    plain.retiring = plain
        .retiring
        .map(|it| told(clock, it, since, ticks, listed));
    plain.switch = plain.switch.map(|it| switched(clock, it, since, ticks));
    plain.terminate = plain
        .terminate
        .map(|it| told(clock, it, since, ticks, terminated));
    plain.back = plain.back.map(|it| switched(clock, it, since, ticks));
    plain.detached = plain.detached.map(|it| switched(clock, it, since, ticks));
    plain.check = plain.check.map(|it| checked(&it));
    plain.resume = plain.resume.map(resumed);
    plain
}

/// What the execution does not read again once it stands before a Task.
pub(crate) fn forget_before(act: Option<Act>, document: &mut Document) {
    if act == Some(Act::Hold) {
        // A pass begins: everything of the last one but what may still arrive is told anew before it is read.
        document.check = document
            .check
            .as_ref()
            .filter(|it| it.memory.redrives > 0)
            .map(counted);
        document.terminate = document.terminate.take().filter(is_unanswered);
        document.green = document.green.take().filter(is_unanswered);
        document.retiring = document.retiring.take().filter(is_unanswered);
    }
}

/// What the next pass reads of a check: how many redrives it has seen.
fn counted(check: &Check) -> Check {
    Check {
        sealed: Vec::new(),
        outlook: Outlook {
            baking: false,
            settled: false,
            ..check.outlook.clone()
        },
        ..check.clone()
    }
}

fn is_unanswered<T>(told: &Told<T>) -> bool {
    told.unanswered_until.is_some()
}

fn told<T>(
    clock: Clock,
    told: Told<T>,
    since: Option<Timestamp>,
    ticks: u8,
    plain: impl Fn(T) -> T,
) -> Told<T> {
    Told {
        answer: plain(told.answer),
        unanswered_until: clock.until(told.unanswered_until, since, ticks),
    }
}

fn switched(
    clock: Clock,
    it: Told<Switched>,
    since: Option<Timestamp>,
    ticks: u8,
) -> Told<Switched> {
    told(clock, it, since, ticks, |answer| Switched {
        moments: clock.moments(&answer.moments, ticks),
        // Only whether they were confirmed since they had settled is read.
        confirmed_at: match answer.moments.settled_at {
            Some(settled_at) if answer.confirmed_at >= settled_at => NOW,
            _ => LONG_AGO,
        },
        changed: false,
        repairs: Default::default(),
        blue_healthy: 0,
        green_healthy: 0,
        ..answer
    })
}

/// After the claim the plan's epoch and its question have no reader.
fn claimed(plan: Plan) -> Plan {
    let asked = match plan.asked {
        Asked::TakeOver { recorded, .. } => Asked::TakeOver {
            then: ebbtide_rules::input::Then::Continue,
            green_weight: 0,
            recorded,
        },
        other => other,
    };
    Plan {
        epoch: 0,
        asked,
        ..plan
    }
}

fn failure(failure: Failure) -> Failure {
    Failure {
        cause: String::new(),
        ..failure
    }
}

fn launched(answer: Launched) -> Launched {
    Launched {
        reason: String::new(),
        wait_seconds: 0,
        healthy: 0,
        launching: Default::default(),
        ..answer
    }
}

fn listed(answer: Retiring) -> Retiring {
    Retiring {
        listed_at: PAST,
        ..answer
    }
}

#[allow(clippy::needless_pass_by_value, reason = "as its siblings take it")]
fn terminated(answer: Terminated) -> Terminated {
    Terminated {
        terminated: Vec::new(),
        ending: Vec::new(),
        refused: Vec::new(),
        remaining: 0,
        tried: None,
        ..answer
    }
}

fn resumed(resumed: Resumed) -> Resumed {
    Resumed {
        at: PAST,
        open: 0,
        sealed: Vec::new(),
        unknown: Vec::new(),
        reason: String::new(),
        ..resumed
    }
}

fn checked(check: &Check) -> Check {
    Check {
        at: PAST,
        sealed: check.sealed.clone(),
        counts: Counts::default(),
        outlook: Outlook {
            wait_seconds: 0,
            forecast: Forecast::default(),
            waiting_for: String::new(),
            ..check.outlook.clone()
        },
        memory: Memory {
            changed_at: PAST,
            unknown_since: Since::default(),
            closed: Default::default(),
            closed_before: 0,
            deadline_at: None,
            redrives: check.memory.redrives,
            measured: None,
        },
    }
}
