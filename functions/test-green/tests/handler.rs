//! The handler against fake servers: what green must show before anybody's session is at stake.
#![expect(clippy::unwrap_used, reason = "a test's own functions may fail it")]

use std::time::Duration;

use ebbtide_rules::green_test::{GreenTest, Verdict};
use ebbtide_rules::report::Admission;
use ebbtide_sessions::fake::{Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use serde_json::{Value, json};
use test_green::{Pages, Payload, test_green};

fn payload(fleet: &Fleet, attempt: u32) -> Value {
    json!({"fence": {"deployment": "blue-moon", "epoch": 5}, "servers": fleet.listed(), "attempt": attempt})
}

async fn run(fleet: &Fleet, attempt: u32, paths: &[&str]) -> GreenTest {
    ask(fleet, payload(fleet, attempt), paths).await
}

async fn ask(fleet: &Fleet, payload: Value, paths: &[&str]) -> GreenTest {
    let limits = Limits {
        connect: Duration::from_millis(300),
        total: Duration::from_secs(1),
    };
    let client = SessionClient::within(limits, fleet.endpoint()).unwrap();
    let pages = Pages {
        port: fleet.endpoint().port,
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
    };
    let payload: Payload = serde_json::from_value(payload).unwrap();
    test_green(&client, &pages, payload).await.unwrap()
}

/// The reason of the only server that is refused.
fn reason(test: &GreenTest) -> &str {
    assert_eq!(test.refusals.len(), 1, "{test:?}");
    &test.refusals[0].reason
}

#[tokio::test]
async fn green_is_accepted_when_every_server_is_open_and_empty_and_has_the_epoch() {
    let fleet = Fleet::start(3).await;
    let first = run(&fleet, 0, &["/health"]).await;
    assert_eq!((first.verdict, first.attempt), (Verdict::Accepted, 1));
    for server in &fleet.servers {
        assert_eq!(server.inside().epoch, 5);
        assert_eq!(server.asked(Call::Page).len(), 1);
    }
    assert_eq!(run(&fleet, 0, &["/health"]).await, first, "a repeat");
}

#[tokio::test]
async fn a_server_that_may_still_come_is_waited_for_three_times() {
    let mut fleet = Fleet::start(2).await;
    fleet.kill(1).await;
    for attempt in 0..3 {
        let test = run(&fleet, attempt, &[]).await;
        assert_eq!((test.verdict, test.attempt), (Verdict::Wait, attempt + 1));
        assert_eq!(reason(&test), "connection refused");
    }
    let last = run(&fleet, 3, &[]).await;
    assert_eq!(last.verdict, Verdict::Rejected);
    assert!(last.reason.contains("after 4 attempts"), "{}", last.reason);
}

#[tokio::test]
async fn a_definite_refusal_rejects_at_once_and_is_asked_nothing_more() {
    let version_2 = json!({"version": 2, "instance": "i-0a1"});
    let fleet = Fleet::start(2).await;
    fleet.servers[1].trouble(Call::Read, Trouble::Says(version_2.to_string()));
    let test = run(&fleet, 0, &["/health"]).await;
    assert_eq!(test.verdict, Verdict::Rejected);
    assert_eq!(
        reason(&test),
        "version 2 of the session endpoint, expected 1"
    );
    assert!(fleet.servers[1].asked(Call::Resume).is_empty());
    assert!(fleet.servers[1].asked(Call::Page).is_empty());

    fleet.servers[1].recover();
    fleet.servers[1].inside().admission = Admission::Sealed;
    assert_eq!(
        reason(&run(&fleet, 0, &[]).await),
        "it is sealed, expected open"
    );
    fleet.servers[1].inside().admission = Admission::Open;
    fleet.servers[1].hold(1, 2);
    let test = run(&fleet, 0, &[]).await;
    assert_eq!(
        reason(&test),
        "it counts 1 busy and 2 idle sessions before it has any traffic"
    );
    fleet.servers[1].hold(0, 0);
    fleet.servers[1].inside().epoch = 6;
    let test = run(&fleet, 0, &[]).await;
    assert_eq!(test.verdict, Verdict::Rejected);
    assert_eq!(
        reason(&test),
        "it has taken epoch 6, above this deployment's 5"
    );
}

#[tokio::test]
async fn a_server_that_does_not_take_the_epoch_is_rejected() {
    let fleet = Fleet::start(1).await;
    let forgetful = fleet.servers[0].inside().report();
    fleet.servers[0].trouble(Call::Resume, Trouble::Says(forgetful.to_string()));
    let test = run(&fleet, 0, &[]).await;
    assert_eq!(test.verdict, Verdict::Rejected);
    assert_eq!(reason(&test), "it was given epoch 5 and reports 0");
}

#[tokio::test]
async fn a_lost_reply_to_resume_is_asked_for_again() {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Resume, Trouble::LosesReply);
    assert_eq!(run(&fleet, 0, &[]).await.verdict, Verdict::Wait);
    fleet.servers[0].recover();
    assert_eq!(run(&fleet, 1, &[]).await.verdict, Verdict::Accepted);
}

#[tokio::test]
async fn the_users_pages_decide_too() {
    let fleet = Fleet::start(2).await;
    for (trouble, verdict) in [
        (Trouble::Status(404), Verdict::Rejected),
        (
            Trouble::Redirect(fleet.servers[1].url(&fleet, "/health")),
            Verdict::Rejected,
        ),
        (Trouble::Status(503), Verdict::Wait),
        (Trouble::Hang, Verdict::Wait),
        (Trouble::Status(204), Verdict::Accepted),
    ] {
        fleet.servers[0].trouble(Call::Page, trouble.clone());
        let test = run(&fleet, 0, &["/health"]).await;
        assert_eq!(test.verdict, verdict, "{trouble:?}: {test:?}");
    }
}

#[tokio::test]
async fn green_without_a_server_is_rejected() {
    let fleet = Fleet::start(0).await;
    assert_eq!(run(&fleet, 0, &[]).await.verdict, Verdict::Rejected);
}

/// As the preflight asks, with a page that green would have to answer.
async fn preflight(fleet: &Fleet, attempt: u32) -> GreenTest {
    let mut payload = payload(fleet, attempt);
    payload["subject"] = json!("blue");
    ask(fleet, payload, &["/health"]).await
}

#[tokio::test]
async fn blue_is_only_read_whatever_it_holds() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].hold(3, 7);
    fleet.servers[0].inside().epoch = 4;
    fleet.servers[1].inside().admission = Admission::Draining;
    let test = preflight(&fleet, 0).await;
    assert_eq!(test.verdict, Verdict::Accepted, "{test:?}");
    assert_eq!(fleet.servers[0].inside().epoch, 4);
    for server in &fleet.servers {
        let asked: Vec<Call> = server
            .inside()
            .asked
            .iter()
            .map(|(call, _)| *call)
            .collect();
        assert_eq!(asked, [Call::Read]);
    }
}

#[tokio::test]
async fn blue_that_is_sealed_or_newer_is_refused_at_once_and_a_silent_one_after_four_attempts() {
    let mut fleet = Fleet::start(2).await;
    fleet.servers[1].inside().admission = Admission::Sealed;
    let test = preflight(&fleet, 0).await;
    assert_eq!(test.verdict, Verdict::Rejected);
    assert_eq!(
        reason(&test),
        "it is sealed and can take no session any more"
    );
    fleet.servers[1].inside().admission = Admission::Open;
    fleet.servers[1].inside().epoch = 6;
    assert_eq!(
        reason(&preflight(&fleet, 0).await),
        "it has taken epoch 6, above this deployment's 5"
    );
    fleet.servers[1].inside().epoch = 0;
    fleet.kill(0).await;
    assert_eq!(preflight(&fleet, 0).await.verdict, Verdict::Wait);
    let last = preflight(&fleet, 3).await;
    assert_eq!(last.verdict, Verdict::Rejected);
    assert!(
        last.reason
            .starts_with("blue servers that are not fit yet: 1 of 2"),
        "{}",
        last.reason
    );
}
