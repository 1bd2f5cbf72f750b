//! What keep-record answers: each act's words, each with what a deployment may be about then.

use crate::examples::{environment, moments};
use crate::record::{Clearing, Doing, Ended, Next, Outcome};
use crate::weights::Weights;

pub(super) fn claim() -> Vec<(Next, Doing)> {
    let taken = [
        Doing::Launching,
        Doing::Rejecting,
        watching(),
        reopening(),
        clearing(),
        draining(),
    ];
    let taken = taken.into_iter().chain(outcomes().map(detaching));
    [
        (Next::Launch, Doing::Launching),
        (Next::Told, Doing::Nothing),
        (Next::Show, Doing::Nothing),
    ]
    .into_iter()
    .chain(taken.map(|doing| (Next::WaitOut, doing)))
    .collect()
}

pub(super) fn adopt() -> Vec<(Next, Doing)> {
    [watching(), draining(), opening()]
        .map(|doing| (Next::Pass, doing))
        .into()
}

pub(super) fn switch() -> Vec<(Next, Doing)> {
    vec![
        (Next::Reject, Doing::Rejecting),
        (Next::Wait, Doing::Launching),
        (Next::Pass, watching()),
    ]
}

pub(super) fn pass() -> Vec<(Next, Doing)> {
    vec![
        (Next::Wait, watching()),
        (Next::Pass, watching()),
        (Next::HandOn, watching()),
        (Next::RollBack, returning(2)),
        (Next::Return, returning(0)),
        (Next::Pass, draining()),
        (Next::Wait, draining()),
        (Next::HandOn, draining()),
        (Next::Terminate, draining()),
        (Next::Wait, opening()),
        (Next::Terminate, opening()),
    ]
}

pub(super) fn hand_on() -> Vec<(Next, Doing)> {
    let [promoted, rolled_back, _] = outcomes();
    vec![
        (Next::Continued, ended(promoted, Some("deploy-1.2"))),
        (Next::RolledBack, ended(rolled_back, Some("deploy-1.2"))),
    ]
}

pub(super) fn release() -> Vec<(Next, Doing)> {
    let [promoted, rolled_back, rejected] = outcomes();
    vec![
        (Next::Plan, Doing::Nothing),
        (Next::Reject, Doing::Rejecting),
        (Next::Reject, clearing()),
        (Next::Detach, Doing::Rejecting),
        (Next::Detach, clearing()),
        (Next::Detach, detaching(promoted.clone())),
        (Next::Wait, draining()),
        (Next::Wait, opening()),
        (Next::GreenRejected, ended(rejected, None)),
        (Next::RolledBack, ended(rolled_back, None)),
        (Next::Promoted, ended(promoted, None)),
    ]
}

fn outcomes() -> [Outcome; 3] {
    let reason = || "in state ALARM: errors".to_owned();
    [
        Outcome::Promoted,
        Outcome::RolledBack { reason: reason() },
        Outcome::GreenRejected { reason: reason() },
    ]
}

fn watching() -> Doing {
    Doing::Watching {
        weights: Weights {
            blue: 50,
            green: 50,
        },
    }
}

fn reopening() -> Doing {
    Doing::Reopening { minimum_open: 2 }
}

fn returning(minimum_open: u32) -> Doing {
    Doing::Returning { minimum_open }
}

fn clearing() -> Doing {
    Doing::Clearing(Clearing {
        deployment: "deploy-0".to_owned(),
        blue: environment("a"),
        green: environment("b"),
        green_version: None,
        listeners: vec!["arn:listener".to_owned()],
    })
}

fn detaching(outcome: Outcome) -> Doing {
    Doing::Detaching { outcome }
}

pub(super) fn draining() -> Doing {
    Doing::Draining {
        environment: environment("a"),
        moments: moments(),
    }
}

fn opening() -> Doing {
    Doing::Opening {
        environment: environment("b"),
        moments: super::kinds::moments_of_a_step(),
    }
}

fn ended(outcome: Outcome, successor: Option<&str>) -> Doing {
    Doing::Ended(Ended {
        outcome,
        deployment: "deploy-1".to_owned(),
        successor: successor.map(str::to_owned),
        closed: 7,
        terminated: 3,
    })
}
