//! What is fit, what is asked again, and the verdict over all.

use super::*;
use crate::plan::{Pages, WebSockets};
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
    let reading = |report| {
        of_reading(
            &Reading::Report(report),
            &fence(),
            Subject::Green,
            &Policy::default(),
        )
    };
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
fn a_session_that_a_web_socket_may_have_left_is_asked_for_again_and_any_other_is_not() {
    let sockets = Policy {
        pages: Pages {
            web_sockets: Some(WebSockets {
                paths: vec!["/tunnel".parse().unwrap()],
                seconds: 5,
            }),
            ..Pages::default()
        },
        ..Policy::default()
    };
    let held = || report("i-0a", Admission::Open, 0, 1);
    for (policy, is_left) in [(&sockets, true), (&Policy::default(), false)] {
        let read = of_reading(&Reading::Report(held()), &fence(), Subject::Green, policy);
        assert_eq!(is_not_yet(&read), is_left, "{read:?}");
        let taken = SessionReport { epoch: 5, ..held() };
        let resumed = of_resume(&Reply::Report(taken), &fence(), policy);
        assert_eq!(is_not_yet(&resumed), is_left, "{resumed:?}");
    }
}

#[test]
fn a_blue_server_may_hold_sessions_but_not_be_sealed_nor_of_a_newer_epoch() {
    let reading = |report| {
        of_reading(
            &Reading::Report(report),
            &fence(),
            Subject::Blue,
            &Policy::default(),
        )
    };
    for admission in [Admission::Open, Admission::Draining] {
        assert_eq!(reading(report("i-0a", admission, 3, 7)), Finding::Fit);
    }
    assert_eq!(reading(with_epoch(4)), Finding::Fit);
    assert!(is_unfit(&reading(with_epoch(6))));
    assert!(is_unfit(&reading(report("i-0a", Admission::Sealed, 0, 0))));
    let unknown = |reason| {
        of_reading(
            &Reading::Unknown(reason),
            &fence(),
            Subject::Blue,
            &Policy::default(),
        )
    };
    assert!(is_not_yet(&unknown(UnknownReason::TimedOut)));
    assert!(is_unfit(&unknown(UnknownReason::Version(2))));
}

#[test]
fn an_agent_is_taken_only_where_the_load_balancer_is_set_for_it() {
    let not_set = ["move the health check in a".to_owned(), "b".to_owned()];
    for subject in [Subject::Blue, Subject::Green] {
        for (agent, against, taken) in [
            (true, &not_set[..], false),
            (true, &[][..], true),
            (false, &not_set[..], true),
        ] {
            let policy = Policy {
                against_agents: against.to_vec(),
                ..Policy::default()
            };
            let reading = Reading::Report(SessionReport {
                agent,
                ..with_epoch(5)
            });
            let found = of_reading(&reading, &fence(), subject, &policy);
            assert_eq!(found == Finding::Fit, taken, "{subject:?} {found:?}");
            let told = "(docs/agent.md): move the health check in a and b";
            assert_eq!(
                matches!(&found, Finding::Unfit(reason) if reason.ends_with(told)),
                !taken
            );
        }
    }
}

#[test]
fn the_verdict_names_its_subject() {
    let judge = |findings: &[(String, Finding)]| conclude(findings, Subject::Blue);
    let refused = |findings: &[(String, Finding)]| {
        let refused = judge(findings).unwrap_err();
        (refused.name(), refused.to_string())
    };
    let fit = ("i-0a".to_owned(), Finding::Fit);
    let silent = (
        "i-0b".to_owned(),
        Finding::NotYet("no answer in time".to_owned()),
    );
    let sealed = ("i-0c".to_owned(), Finding::Unfit("it is sealed".to_owned()));
    let accepted = judge(std::slice::from_ref(&fit)).unwrap();
    assert_eq!(accepted.servers, 1);
    assert_eq!(accepted.reason, "every blue server can be drained: 1");
    let not_yet = "blue servers that are not fit yet: 1 of 2; i-0b: no answer in time";
    assert_eq!(
        refused(&[fit.clone(), silent]),
        (ErrorName::NotFitYet, not_yet.to_owned())
    );
    let unfit = "blue servers that are unfit: 1 of 2; i-0c: it is sealed";
    assert_eq!(
        refused(&[fit, sealed]),
        (ErrorName::PreflightRefused, unfit.to_owned())
    );
    assert_eq!(
        refused(&[]),
        (ErrorName::PreflightRefused, "blue has no server".to_owned())
    );
}

#[test]
fn what_is_unknown_is_asked_again_but_another_version_or_lack_of_keys_in_a_preflight_will_not_change()
 {
    let reading = |reason| {
        of_reading(
            &Reading::Unknown(reason),
            &fence(),
            Subject::Green,
            &Policy::default(),
        )
    };
    assert!(is_not_yet(&reading(UnknownReason::Refused)));
    assert!(is_not_yet(&reading(UnknownReason::Status(503))));
    assert!(is_not_yet(&reading(UnknownReason::OtherInstance)));
    // A clock, or a server that has just started.
    assert!(is_not_yet(&reading(UnknownReason::SignatureRefused)));
    assert!(is_not_yet(&reading(UnknownReason::ForeignSignature)));
    assert!(is_unfit(&reading(UnknownReason::Version(2))));
    // What would refuse a preflight is asked of green again, before it is ended for it.
    let of_blue = |reason| {
        of_reading(
            &Reading::Unknown(reason),
            &fence(),
            Subject::Blue,
            &Policy::default(),
        )
    };
    for lack in [UnknownReason::DemandsSignature, UnknownReason::Unsigned] {
        assert!(is_unfit(&of_blue(lack.clone())));
        assert!(is_not_yet(&reading(lack)));
    }
    assert!(is_not_yet(&of_blue(UnknownReason::SignatureRefused)));
}

#[test]
fn resume_must_be_answered_open_with_exactly_the_epoch_given() {
    let resume = |answer| of_resume(&answer, &fence(), &Policy::default());
    assert_eq!(resume(Reply::Report(with_epoch(5))), Finding::Fit);
    assert!(is_unfit(&resume(Reply::Report(with_epoch(4)))));
    assert!(is_unfit(&resume(Reply::Report(with_epoch(6)))));
    let draining = report("i-0a", Admission::Draining, 0, 0);
    assert!(is_unfit(&resume(Reply::Report(draining))));
    let newer = Reply::Refused(Refusal::StaleEpoch, with_epoch(6));
    assert!(is_unfit(&resume(newer)));
    assert!(is_not_yet(&resume(Reply::Unknown(UnknownReason::TimedOut))));
}

fn of(findings: &[Finding]) -> Result<GreenTest, NotFit> {
    let findings: Vec<_> = findings
        .iter()
        .enumerate()
        .map(|(number, finding)| (format!("i-{number}"), finding.clone()))
        .collect();
    conclude(&findings, Subject::Green)
}

#[test]
fn what_may_come_is_asked_again_and_what_will_not_is_unfit() {
    let not_yet = Finding::NotYet("connection refused".to_owned());
    let unfit = Finding::Unfit("it is sealed, expected open".to_owned());
    let cases = [
        (vec![Finding::Fit, Finding::Fit], None),
        (
            vec![Finding::Fit, not_yet.clone()],
            Some(ErrorName::NotFitYet),
        ),
        (vec![not_yet, unfit.clone()], Some(ErrorName::GreenUnfit)),
        (vec![Finding::Fit, unfit], Some(ErrorName::GreenUnfit)),
        (vec![], Some(ErrorName::GreenUnfit)),
    ];
    for (findings, expected) in cases {
        let name = of(&findings).err().map(|refused| refused.name());
        assert_eq!(name, expected, "{findings:?}");
    }
}

#[test]
fn the_cause_names_three_unfit_ones_first_and_counts_the_others() {
    let mut findings = vec![Finding::NotYet("no answer in time".to_owned()); 30];
    findings.push(Finding::Unfit("it is sealed".to_owned()));
    assert_eq!(
        of(&findings).unwrap_err().to_string(),
        "green servers that are unfit: 1 of 31; i-30: it is sealed; i-0: no answer in time; i-1: no answer in time; \
         and 28 more"
    );
    let three = vec![Finding::NotYet("no answer in time".to_owned()); 3];
    let told = of(&three).unwrap_err().to_string();
    assert!(told.ends_with("; i-2: no answer in time"), "{told}");
}
