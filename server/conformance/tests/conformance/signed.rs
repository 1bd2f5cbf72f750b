//! Servers that take signed calls: right ones, and each wrong in one thing, for which the rule that says so fails.

use std::sync::Arc;

use ebbtide_conformance::{NoTrial, Subject, Verdict, try_server};
use futures_util::stream::{self, StreamExt};

use crate::by_hand;
use crate::guard::{Fault, Guard, keys};
use crate::process::{Process, Start};
use crate::right::{OF_KEYS, assert_right, up};

/// A key's digits.
pub(crate) fn digits(pair: &str) -> String {
    pair.repeat(32)
}

/// By hand, the server has these keys.
pub(crate) fn guarded(fault: Fault, file: String) -> Start {
    Arc::new(move |public, private, state| {
        let guard = Guard::new(fault, keys(&file));
        Box::pin(by_hand::serve_behind(
            |orders| guard.before(orders),
            by_hand::Fault::None,
            public,
            private,
            state,
        ))
    })
}

/// A server, and what is known of it, with these keys.
async fn subject(start: Start, file: &str) -> (Arc<Process>, Subject) {
    let process = Process::new(start);
    up(&process).await;
    let subject = Subject {
        keys: keys(file).into(),
        ..process.subject("/session", Some("busy"))
    };
    (process, subject)
}

/// What the rules about orders say of it.
async fn verdict(fault: Fault) -> Verdict {
    let (_process, mut subject) = subject(guarded(fault, digits("a1")), &digits("a1")).await;
    // Sessions have nothing to do with it.
    (subject.hands.open, subject.hands.busy) = (None, None);
    try_server(subject).await.unwrap()
}

#[tokio::test]
async fn without_a_fault_it_keeps_every_rule() {
    let file = format!("{}\n{}\n", digits("a1"), digits("b2"));
    let (_process, subject) = subject(guarded(Fault::None, file.clone()), &file).await;
    assert_right(&try_server(subject).await.unwrap(), &[]);
}

/// In a rotation the caller has a key more than the server.
#[tokio::test]
async fn one_key_in_common_is_enough() {
    let (_process, mut subject) = subject(
        guarded(Fault::None, digits("a1")),
        &format!("{} {}", digits("b2"), digits("a1")),
    )
    .await;
    (subject.hands.open, subject.hands.busy) = (None, None);
    let verdict = try_server(subject).await.unwrap();
    assert!(verdict.conforms(), "{verdict}");
}

const FAULTS: [(Fault, &str); 14] = [
    (Fault::UnsignedTaken, "unsigned"),
    (Fault::ReadsNotGuarded, "unsigned"),
    (Fault::CarriedOutAndRefused, "unsigned"),
    (Fault::OtherKeyTaken, "other-key"),
    (Fault::SignatureNotChecked, "other-key"),
    (Fault::FirstSignatureOnly, "several-keys"),
    (Fault::DigestNotChecked, "altered"),
    (Fault::ReplayTaken, "replay"),
    (Fault::SkewTaken, "skew"),
    (Fault::RestartForgets, "restart-refuses"),
    (Fault::AnswerUnsigned, "signed-answers"),
    (Fault::RefusalUnsigned, "signed-answers"),
    (Fault::AnswerToAnother, "signed-answers"),
    (Fault::AnswerByAnother, "signed-answers"),
];

#[tokio::test]
async fn each_fault_fails_the_rule_that_says_so() {
    let trials = FAULTS.map(|(fault, rule)| {
        Box::pin(async move {
            let verdict = verdict(fault).await;
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

#[tokio::test]
async fn without_the_right_keys_nothing_is_tried_and_it_says_why() {
    let start = guarded(Fault::None, digits("a1"));
    let (_process, known) = subject(start, &digits("b2")).await;
    let NoTrial(why) = try_server(known.clone()).await.unwrap_err();
    assert!(
        why.starts_with("it refuses calls signed with these keys: 401"),
        "{why}"
    );
    let unknown = Subject {
        keys: Arc::new([]),
        ..known
    };
    let NoTrial(why) = try_server(unknown).await.unwrap_err();
    assert!(
        why.starts_with("this server takes signed calls only: --keys"),
        "{why}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_sign_fails_with_keys_and_passes_without() {
    let start: Start = Arc::new(|public, private, state| {
        Box::pin(by_hand::serve(by_hand::Fault::None, public, private, state))
    });
    let (_process, subject) = subject(start, &digits("a1")).await;
    let verdict = try_server(subject.clone()).await.unwrap();
    assert_eq!(verdict.failed(), ["report", "signed-answers"], "{verdict}");
    assert!(
        verdict.to_string().contains("it is not signed"),
        "{verdict}"
    );
    let unsigned = Subject {
        keys: Arc::new([]),
        ..subject
    };
    assert_right(&try_server(unsigned).await.unwrap(), &OF_KEYS);
}
