//! One server, wrong in one thing at a time: the rule that says so fails. Right in everything: none does.

use std::sync::Arc;
use std::time::Duration;

use ebbtide_conformance::{Outcome, Subject, Verdict, try_server};
use futures_util::stream::{self, StreamExt};

use crate::by_hand::{Fault, serve};
use crate::process::{Process, Start};
use crate::right::{OF_KEYS, assert_right};

/// Seals under arriving sessions.
const ROUNDS: u32 = 5;

async fn verdict(fault: Fault, rounds: u32) -> Verdict {
    let start: Start =
        Arc::new(move |public, private, state| Box::pin(serve(fault, public, private, state)));
    let process = Process::new(start);
    crate::right::up(&process).await;
    let subject = process.subject("/session", Some("busy"));
    let patience = match fault {
        Fault::None => subject.patience,
        // It is waited for what never comes.
        Fault::IdleNotReported => Duration::from_secs(2),
        _ => Duration::from_secs(10),
    };
    let subject = Subject {
        patience,
        rounds,
        ..subject
    };
    try_server(subject).await.unwrap()
}

#[tokio::test]
async fn without_a_fault_it_keeps_every_rule() {
    assert_right(&verdict(Fault::None, ROUNDS).await, &OF_KEYS);
}

/// The race counts only beside this: the same arrivals, and wrong seals.
#[tokio::test]
async fn a_seal_that_is_not_atomic() {
    let atomic = |verdict: &Verdict| {
        let line = verdict
            .lines
            .iter()
            .find(|line| line.rule == "seal-is-atomic");
        line.unwrap().outcome.clone()
    };
    let (wrong, right) = (
        verdict(Fault::SealNotAtomic, ROUNDS).await,
        verdict(Fault::None, ROUNDS).await,
    );
    assert!(matches!(atomic(&wrong), Outcome::Failed(_)), "{wrong}");
    assert!(matches!(atomic(&right), Outcome::Passed(_)), "{right}");
}

/// What each other fault fails; it may fail more.
const FAULTS: [(Fault, &str); 18] = [
    (Fault::SealForgotten, "restart-keeps-seal"),
    (Fault::EpochForgotten, "restart-keeps-epoch"),
    (Fault::StaleEpochAccepted, "stale-epoch"),
    (Fault::OtherInstanceAccepted, "wrong-instance"),
    (Fault::ClosesBusy, "spares-busy"),
    (Fault::LeaseNeverEnds, "lease"),
    (Fault::ResumeDoesNotCancel, "resume-cancels"),
    (Fault::ResumesSealed, "never-resumes"),
    (Fault::SealedTakesSessions, "sealed-refuses"),
    (Fault::DrainingTakesSessions, "draining-refuses"),
    (Fault::IdleNotReported, "counts"),
    (Fault::SealsWithIdle, "in-use"),
    (Fault::IllFormedAccepted, "malformed"),
    (Fault::StaleBeforeInstance, "order-of-checks"),
    (Fault::RefusedTakesEpoch, "in-use"),
    (Fault::SealedAgainRefused, "sealed-again"),
    (Fault::AllAtOnce, "lease"),
    (Fault::FractionReported, "report"),
];

/// Most of a trial is waiting: several at once.
#[tokio::test]
async fn each_fault_fails_the_rule_that_says_so() {
    let trials = FAULTS.map(|(fault, rule)| {
        Box::pin(async move {
            let verdict = verdict(fault, 1).await;
            println!("{fault:?}: {:?}", verdict.failed());
            assert!(
                verdict.failed().contains(&rule),
                "{fault:?} was to fail {rule}:\n{verdict}"
            );
        })
    });
    stream::iter(trials)
        .buffer_unordered(7)
        .collect::<()>()
        .await;
}
