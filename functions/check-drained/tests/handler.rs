//! The handler against fake servers: what it asks of whom, and what it makes of every answer.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

use std::time::Duration;

use check_drained::{CheckDrainedError, Payload, check_drained};
use ebbtide_rules::ErrorName;
use ebbtide_rules::check::Check;
use ebbtide_rules::report::Admission;
use ebbtide_runtime::Failure;
use ebbtide_sessions::fake::{Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use jiff::Timestamp;
use serde_json::{Value, json};

const SETTLED: &str = "2026-11-22T12:00:30Z";
const BAKED: &str = "2026-11-22T12:15:00Z";
const BAKING: &str = "2026-11-22T12:10:00Z";
const AFTER: &str = "2026-11-22T12:20:00Z";
const LATE: &str = "2026-11-23T12:00:01Z";

/// What the state machine sends, with the fence at epoch 5.
fn payload(fleet: &Fleet) -> Value {
    json!({
        "fence": {"deployment": "blue-moon", "epoch": 5},
        "retiring": {
            "environment": {"targetGroupArn": "arn:aws:x", "name": "tunnel-a"},
            "servers": fleet.listed(), "gone": [], "waitingToEnd": [], "listedAt": "2026-11-22T12:00:00Z"
        },
        "bakedAt": BAKED, "settledAt": SETTLED,
        "stepEndsAt": null, "maySeal": true, "deadlineAt": "2026-11-23T12:00:00Z", "deadlineSeconds": 86400,
        "pollSeconds": 30, "redriveCount": 0, "previous": null
    })
}

async fn run(fleet: &Fleet, payload: Value, now: &str) -> Result<Check, CheckDrainedError> {
    let limits = Limits {
        connect: Duration::from_millis(300),
        total: Duration::from_secs(1),
    };
    let client = SessionClient::within(limits, fleet.endpoint()).unwrap();
    let payload: Payload = serde_json::from_value(payload).unwrap();
    let now: Timestamp = now.parse().unwrap();
    check_drained(&client, || now, payload).await
}

async fn check(fleet: &Fleet, now: &str) -> Check {
    run(fleet, payload(fleet), now).await.unwrap()
}

/// The only server's reason for being unknown.
fn only_unknown(check: &Check) -> &str {
    match check.unknown.as_slice() {
        [unheard] => &unheard.reason,
        unknown => panic!("not one unknown server: {unknown:?}"),
    }
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
    assert!(baking.baking && baking.settled);
    let mut unsettled = payload(&fleet);
    unsettled["settledAt"] = json!("2026-11-22T12:30:00Z");
    let unsettled = run(&fleet, unsettled, AFTER).await.unwrap();
    assert!(!unsettled.baking && !unsettled.settled);
    assert_eq!(seals_asked(&fleet), 0);
    assert!(baking.sealed.is_empty() && unsettled.sealed.is_empty());
}

/// What is not known has not happened, and a clock that is wrong by a year seals nobody.
#[tokio::test]
async fn nobody_is_asked_to_seal_until_the_record_says_so_and_every_moment_is_known() {
    let fleet = Fleet::start(2).await;
    let far = "2027-11-22T12:00:00Z";
    let mut step = payload(&fleet);
    step["stepEndsAt"] = json!("2026-11-22T12:03:04Z");
    for (field, value) in [
        ("maySeal", json!(false)),
        ("settledAt", Value::Null),
        ("bakedAt", Value::Null),
    ] {
        let mut payload = payload(&fleet);
        payload["deadlineAt"] = Value::Null;
        payload[field] = value.clone();
        let check = run(&fleet, payload, far).await.unwrap();
        assert!(check.sealed.is_empty(), "{field}");
        assert_eq!(check.baking, field != "settledAt");
        assert_eq!(check.settled, field != "settledAt");
        step["deadlineAt"] = Value::Null;
        step[field] = value;
    }
    let check = run(&fleet, step, "2026-11-22T12:00:10Z").await.unwrap();
    assert!(check.baking && !check.settled && check.deadline_at.is_none());
    assert_eq!(
        check.waiting_for,
        "the next step of traffic, until 12:03:04"
    );
    assert_eq!(seals_asked(&fleet), 0);
    let mut unsaid = payload(&fleet);
    unsaid.as_object_mut().unwrap().remove("maySeal");
    assert!(serde_json::from_value::<Payload>(unsaid).is_err());
}

#[tokio::test]
async fn after_the_bake_servers_with_nothing_in_use_seal_and_the_others_are_left_alone() {
    let fleet = Fleet::start(3).await;
    fleet.servers[0].hold(2, 0);
    fleet.servers[1].hold(0, 3);
    let check = check(&fleet, AFTER).await;
    assert_eq!(check.sealed, ["i-0a2"]);
    assert_eq!((check.busy, check.idle, check.servers), (2, 3, 3));
    assert_eq!(seals_asked(&fleet), 1);
    assert_eq!(fleet.servers[2].inside().epoch, 5);
    assert_eq!(
        check.waiting_for,
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
    assert_eq!(check.busy, 1);
    assert!(
        check
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
async fn a_seal_of_another_pass_or_without_an_acknowledgement_is_no_licence() {
    let fleet = Fleet::start(1).await;
    let sealed = check(&fleet, AFTER).await;
    assert_eq!(sealed.sealed, ["i-0a0"]);
    for trouble in [Trouble::LosesReply, Trouble::Hang, Trouble::Status(401)] {
        fleet.servers[0].trouble(Call::Seal, trouble);
        let mut again = payload(&fleet);
        again["previous"] = serde_json::to_value(&sealed).unwrap();
        let check = run(&fleet, again, AFTER).await.unwrap();
        assert!(check.sealed.is_empty());
        assert_eq!(check.unknown.len(), 1);
    }
    fleet.servers[0].recover();
    assert_eq!(check(&fleet, AFTER).await.sealed, ["i-0a0"]);
}

#[tokio::test]
async fn an_acknowledgement_that_is_none_is_not_believed() {
    let fleet = Fleet::start(1).await;
    let report = |admission: &str, epoch: u64, instance: &str| {
        let report = json!({"version": 1, "instance": instance, "admission": admission, "epoch": epoch,
                            "busy": 0, "idle": 0, "closed": 0, "oldestBusySeconds": 0});
        Trouble::Says(report.to_string())
    };
    for trouble in [
        report("draining", 5, "i-0a0"),
        report("sealed", 4, "i-0a0"),
        report("sealed", 5, "i-0b7"),
        Trouble::Says("{}".to_owned()),
        Trouble::Says("sealed".to_owned()),
        Trouble::Status(204),
    ] {
        fleet.servers[0].trouble(Call::Seal, trouble.clone());
        let check = check(&fleet, AFTER).await;
        assert!(check.sealed.is_empty(), "{trouble:?}");
        assert_eq!(check.unknown.len(), 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn whatever_a_server_answers_badly_it_is_unknown_and_never_sealed() {
    let fleet = Fleet::start(2).await;
    let report = |changes: Value| {
        let mut report = fleet.servers[0].inside().report();
        for (field, value) in changes.as_object().unwrap() {
            report[field] = value.clone();
        }
        Trouble::Says(report.to_string())
    };
    let cases = [
        (Trouble::Hang, "no answer in time"),
        (
            Trouble::Drip(Duration::from_millis(50)),
            "no answer in time",
        ),
        (Trouble::Huge, "the answer is too large"),
        (Trouble::Status(401), "HTTP status 401"),
        (Trouble::Status(500), "HTTP status 500"),
        (
            Trouble::Redirect(fleet.servers[1].url(&fleet, "/sessions")),
            "HTTP status 302",
        ),
        (
            Trouble::Says("{\"busy\": 0".to_owned()),
            "the answer is not a JSON report",
        ),
        (
            report(json!({"busy": -1})),
            "the report's busy is malformed",
        ),
        (report(json!({"idle": null})), "the report has no idle"),
        (
            report(json!({"version": 2})),
            "version 2 of the session endpoint, expected 1",
        ),
        (
            report(json!({"instance": "i-0b7"})),
            "another instance answers at its address",
        ),
    ];
    for (trouble, reason) in cases {
        fleet.servers[0].trouble(Call::Read, trouble);
        let check = check(&fleet, AFTER).await;
        assert_eq!(only_unknown(&check), reason);
        assert_eq!(check.sealed, ["i-0a1"]);
        assert!(fleet.servers[0].asked(Call::Seal).is_empty(), "{reason}");
    }
}

#[tokio::test]
async fn a_dead_server_blocks_by_name_since_it_fell_silent_and_the_rest_goes_on() {
    let mut fleet = Fleet::start(2).await;
    let listed = payload(&fleet);
    fleet.kill(0).await;
    let first = run(&fleet, listed.clone(), "2026-11-22T12:16:00Z")
        .await
        .unwrap();
    let mut second = listed;
    second["previous"] = serde_json::to_value(&first).unwrap();
    let second = run(&fleet, second, AFTER).await.unwrap();
    assert_eq!(second.sealed, ["i-0a1"]);
    assert_eq!(
        second.waiting_for,
        "1 server unknown since 12:16:00 (i-0a0: connection refused): if its loss is acceptable terminate it in EC2, \
         the deployment goes on by itself; 1 sealed server to be terminated"
    );
    assert_eq!(second.changed_at, first.changed_at);
    assert_eq!(second.wait_seconds, 24);
}

#[tokio::test]
async fn what_is_ending_is_waited_for_and_what_is_gone_is_not() {
    let fleet = Fleet::start(0).await;
    let mut ending = payload(&fleet);
    ending["retiring"]["waitingToEnd"] = json!(["i-0b1"]);
    ending["retiring"]["gone"] = json!(["i-0b2", "i-0b3"]);
    let check = run(&fleet, ending, LATE).await.unwrap();
    assert_eq!((check.servers, check.gone), (0, 2));
    assert_eq!(check.waiting_for, "1 terminating server to end");
    let mut gone = payload(&fleet);
    gone["retiring"]["gone"] = json!(["i-0b2"]);
    assert_eq!(
        run(&fleet, gone, LATE).await.unwrap().waiting_for,
        "nothing"
    );
}

async fn failure(fleet: &Fleet, payload: Value, now: &str) -> (ErrorName, String) {
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
        cause.contains("i-0a1 has taken epoch 6, above 5 of deployment blue-moon"),
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
async fn a_stale_epoch_that_proves_nothing_is_unknown() {
    let fleet = Fleet::start(1).await;
    let body = json!({"error": "StaleEpoch", "message": "epoch 5 is below 6"});
    fleet.servers[0].trouble(Call::Seal, Trouble::Answers(409, body.to_string()));
    assert_eq!(check(&fleet, AFTER).await.unknown.len(), 1);
}

#[tokio::test]
async fn past_the_deadline_an_operator_is_called_and_nothing_is_cut() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].hold(1, 0);
    let payload = |fleet: &Fleet| {
        let mut payload = payload(fleet);
        payload["retiring"]["listedAt"] = json!(LATE);
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
    redriven["redriveCount"] = json!(1);
    let granted = run(&fleet, redriven, LATE).await.unwrap();
    assert_eq!(
        granted.deadline_at.unwrap().to_string(),
        "2026-11-24T12:00:01Z"
    );
    assert_eq!(granted.redrives, 1);

    // The Arguments of before, as if AWS did not evaluate them anew; the standstill shows that somebody redrove it.
    let later = run(&fleet, payload(&fleet), "2026-11-23T13:30:02Z")
        .await
        .unwrap();
    assert_eq!(
        later.deadline_at.unwrap().to_string(),
        "2026-11-24T13:30:02Z"
    );

    fleet.servers[0].hold(0, 0);
    let sealed = run(&fleet, payload(&fleet), LATE).await.unwrap().sealed;
    assert_eq!(sealed, ["i-0a0", "i-0a1"]);
}
