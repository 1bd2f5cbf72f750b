//! The handler against fake servers: what it orders of whom, and when it orders nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

use std::time::Duration;

use drain_idle::{Failed, handle};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::{Act, Document, Invocation};
use ebbtide_rules::drain::Drained;
use ebbtide_rules::examples;
use ebbtide_rules::record::Doing;
use ebbtide_rules::report::Admission;
use ebbtide_rules::weights::Weights;
use ebbtide_sessions::fake::{Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use jiff::Timestamp;
use serde_json::json;

const SETTLED: &str = "2026-11-22T10:00:30Z";
const BEFORE: &str = "2026-11-22T10:00:29Z";
const AFTER: &str = "2026-11-22T10:02:00Z";

/// The document while the bake is watched, with all the weight on green since 10:00.
fn document(fleet: &Fleet) -> Document {
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    let plan = examples::recorded(&blue, &green, &[]);
    let mut switch = examples::switched(weights, &[&blue, &green]);
    // This pass has confirmed the weights once more, since the load balancer settled.
    switch.answer.confirmed_at = SETTLED.parse().unwrap();
    Document {
        retiring: Some(examples::listed(&blue, &fleet.listed())),
        switch: Some(switch),
        ..examples::about(plan, Doing::Watching { weights })
    }
}

async fn run(fleet: &Fleet, now: &str) -> Result<Drained, Failed> {
    order(
        fleet,
        examples::invocation(Act::Drain, document(fleet)),
        now,
    )
    .await
}

async fn order(fleet: &Fleet, invocation: Invocation, now: &str) -> Result<Drained, Failed> {
    let limits = Limits {
        connect: Duration::from_millis(300),
        total: Duration::from_secs(1),
    };
    let client = SessionClient::within(limits, fleet.endpoint()).unwrap();
    let now: Timestamp = now.parse().unwrap();
    handle(&client, || now, invocation).await
}

#[tokio::test]
async fn nobody_is_asked_anything_until_the_load_balancer_has_settled() {
    let fleet = Fleet::start(2).await;
    let drained = run(&fleet, BEFORE).await.unwrap();
    assert_eq!((drained.ordered, drained.lease_seconds), (0, 0));
    assert!(drained.reason.contains(SETTLED), "{}", drained.reason);
    let mut step = document(&fleet);
    step.switch.as_mut().unwrap().answer.moments.settled_at = None;
    let unconfirmed = Document {
        switch: None,
        ..document(&fleet)
    };
    for document in [step, unconfirmed] {
        let call = examples::invocation(Act::Drain, document);
        let drained = order(&fleet, call, "2027-11-22T12:00:00Z").await.unwrap();
        assert_eq!((drained.ordered, drained.lease_seconds), (0, 0));
    }
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
            (
                "i-0a1",
                "it takes signed calls only; give the stack its SigningSecretArn"
            ),
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

#[tokio::test]
async fn another_act_or_a_document_without_a_list_is_refused_and_nobody_is_asked() {
    let fleet = Fleet::start(1).await;
    let other = examples::invocation(Act::Check, document(&fleet));
    let unlisted = Document {
        retiring: None,
        ..document(&fleet)
    };
    let unlisted = examples::invocation(Act::Drain, unlisted);
    for call in [other, unlisted] {
        let refused = order(&fleet, call, AFTER).await.unwrap_err();
        assert_eq!(refused.name(), ErrorName::InvalidInput, "{refused}");
        assert!(fleet.servers[0].inside().asked.is_empty());
    }
}

#[tokio::test]
async fn after_the_bake_the_pace_goes_on_by_the_records_moments_and_the_lease_outlasts_longer_waits()
 {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].hold(0, 5);
    let blue = examples::environment("blue");
    let mut draining = document(&fleet);
    draining.switch = None;
    draining.record = Some(examples::answer(Doing::Draining {
        environment: blue,
        moments: examples::moments(),
    }));
    let call = |document: &Document| examples::invocation(Act::Drain, document.clone());
    let hours_later = "2026-11-22T13:00:00Z";
    let drained = order(&fleet, call(&draining), hours_later).await.unwrap();
    assert_eq!((drained.ordered, drained.lease_seconds), (1, 275));
    let watched = order(&fleet, call(&document(&fleet)), hours_later)
        .await
        .unwrap();
    assert_eq!(
        watched.lease_seconds, 90,
        "30 s are the longest wait while baking"
    );
}
