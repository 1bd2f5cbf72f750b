//! The handler against fake servers: what it asks of whom, and what it makes of every answer.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

mod unknown;

use std::time::Duration;

use check_drained::{Failed, handle};
use ebbtide_rules::ErrorName;
use ebbtide_rules::check::Check;
use ebbtide_rules::document::{Act, Document, Invocation};
use ebbtide_rules::examples;
use ebbtide_rules::record::Doing;
use ebbtide_rules::report::Admission;
use ebbtide_rules::service::Service;
use ebbtide_rules::weights::{Moments, Weights};
use ebbtide_sessions::fake::{Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use jiff::Timestamp;
use serde_json::{Value, json};

const BAKING: &str = "2026-11-22T12:10:00Z";
const AFTER: &str = "2026-11-22T12:20:00Z";
const LATE: &str = "2026-11-23T12:00:01Z";

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap()
}

/// Settled at 12:00:30, baked at 12:15, to be over a day after the switch.
fn moments() -> Moments {
    Moments {
        at: at("2026-11-22T12:00:00Z"),
        settled_at: Some(at("2026-11-22T12:00:30Z")),
        baked_at: Some(at("2026-11-22T12:15:00Z")),
        deadline_at: Some(at("2026-11-23T12:00:00Z")),
        step_ends_at: None,
    }
}

/// The call while blue drains, by these moments of the record.
fn draining(fleet: &Fleet, moments: Moments) -> Invocation {
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    let plan = examples::recorded(&blue, &green, &[]);
    let mut retiring = examples::listed(&blue, &fleet.listed());
    retiring.answer.listed_at = moments.at;
    let doing = Doing::Draining {
        environment: blue,
        moments,
    };
    let document = Document {
        retiring: Some(retiring),
        ..examples::about(plan, doing)
    };
    examples::invocation(Act::Check, document)
}

/// The call while the front still watches, by these moments of the confirmed weights.
fn watching(fleet: &Fleet, moments: Moments) -> Invocation {
    let mut call = draining(fleet, moments);
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    let mut switched = examples::switched(weights, &[]);
    switched.answer.moments = moments;
    call.document.switch = Some(switched);
    call.document.record = Some(examples::answer(Doing::Watching { weights }));
    call
}

fn payload(fleet: &Fleet) -> Invocation {
    draining(fleet, moments())
}

async fn run(fleet: &Fleet, call: Invocation, now: &str) -> Result<Check, Failed> {
    // Who hangs is waited for so long; nobody else takes that long on a busy machine either.
    let limits = Limits {
        connect: Duration::from_secs(5),
        total: Duration::from_secs(5),
    };
    let client = SessionClient::within(limits, fleet.endpoint()).unwrap();
    Box::pin(handle(&client, || at(now), call)).await
}

async fn check(fleet: &Fleet, now: &str) -> Check {
    run(fleet, payload(fleet), now).await.unwrap()
}

fn seals_asked(fleet: &Fleet) -> usize {
    fleet
        .servers
        .iter()
        .map(|server| server.asked(Call::Seal).len())
        .sum()
}

#[tokio::test]
async fn no_seal_is_asked_for_while_baking_or_before_the_load_balancer_has_settled() {
    let fleet = Fleet::start(2).await;
    let baking = check(&fleet, BAKING).await;
    assert!(baking.outlook.baking && baking.outlook.settled);
    let unsettled = Moments {
        settled_at: Some(at("2026-11-22T12:30:00Z")),
        ..moments()
    };
    let unsettled = draining(&fleet, unsettled);
    let unsettled = run(&fleet, unsettled, AFTER).await.unwrap();
    assert!(!unsettled.outlook.baking && !unsettled.outlook.settled);
    assert_eq!(seals_asked(&fleet), 0);
    assert!(baking.sealed.is_empty() && unsettled.sealed.is_empty());
}

/// What is not known has not happened, and a clock that is wrong by a year seals nobody.
#[tokio::test]
async fn nobody_is_asked_to_seal_until_the_record_says_so_and_every_moment_is_known() {
    let fleet = Fleet::start(2).await;
    let far = "2027-11-22T12:00:00Z";
    let ageless = Moments {
        deadline_at: None,
        ..moments()
    };
    let unsettled = Moments {
        settled_at: None,
        ..ageless
    };
    let unbaked = Moments {
        baked_at: None,
        ..ageless
    };
    for (call, baking, settled) in [
        (watching(&fleet, ageless), true, true),
        (draining(&fleet, unsettled), false, false),
        (draining(&fleet, unbaked), true, true),
    ] {
        let check = run(&fleet, call, far).await.unwrap();
        assert!(check.sealed.is_empty());
        assert_eq!(
            (check.outlook.baking, check.outlook.settled),
            (baking, settled)
        );
    }
    let step = Moments {
        settled_at: None,
        baked_at: None,
        step_ends_at: Some(at("2026-11-22T12:03:04Z")),
        ..ageless
    };
    let check = run(&fleet, watching(&fleet, step), "2026-11-22T12:00:10Z");
    let check = check.await.unwrap();
    assert!(check.outlook.baking && !check.outlook.settled && check.memory.deadline_at.is_none());
    assert_eq!(
        check.outlook.waiting_for,
        "the next step of traffic, until 12:03:04"
    );
    assert_eq!(seals_asked(&fleet), 0);
}

#[tokio::test]
async fn weights_that_were_never_confirmed_settle_nothing() {
    let fleet = Fleet::start(1).await;
    let mut call = watching(&fleet, moments());
    call.document.switch = None;
    let check = run(&fleet, call, AFTER).await.unwrap();
    assert!(check.outlook.baking && !check.outlook.settled && check.memory.deadline_at.is_none());
    assert_eq!(seals_asked(&fleet), 0);
}

#[tokio::test]
async fn another_act_or_a_document_without_a_list_is_refused_and_nobody_is_asked() {
    let fleet = Fleet::start(1).await;
    let mut other = payload(&fleet);
    other.act = Act::Drain;
    let mut unlisted = payload(&fleet);
    unlisted.document.retiring = None;
    for call in [other, unlisted] {
        assert_eq!(
            failure(&fleet, call, AFTER).await.0,
            ErrorName::InvalidInput
        );
        assert!(fleet.servers[0].inside().asked.is_empty());
    }
}

#[tokio::test]
async fn after_the_bake_servers_with_nothing_in_use_seal_and_the_others_are_left_alone() {
    let fleet = Fleet::start(3).await;
    fleet.servers[0].hold(2, 0);
    fleet.servers[1].hold(0, 3);
    let check = check(&fleet, AFTER).await;
    assert_eq!(check.sealed, ["i-0a2"]);
    assert_eq!(
        (check.counts.busy, check.counts.idle, check.counts.servers),
        (2, 3, 3)
    );
    assert_eq!(seals_asked(&fleet), 1);
    assert_eq!(fleet.servers[2].inside().epoch, 5);
    assert_eq!(
        check.outlook.waiting_for,
        "2 busy sessions on 1 server (i-0a0: 2 busy, oldest 431 s); 3 idle sessions on 1 server (i-0a1: 3 idle); \
         1 sealed server to be terminated"
    );
}

#[tokio::test]
async fn a_session_that_arrives_between_report_and_seal_is_not_cut() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].inside().arrive_before_seal = 1;
    fleet.servers[1].inside().handshakes = 1;
    let check = check(&fleet, AFTER).await;
    assert_eq!(seals_asked(&fleet), 2);
    assert!(check.sealed.is_empty());
    assert_eq!(check.counts.busy, 1);
    assert!(
        check
            .outlook
            .waiting_for
            .contains("1 server in use by something that is no session (i-0a1)")
    );
    assert_eq!(fleet.servers[0].inside().admission, Admission::Open);
}

#[tokio::test]
async fn a_repeat_finds_the_same_and_changes_nothing() {
    let fleet = Fleet::start(2).await;
    fleet.servers[1].hold(1, 0);
    let first = check(&fleet, AFTER).await;
    let second = check(&fleet, AFTER).await;
    assert_eq!(first, second);
    assert_eq!(second.sealed, ["i-0a0"]);
}

#[tokio::test]
async fn a_server_sealed_for_an_earlier_epoch_acknowledges_this_one() {
    let fleet = Fleet::start(1).await;
    {
        let mut inside = fleet.servers[0].inside();
        inside.admission = Admission::Sealed;
        inside.epoch = 4;
    }
    assert!(check(&fleet, BAKING).await.sealed.is_empty());
    assert_eq!(check(&fleet, AFTER).await.sealed, ["i-0a0"]);
    assert_eq!(fleet.servers[0].inside().epoch, 5);
}

#[tokio::test]
async fn what_is_ending_is_waited_for_and_what_is_gone_is_not() {
    let fleet = Fleet::start(0).await;
    let mut ending = payload(&fleet);
    let list = &mut ending.document.retiring.as_mut().unwrap().answer;
    list.waiting_to_end = vec!["i-0b1".to_owned()];
    list.gone = vec!["i-0b2".to_owned(), "i-0b3".to_owned()];
    let check = run(&fleet, ending, LATE).await.unwrap();
    assert_eq!((check.counts.servers, check.counts.gone), (0, 2));
    assert_eq!(check.outlook.waiting_for, "1 terminating server to end");
    let mut gone = payload(&fleet);
    let list = &mut gone.document.retiring.as_mut().unwrap().answer;
    list.gone = vec!["i-0b2".to_owned()];
    assert_eq!(
        run(&fleet, gone, LATE).await.unwrap().outlook.waiting_for,
        "nothing"
    );
}

async fn failure(fleet: &Fleet, payload: Invocation, now: &str) -> (ErrorName, String) {
    match run(fleet, payload, now).await {
        Err(error) => (error.name(), error.to_string()),
        Ok(check) => panic!("no failure: {check:?}"),
    }
}

#[tokio::test]
async fn a_server_of_a_newer_epoch_stops_us_before_anything_is_sealed() {
    let fleet = Fleet::start(2).await;
    fleet.servers[1].inside().epoch = 6;
    let (name, cause) = failure(&fleet, payload(&fleet), AFTER).await;
    assert_eq!(name, ErrorName::Superseded);
    assert!(
        cause.contains("i-0a1 has taken epoch 6, above 5 of deployment deploy-1"),
        "{cause}"
    );
    assert_eq!(seals_asked(&fleet), 0);
}

#[tokio::test]
async fn a_newer_epoch_taken_between_report_and_seal_stops_us_too() {
    let fleet = Fleet::start(1).await;
    let mut stale = fleet.servers[0].inside().report();
    stale["epoch"] = json!(6);
    stale["error"] = json!("StaleEpoch");
    fleet.servers[0].trouble(Call::Seal, Trouble::Answers(409, stale.to_string()));
    let (name, _) = failure(&fleet, payload(&fleet), AFTER).await;
    assert_eq!(name, ErrorName::Superseded);
}

#[tokio::test]
async fn past_the_deadline_an_operator_is_called_and_nothing_is_cut() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].hold(1, 0);
    let payload = |fleet: &Fleet| {
        let mut payload = payload(fleet);
        payload.document.retiring.as_mut().unwrap().answer.listed_at = at(LATE);
        payload
    };
    let (name, cause) = failure(&fleet, payload(&fleet), LATE).await;
    assert_eq!(name, ErrorName::DrainDeadlineExceeded);
    assert!(
        cause.contains("1 busy session on 1 server (i-0a0"),
        "{cause}"
    );
    assert_eq!(fleet.servers[0].inside().busy, 1);

    let mut redriven = payload(&fleet);
    redriven.redrives = 1;
    let granted = run(&fleet, redriven, LATE).await.unwrap();
    assert_eq!(
        granted.memory.deadline_at.unwrap().to_string(),
        "2026-11-24T12:00:01Z"
    );
    assert_eq!(granted.memory.redrives, 1);

    // The Arguments of before, as if AWS did not evaluate them anew; the standstill shows that somebody redrove it.
    let later = run(&fleet, payload(&fleet), "2026-11-23T13:30:02Z")
        .await
        .unwrap();
    assert_eq!(
        later.memory.deadline_at.unwrap().to_string(),
        "2026-11-24T13:30:02Z"
    );

    fleet.servers[0].hold(0, 0);
    let sealed = run(&fleet, payload(&fleet), LATE).await.unwrap().sealed;
    assert_eq!(sealed, ["i-0a0", "i-0a1"]);
}

#[tokio::test]
async fn what_the_checks_through_the_load_balancer_say_is_told_while_anything_follows_from_it() {
    let fleet = Fleet::start(2).await;
    let failed = Service {
        failures: 2,
        failed: Some("/health answers 502".to_owned()),
        reason: String::new(),
    };
    let told = "the checks through the load balancer failed 2 times in a row: /health answers 502";
    for (mut call, now, is_told) in [
        (watching(&fleet, moments()), BAKING, true),
        (payload(&fleet), AFTER, false),
    ] {
        call.document.service = Some(failed.clone());
        let waiting_for = run(&fleet, call, now).await.unwrap().outlook.waiting_for;
        assert_eq!(waiting_for.contains(told), is_told, "{waiting_for}");
    }
}
