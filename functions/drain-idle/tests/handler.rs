//! The handler against fake servers: what it orders of whom, and when it orders nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

use std::time::Duration;

use drain_idle::{DrainIdleError, Payload, drain_idle};
use ebbtide_rules::ErrorName;
use ebbtide_rules::drain::Drained;
use ebbtide_rules::report::Admission;
use ebbtide_runtime::Failure;
use ebbtide_sessions::fake::{Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use jiff::Timestamp;
use serde_json::{Value, json};

const SETTLED: &str = "2026-11-22T12:00:30Z";
const BEFORE: &str = "2026-11-22T12:00:29Z";
const AFTER: &str = "2026-11-22T12:02:00Z";

/// What the state machine sends, with the fence at epoch 5.
fn payload(fleet: &Fleet) -> Value {
    json!({
        "fence": {"deployment": "blue-moon", "epoch": 5}, "servers": fleet.listed(), "closuresPerSecond": 20,
        "settledAt": SETTLED, "changedAt": null, "baking": true, "pollSeconds": 30
    })
}

async fn run(fleet: &Fleet, now: &str) -> Result<Drained, DrainIdleError> {
    order(fleet, payload(fleet), now).await
}

async fn order(fleet: &Fleet, payload: Value, now: &str) -> Result<Drained, DrainIdleError> {
    let limits = Limits {
        connect: Duration::from_millis(300),
        total: Duration::from_secs(1),
    };
    let client = SessionClient::within(limits, fleet.endpoint()).unwrap();
    let payload: Payload = serde_json::from_value(payload).unwrap();
    let now: Timestamp = now.parse().unwrap();
    drain_idle(&client, || now, payload).await
}

#[tokio::test]
async fn nobody_is_asked_anything_until_the_load_balancer_has_settled() {
    let fleet = Fleet::start(2).await;
    let drained = run(&fleet, BEFORE).await.unwrap();
    assert_eq!((drained.ordered, drained.lease_seconds), (0, 0));
    assert!(drained.reason.contains(SETTLED), "{}", drained.reason);
    let mut step = payload(&fleet);
    step["settledAt"] = Value::Null;
    let step = order(&fleet, step, "2027-11-22T12:00:00Z").await.unwrap();
    assert_eq!((step.ordered, step.lease_seconds), (0, 0));
    for server in &fleet.servers {
        assert!(server.inside().asked.is_empty());
        assert_eq!(server.inside().admission, Admission::Open);
    }
}

#[tokio::test]
async fn every_server_has_its_share_of_the_pace() {
    let fleet = Fleet::start(3).await;
    fleet.servers[0].hold(3, 99);
    fleet.servers[1].hold(0, 59);
    fleet.servers[2].hold(2, 39);
    let drained = run(&fleet, AFTER).await.unwrap();
    assert_eq!(
        (drained.ordered, drained.per_second, drained.lease_seconds),
        (3, 20.0, 62)
    );
    assert!(drained.unknown.is_empty());
    for (server, per_second) in fleet.servers.iter().zip([10.0, 6.0, 4.0]) {
        let orders = server.asked(Call::Drain);
        assert_eq!(orders.len(), 1);
        assert_eq!(orders[0]["perSecond"], json!(per_second));
        assert_eq!(orders[0]["leaseSeconds"], json!(62));
        assert_eq!(server.inside().admission, Admission::Draining);
        assert_eq!(server.inside().epoch, 5);
    }
}

#[tokio::test]
async fn a_repeat_gives_the_same_orders() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].hold(1, 5);
    let first = run(&fleet, AFTER).await.unwrap();
    let second = run(&fleet, AFTER).await.unwrap();
    assert_eq!(first, second);
    let orders = fleet.servers[0].asked(Call::Drain);
    assert_eq!(orders[0], orders[1]);
}

#[tokio::test]
async fn a_sealed_server_is_not_ordered() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].inside().admission = Admission::Sealed;
    let drained = run(&fleet, AFTER).await.unwrap();
    assert_eq!(drained.ordered, 1);
    assert!(drained.unknown.is_empty());
    assert!(fleet.servers[0].asked(Call::Drain).is_empty());
    assert!(drained.reason.contains("sealed: 1"), "{}", drained.reason);
}

#[tokio::test]
async fn servers_that_cannot_be_told_are_named_and_the_others_are_told() {
    let mut fleet = Fleet::start(5).await;
    fleet.servers[1].trouble(Call::Read, Trouble::Status(401));
    fleet.servers[2].trouble(Call::Drain, Trouble::LosesReply);
    fleet.servers[3].trouble(Call::Drain, Trouble::Says("{}".to_owned()));
    fleet.kill(0).await;
    let drained = run(&fleet, AFTER).await.unwrap();
    assert_eq!(drained.ordered, 1);
    let unknown: Vec<(&str, &str)> = drained
        .unknown
        .iter()
        .map(|untold| (untold.instance.as_str(), untold.reason.as_str()))
        .collect();
    assert_eq!(
        unknown,
        [
            ("i-0a0", "connection refused"),
            ("i-0a1", "HTTP status 401"),
            ("i-0a2", "HTTP status 500"),
            ("i-0a3", "the report has no version"),
        ]
    );
    assert!(fleet.servers[1].asked(Call::Drain).is_empty());
}

async fn failure(fleet: &Fleet) -> (ErrorName, String) {
    match run(fleet, AFTER).await {
        Err(error) => (error.name(), error.to_string()),
        Ok(drained) => panic!("no failure: {drained:?}"),
    }
}

#[tokio::test]
async fn a_server_of_a_newer_epoch_stops_us_before_anything_is_ordered() {
    let fleet = Fleet::start(2).await;
    fleet.servers[1].inside().epoch = 6;
    let (name, cause) = failure(&fleet).await;
    assert_eq!(name, ErrorName::Superseded);
    assert!(cause.contains("i-0a1 has taken epoch 6"), "{cause}");
    assert!(fleet.servers[0].asked(Call::Drain).is_empty());
}

#[tokio::test]
async fn a_newer_epoch_taken_between_report_and_order_stops_us_too() {
    let fleet = Fleet::start(1).await;
    let mut stale = fleet.servers[0].inside().report();
    stale["epoch"] = json!(6);
    stale["error"] = json!("StaleEpoch");
    fleet.servers[0].trouble(Call::Drain, Trouble::Answers(409, stale.to_string()));
    assert_eq!(failure(&fleet).await.0, ErrorName::Superseded);
}

#[test]
fn a_pace_of_nothing_is_no_payload() {
    let payload = json!({
        "fence": {"deployment": "blue-moon", "epoch": 5}, "servers": [], "closuresPerSecond": 0,
        "settledAt": SETTLED, "baking": true, "pollSeconds": 30
    });
    let error = serde_json::from_value::<Payload>(payload).unwrap_err();
    assert!(error.to_string().contains("above 0"), "{error}");
}
