//! What is fit, what is asked again, and the verdict over all.

use super::*;
use crate::report::Refusal;
use crate::report::examples::{fence, report};

fn is_unfit(finding: &Finding) -> bool {
    matches!(finding, Finding::Unfit(_))
}

fn is_not_yet(finding: &Finding) -> bool {
    matches!(finding, Finding::NotYet(_))
}

fn with_epoch(epoch: u64) -> SessionReport {
    SessionReport {
        epoch,
        ..report("i-0a", Admission::Open, 0, 0)
    }
}

#[test]
fn a_green_server_is_open_and_empty() {
    let reading = |report| of_reading(&Reading::Report(report), &fence(), Subject::Green);
    assert_eq!(reading(with_epoch(0)), Finding::Fit);
    assert_eq!(reading(with_epoch(5)), Finding::Fit);
    assert!(is_unfit(&reading(with_epoch(6))));
    assert!(is_unfit(&reading(report(
        "i-0a",
        Admission::Draining,
        0,
        0
    ))));
    assert!(is_unfit(&reading(report("i-0a", Admission::Sealed, 0, 0))));
    assert!(is_unfit(&reading(report("i-0a", Admission::Open, 1, 0))));
    assert!(is_unfit(&reading(report("i-0a", Admission::Open, 0, 1))));
}

#[test]
fn a_blue_server_may_hold_sessions_but_not_be_sealed_nor_of_a_newer_epoch() {
    let reading = |report| of_reading(&Reading::Report(report), &fence(), Subject::Blue);
    for admission in [Admission::Open, Admission::Draining] {
        assert_eq!(reading(report("i-0a", admission, 3, 7)), Finding::Fit);
    }
    assert_eq!(reading(with_epoch(4)), Finding::Fit);
    assert!(is_unfit(&reading(with_epoch(6))));
    assert!(is_unfit(&reading(report("i-0a", Admission::Sealed, 0, 0))));
    let unknown = |reason| of_reading(&Reading::Unknown(reason), &fence(), Subject::Blue);
    assert!(is_not_yet(&unknown(UnknownReason::TimedOut)));
    assert!(is_unfit(&unknown(UnknownReason::Version(2))));
}

#[test]
fn the_verdict_names_its_subject() {
    let judge = |findings: &[(String, Finding)], attempt| {
        let test = conclude(findings, attempt, Subject::Blue);
        (test.verdict, test.reason)
    };
    let fit = ("i-0a".to_owned(), Finding::Fit);
    let silent = (
        "i-0b".to_owned(),
        Finding::NotYet("no answer in time".to_owned()),
    );
    let accepted = (
        Verdict::Accepted,
        "every blue server can be drained: 1".to_owned(),
    );
    assert_eq!(judge(std::slice::from_ref(&fit), 0), accepted);
    let rejected =
        "blue servers that are not fit yet: 1 of 2, after 4 attempts; i-0b: no answer in time";
    assert_eq!(
        judge(&[fit, silent], 3),
        (Verdict::Rejected, rejected.to_owned())
    );
    assert_eq!(
        judge(&[], 0),
        (Verdict::Rejected, "blue has no server".to_owned())
    );
}

#[test]
fn what_is_unknown_is_asked_again_but_another_version_will_not_change() {
    let reading = |reason| of_reading(&Reading::Unknown(reason), &fence(), Subject::Green);
    assert!(is_not_yet(&reading(UnknownReason::Refused)));
    assert!(is_not_yet(&reading(UnknownReason::Status(503))));
    assert!(is_not_yet(&reading(UnknownReason::OtherInstance)));
    assert!(is_unfit(&reading(UnknownReason::Version(2))));
}

#[test]
fn resume_must_be_answered_open_with_exactly_the_epoch_given() {
    let resume = |answer| of_resume(&answer, &fence());
    assert_eq!(resume(Answer::Report(with_epoch(5))), Finding::Fit);
    assert!(is_unfit(&resume(Answer::Report(with_epoch(4)))));
    assert!(is_unfit(&resume(Answer::Report(with_epoch(6)))));
    let draining = report("i-0a", Admission::Draining, 0, 0);
    assert!(is_unfit(&resume(Answer::Report(draining))));
    let newer = Answer::Refused(Refusal::StaleEpoch, with_epoch(6));
    assert!(is_unfit(&resume(newer)));
    assert!(is_not_yet(&resume(Answer::Unknown(
        UnknownReason::TimedOut
    ))));
}

#[test]
fn every_page_answers_2xx() {
    let pages = |answers: &[PageAnswer]| {
        let pages: Vec<_> = answers
            .iter()
            .map(|answer| ("/health".to_owned(), answer.clone()))
            .collect();
        of_pages(&pages)
    };
    assert_eq!(pages(&[]), Finding::Fit);
    assert_eq!(
        pages(&[PageAnswer::Status(200), PageAnswer::Status(204)]),
        Finding::Fit
    );
    for status in [302, 401, 404] {
        assert!(is_unfit(&pages(&[
            PageAnswer::Status(200),
            PageAnswer::Status(status)
        ])));
    }
    for answer in [
        PageAnswer::Status(500),
        PageAnswer::Status(503),
        PageAnswer::Status(429),
        PageAnswer::Unknown(UnknownReason::Refused),
    ] {
        assert!(is_not_yet(&pages(&[
            answer.clone(),
            PageAnswer::Status(200)
        ])));
        assert!(is_unfit(&pages(&[answer, PageAnswer::Status(404)])));
    }
}

fn of(findings: &[Finding], attempt: u32) -> GreenTest {
    let findings: Vec<_> = findings
        .iter()
        .enumerate()
        .map(|(number, finding)| (format!("i-{number}"), finding.clone()))
        .collect();
    conclude(&findings, attempt, Subject::Green)
}

#[test]
fn the_verdict_waits_for_what_may_come_and_not_for_what_will_not() {
    let not_yet = Finding::NotYet("connection refused".to_owned());
    let unfit = Finding::Unfit("it is sealed, expected open".to_owned());
    let cases = [
        (vec![Finding::Fit, Finding::Fit], 0, Verdict::Accepted),
        (vec![Finding::Fit], 9, Verdict::Accepted),
        (vec![Finding::Fit, not_yet.clone()], 0, Verdict::Wait),
        (vec![Finding::Fit, not_yet.clone()], 2, Verdict::Wait),
        (vec![Finding::Fit, not_yet.clone()], 3, Verdict::Rejected),
        (vec![not_yet, unfit.clone()], 0, Verdict::Rejected),
        (vec![Finding::Fit, unfit], 0, Verdict::Rejected),
        (vec![], 0, Verdict::Rejected),
    ];
    for (findings, attempt, expected) in cases {
        let test = of(&findings, attempt);
        assert_eq!(test.verdict, expected, "{findings:?}");
        assert_eq!(test.attempt, attempt + 1);
    }
}

#[test]
fn the_worst_twenty_are_told() {
    let mut findings = vec![Finding::NotYet("no answer in time".to_owned()); 30];
    findings.push(Finding::Unfit("it is sealed".to_owned()));
    let test = of(&findings, 0);
    assert_eq!(test.refusals.len(), 20);
    assert_eq!(test.refusals[0].instance, "i-30");
    assert_eq!(
        test.reason,
        "green servers that are unfit: 1 of 31; i-30: it is sealed; i-0: no answer in time; i-1: no answer in time"
    );
}
