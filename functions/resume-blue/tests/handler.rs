//! The handler against fake servers: what it asks of whom, and what counts as open.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

use std::time::Duration;

use ebbtide_rules::ErrorName;
use ebbtide_rules::document::{Act, Document, Invocation};
use ebbtide_rules::examples;
use ebbtide_rules::record::{Answer, Doing};
use ebbtide_rules::report::Admission;
use ebbtide_rules::resume::Resumed;
use ebbtide_sessions::fake::{Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use jiff::Timestamp;
use resume_blue::{Failed, handle};
use serde_json::json;

/// The call once the epoch was raised to 6, with blue as HoldRetiring listed it.
fn invocation(fleet: &Fleet, minimum_open: u32) -> Invocation {
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    let plan = examples::recorded(&blue, &green, &[]);
    let document = Document {
        record: Some(Answer {
            epoch: 6,
            ..examples::answer(Doing::Returning { minimum_open })
        }),
        retiring: Some(examples::listed(&blue, &fleet.listed())),
        ..examples::planned(plan, &[])
    };
    examples::invocation(Act::Resume, document)
}

async fn run(fleet: &Fleet, minimum: u32) -> Result<Resumed, Failed> {
    call(fleet, invocation(fleet, minimum)).await
}

async fn call(fleet: &Fleet, invocation: Invocation) -> Result<Resumed, Failed> {
    let limits = Limits {
        connect: Duration::from_millis(300),
        total: Duration::from_secs(1),
    };
    let client = SessionClient::within(limits, fleet.endpoint()).unwrap();
    let now: Timestamp = "2026-11-22T12:05:00Z".parse().unwrap();
    handle(&client, || now, invocation).await
}

async fn failure(fleet: &Fleet, minimum: u32) -> (ErrorName, String) {
    match run(fleet, minimum).await {
        Err(error) => (error.name(), error.to_string()),
        Ok(resumed) => panic!("no failure: {resumed:?}"),
    }
}

/// Blue as a drain leaves it: draining, under the deployment's epoch.
async fn draining(count: usize) -> Fleet {
    let fleet = Fleet::start(count).await;
    for server in &fleet.servers {
        server.hold(2, 3);
        let mut inside = server.inside();
        inside.admission = Admission::Draining;
        inside.epoch = 5;
    }
    fleet
}

#[tokio::test]
async fn every_server_opens_and_takes_the_rollbacks_epoch() {
    let fleet = draining(3).await;
    let resumed = run(&fleet, 3).await.unwrap();
    assert_eq!(resumed.open, 3);
    assert!(resumed.waiting.is_empty() && resumed.sealed.is_empty() && resumed.unknown.is_empty());
    for server in &fleet.servers {
        let inside = server.inside();
        assert_eq!((inside.admission, inside.epoch), (Admission::Open, 6));
        assert_eq!((inside.busy, inside.idle), (2, 3), "nobody was cut");
    }
}

#[tokio::test]
async fn a_repeat_changes_nothing() {
    let fleet = draining(2).await;
    let first = run(&fleet, 2).await.unwrap();
    let before = fleet.servers[0].inside().report();
    assert_eq!(run(&fleet, 2).await.unwrap(), first);
    assert_eq!(fleet.servers[0].inside().report(), before);
}

#[tokio::test]
async fn what_does_not_open_is_waited_for_but_the_sealed_are_not() {
    let mut fleet = draining(5).await;
    fleet.servers[1].inside().busy = 0;
    fleet.servers[1].inside().idle = 0;
    fleet.servers[1].inside().admission = Admission::Sealed;
    fleet.servers[2].trouble(Call::Resume, Trouble::LosesReply);
    let still_draining = fleet.servers[3].inside().report();
    fleet.servers[3].trouble(Call::Resume, Trouble::Says(still_draining.to_string()));
    fleet.kill(4).await;
    let resumed = run(&fleet, 1).await.unwrap();
    assert_eq!(
        (resumed.open, resumed.sealed.as_slice()),
        (1, &["i-0a1".to_owned()][..])
    );
    let listed = fleet.listed();
    assert_eq!(resumed.waiting, listed[2..]);
    let reasons: Vec<&str> = resumed
        .unknown
        .iter()
        .map(|unopened| unopened.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "HTTP status 500",
            "asked to open, it is draining",
            "connection refused"
        ]
    );
    fleet.servers[2].recover();
    assert_eq!(
        run(&fleet, 2).await.unwrap().open,
        2,
        "its reply was lost, not its opening"
    );
}

#[tokio::test]
async fn an_answer_of_another_epoch_or_instance_is_not_open() {
    let fleet = draining(1).await;
    let says = |epoch: u64, instance: &str| {
        let mut report = fleet.servers[0].inside().report();
        report["admission"] = json!("open");
        report["epoch"] = json!(epoch);
        report["instance"] = json!(instance);
        Trouble::Says(report.to_string())
    };
    for trouble in [
        says(5, "i-0a0"),
        says(6, "i-0b7"),
        Trouble::Says("{}".to_owned()),
    ] {
        fleet.servers[0].trouble(Call::Resume, trouble.clone());
        let (name, cause) = failure(&fleet, 1).await;
        assert_eq!(name, ErrorName::BlueNotOpen, "{trouble:?}");
        assert!(cause.contains("i-0a0: "), "{cause}");
    }
    fleet.servers[0].trouble(Call::Resume, says(6, "i-0a0"));
    assert_eq!(run(&fleet, 1).await.unwrap().open, 1);
}

#[tokio::test]
async fn too_few_open_servers_call_an_operator_by_name_and_a_redrive_finds_them_mended() {
    let mut fleet = draining(2).await;
    fleet.kill(1).await;
    let (name, cause) = failure(&fleet, 2).await;
    assert_eq!(name, ErrorName::BlueNotOpen);
    assert!(
        cause.contains("1 of 2 blue servers are open, and 2 have to be"),
        "{cause}"
    );
    assert!(cause.contains("i-0a1: connection refused"), "{cause}");
    assert!(
        cause.contains("Redrive this execution if they come back")
            && cause.contains("register healthy"),
        "{cause}"
    );
    assert_eq!(fleet.servers[0].inside().admission, Admission::Open);
    assert_eq!(run(&fleet, 1).await.unwrap().open, 1);
    assert_eq!(run(&fleet, 0).await.unwrap().waiting.len(), 1);
}

#[tokio::test]
async fn a_server_of_a_newer_epoch_stops_us_before_anything_is_opened() {
    let fleet = draining(2).await;
    fleet.servers[1].inside().epoch = 7;
    let (name, cause) = failure(&fleet, 0).await;
    assert_eq!(name, ErrorName::Superseded);
    assert!(cause.contains("i-0a1 has taken epoch 7"), "{cause}");
    assert!(fleet.servers[0].asked(Call::Resume).is_empty());
}

#[tokio::test]
async fn a_newer_epoch_taken_between_report_and_opening_stops_us_too() {
    let fleet = draining(1).await;
    let mut stale = fleet.servers[0].inside().report();
    stale["epoch"] = json!(7);
    stale["error"] = json!("StaleEpoch");
    fleet.servers[0].trouble(Call::Resume, Trouble::Answers(409, stale.to_string()));
    assert_eq!(failure(&fleet, 0).await.0, ErrorName::Superseded);
}

#[tokio::test]
async fn blue_without_a_server_is_open_enough_only_for_a_minimum_of_nothing() {
    let fleet = Fleet::start(0).await;
    assert_eq!(run(&fleet, 0).await.unwrap().open, 0);
    assert_eq!(failure(&fleet, 1).await.0, ErrorName::BlueNotOpen);
}

#[tokio::test]
async fn those_that_have_not_opened_are_asked_again_and_no_others() {
    let fleet = draining(2).await;
    fleet.servers[1].trouble(Call::Resume, Trouble::Status(503));
    let first = run(&fleet, 1).await.unwrap();
    assert_eq!(first.waiting, fleet.listed()[1..]);
    fleet.servers[1].recover();
    let mut again = invocation(&fleet, 0);
    again.act = Act::ResumeAgain;
    again.document.resume = Some(first);
    let asked = fleet.servers[0].asked(Call::Resume).len();
    let second = call(&fleet, again).await.unwrap();
    assert_eq!((second.open, second.waiting.len()), (1, 0));
    assert_eq!(fleet.servers[0].asked(Call::Resume).len(), asked);
}

#[tokio::test]
async fn one_that_the_next_deployment_drains_by_now_is_its_own_and_no_reason_to_stop() {
    let fleet = draining(2).await;
    let mut again = invocation(&fleet, 0);
    again.act = Act::ResumeAgain;
    again.document.resume = Some(Resumed {
        waiting: fleet.listed(),
        ..run(&fleet, 0).await.unwrap()
    });
    fleet.servers[1].inside().epoch = 7;
    let asked = fleet.servers[1].asked(Call::Resume).len();
    let resumed = call(&fleet, again).await.unwrap();
    assert_eq!((resumed.open, resumed.waiting.len()), (1, 0));
    assert_eq!(fleet.servers[1].asked(Call::Resume).len(), asked);
}

#[tokio::test]
async fn a_further_look_opens_blue_by_the_list_of_who_let_it_go_and_never_green() {
    let fleet = draining(2).await;
    let listed = fleet.listed();
    let mut look = invocation(&fleet, 0);
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    look.document.held = Some(examples::listed(&blue, &listed[..1]));
    look.document.retiring = Some(examples::listed(&green, &listed[1..]));
    assert_eq!(call(&fleet, look).await.unwrap().open, 1);
    assert!(fleet.servers[1].inside().asked.is_empty());
}

#[tokio::test]
async fn another_act_or_a_document_without_a_list_is_refused_and_nobody_is_asked() {
    let fleet = draining(1).await;
    let mut other = invocation(&fleet, 0);
    other.act = Act::Drain;
    let mut unlisted = invocation(&fleet, 0);
    unlisted.document.retiring = None;
    let mut unsaid = invocation(&fleet, 0);
    unsaid.document.record = Some(examples::answer(Doing::Launching));
    for refused in [other, unlisted, unsaid] {
        let refused = call(&fleet, refused).await.unwrap_err();
        assert_eq!(refused.name(), ErrorName::InvalidInput, "{refused}");
        assert!(fleet.servers[0].inside().asked.is_empty());
    }
}
