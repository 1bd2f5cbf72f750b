//! Who counts as open, and who is named when too few are.

use proptest::prelude::*;

use super::*;
use crate::report::examples::{fence, report};
use crate::report::{SessionReport, UnknownReason};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn of_epoch(epoch: u64, admission: Admission) -> SessionReport {
    SessionReport {
        epoch,
        ..report("i-0a", admission, 0, 0)
    }
}

fn open() -> Reply {
    Reply::Report(of_epoch(5, Admission::Open))
}

fn silent() -> Reply {
    Reply::Unknown(UnknownReason::Refused)
}

fn sealed() -> Reply {
    Reply::Refused(Refusal::Sealed, of_epoch(5, Admission::Sealed))
}

fn servers(count: usize) -> Vec<Server> {
    (0..count)
        .map(|number| Server {
            instance: format!("i-{number}"),
            ip: format!("10.0.0.{number}"),
        })
        .collect()
}

fn of(answers: &[Reply], minimum: usize) -> Result<Resumed, ResumeRefused> {
    conclude(&servers(answers.len()), answers, minimum, &fence(), NOW)
}

#[test]
fn a_server_is_open_that_says_so_and_took_exactly_the_epoch() {
    let opening = |answer| opening(&answer, &fence());
    assert_eq!(opening(open()), Opening::Open);
    let busy = report("i-0a", Admission::Open, 3, 4);
    assert_eq!(opening(Reply::Report(busy)), Opening::Open);
    assert_eq!(opening(sealed()), Opening::Sealed);
    let agrees = Reply::Report(of_epoch(5, Admission::Sealed));
    assert_eq!(opening(agrees), Opening::Sealed);
    for not in [
        Reply::Report(of_epoch(4, Admission::Open)),
        Reply::Report(of_epoch(6, Admission::Open)),
        Reply::Report(of_epoch(5, Admission::Draining)),
        Reply::Refused(Refusal::StaleEpoch, of_epoch(6, Admission::Open)),
        Reply::Refused(Refusal::InUse, of_epoch(5, Admission::Open)),
        Reply::Unknown(UnknownReason::TimedOut),
        Reply::Unknown(UnknownReason::Status(500)),
    ] {
        assert!(matches!(opening(not), Opening::Waiting(_)));
    }
}

#[test]
fn those_that_may_yet_open_are_told_apart_from_the_sealed() {
    let resumed = of(&[open(), silent(), sealed(), open()], 2).unwrap();
    assert_eq!(resumed.open, 2);
    assert_eq!(resumed.waiting, servers(4)[1..2]);
    assert_eq!(resumed.sealed, ["i-2"]);
    assert_eq!(resumed.unknown[0].reason, "connection refused");
    assert_eq!(
        resumed.reason,
        "open: 2 of 4, needed: 2; not open: 1; sealed: 1"
    );
    let json = serde_json::to_value(&resumed).unwrap();
    assert_eq!(
        json["waiting"][0],
        serde_json::json!({"instance": "i-1", "ip": "10.0.0.1"})
    );
    assert_eq!(json["open"], 2);
}

#[test]
fn too_few_are_named_with_what_to_do() {
    let answers = [open(), silent(), silent(), silent(), sealed()];
    let cause = of(&answers, 2).unwrap_err().to_string();
    assert_eq!(
        cause,
        "1 of 5 blue servers are open, and 2 have to be before the weights move back: i-1: connection refused; \
         i-2: connection refused; i-3: connection refused; and 1 more. No weight was moved: \
         the green that is to be rolled back still serves. Redrive this execution if they come back; otherwise \
         register healthy servers with blue's target group and take the deployment over with \"then\": \"rollBack\""
    );
    assert!(of(&answers, 1).is_ok());
    let one = of(&[sealed()], 1).unwrap_err().to_string();
    assert!(
        one.contains("before the weights move back: i-0: it is sealed. No weight was moved"),
        "{one}"
    );
    let none = of(&[], 1).unwrap_err().to_string();
    assert!(
        none.starts_with("0 of 0 blue servers are open, and 1 have"),
        "{none}"
    );
}

#[test]
fn a_minimum_of_nothing_never_fails_for_lack_of_servers() {
    assert_eq!(of(&[], 0).unwrap().open, 0);
    assert_eq!(of(&[silent(), sealed()], 0).unwrap().open, 0);
}

#[test]
fn a_newer_epoch_stops_us_whatever_the_minimum() {
    let newer = Reply::Refused(Refusal::StaleEpoch, of_epoch(6, Admission::Open));
    for minimum in [0, 9] {
        let refused = of(&[open(), newer.clone()], minimum).unwrap_err();
        assert!(matches!(refused, ResumeRefused::NewerEpoch(_)), "{refused}");
    }
}

#[test]
fn a_server_of_a_newer_epoch_is_not_asked_to_open() {
    let servers = servers(4);
    let reports = [4, 5, 6].map(|epoch| of_epoch(epoch, Admission::Draining));
    let seen = reports.iter().map(Some).chain([None]);
    let asked = not_newer(&servers, seen, &fence());
    let expected = [0, 1, 3].map(|place: usize| servers[place].clone());
    assert_eq!(asked, expected, "a silent one is asked");
}

#[test]
fn twenty_reasons_are_told_and_every_server_is_asked_again() {
    let resumed = of(&vec![silent(); 500], 0).unwrap();
    assert_eq!((resumed.unknown.len(), resumed.waiting.len()), (20, 500));
}

proptest! {
    #[test]
    fn every_server_counts_once_and_fewer_than_the_minimum_never_pass(
        kinds in proptest::collection::vec(0_u8..4, 0..40),
        minimum in 0_usize..40,
    ) {
        let answers: Vec<Reply> = kinds
            .iter()
            .map(|kind| match kind {
                0 => open(),
                1 => silent(),
                2 => sealed(),
                _ => Reply::Report(of_epoch(4, Admission::Open)),
            })
            .collect();
        let open = kinds.iter().filter(|kind| **kind == 0).count();
        match of(&answers, minimum) {
            Ok(resumed) => {
                prop_assert!(open >= minimum);
                prop_assert_eq!(resumed.open, open);
                prop_assert_eq!(open + resumed.waiting.len() + resumed.sealed.len(), kinds.len());
            }
            Err(_) => prop_assert!(open < minimum),
        }
    }
}
