//! The client against servers that misbehave in every way we know: each is Unknown, none is believed, all is bounded.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

use std::sync::Arc;
use std::time::Duration;

use ebbtide_rules::drain::Order;
use ebbtide_rules::green_test::PageAnswer;
use ebbtide_rules::plan::Pages;
use ebbtide_rules::report::{Admission, Reading, Refusal, Reply, UnknownReason};
use ebbtide_rules::{Fence, Server};
use ebbtide_sessions::fake::{Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, Master, SessionClient};
use serde_json::json;
use tokio::time::Instant;

fn within(total: Duration, fleet: &Fleet) -> SessionClient {
    let limits = Limits {
        connect: total,
        total,
    };
    SessionClient::within(limits, fleet.endpoint()).unwrap()
}

/// A client that a busy machine does not make give up.
fn client(fleet: &Fleet) -> SessionClient {
    within(Duration::from_secs(60), fleet)
}

/// A client that gives up soon, where a test waits for it.
fn impatient(fleet: &Fleet) -> SessionClient {
    within(Duration::from_secs(2), fleet)
}

fn fence(epoch: u64) -> Fence {
    Fence {
        deployment: "blue-moon".to_owned(),
        epoch,
    }
}

async fn reason(fleet: &Fleet) -> UnknownReason {
    reason_to(&client(fleet), fleet).await
}

async fn reason_to(client: &SessionClient, fleet: &Fleet) -> UnknownReason {
    match client.read(&fleet.listed()).await.remove(0) {
        Reading::Unknown(reason) => reason,
        Reading::Report(report) => panic!("believed {report:?}"),
    }
}

async fn reason_of(trouble: Trouble) -> UnknownReason {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Read, trouble);
    reason(&fleet).await
}

#[tokio::test]
async fn reports_come_in_the_servers_order() {
    let fleet = Fleet::start(3).await;
    fleet.servers[1].hold(2, 10);
    let readings = client(&fleet).read(&fleet.listed()).await;
    let counts: Vec<_> = readings
        .iter()
        .map(|reading| {
            reading
                .report()
                .map(|report| (report.instance.as_str(), report.busy, report.idle))
        })
        .collect();
    assert_eq!(
        counts,
        [
            Some(("i-0a0", 0, 0)),
            Some(("i-0a1", 2, 10)),
            Some(("i-0a2", 0, 0))
        ]
    );
}

#[tokio::test]
async fn more_servers_than_are_asked_at_a_time_are_all_asked() {
    let fleet = Fleet::start(1).await;
    let listed = fleet.listed();
    let many: Vec<Server> = listed.iter().cycle().take(600).cloned().collect();
    let readings = client(&fleet).read(&many).await;
    assert_eq!(
        readings
            .iter()
            .filter(|reading| reading.report().is_some())
            .count(),
        600
    );
}

#[tokio::test]
async fn a_dead_server_is_refused() {
    let mut fleet = Fleet::start(1).await;
    fleet.kill(0).await;
    assert_eq!(reason(&fleet).await, UnknownReason::Refused);
}

#[tokio::test]
async fn a_server_that_no_route_leads_to_did_not_refuse() {
    let fleet = Fleet::start(1).await;
    // Linux connects no TCP socket to the broadcast address, whatever routes there are: nothing is sent.
    let nowhere = Server {
        ip: "255.255.255.255".to_owned(),
        ..fleet.listed().remove(0)
    };
    assert_eq!(
        client(&fleet).read(&[nowhere]).await,
        [Reading::Unknown(UnknownReason::Unreachable)]
    );
}

#[tokio::test]
async fn a_hung_server_and_a_slow_drip_are_given_up_in_time() {
    let drip = Trouble::Drip(Duration::from_millis(20));
    for trouble in [Trouble::Hang, drip] {
        let fleet = Fleet::start(1).await;
        fleet.servers[0].trouble(Call::Read, trouble);
        let reason = reason_to(&impatient(&fleet), &fleet).await;
        assert_eq!(reason, UnknownReason::TimedOut);
    }
}

#[tokio::test]
async fn a_huge_body_is_not_read() {
    assert_eq!(reason_of(Trouble::Huge).await, UnknownReason::TooLarge);
    let padded = format!("{{\"version\": 1{}", " ".repeat(64 * 1024));
    assert_eq!(
        reason_of(Trouble::Says(padded)).await,
        UnknownReason::TooLarge
    );
}

#[tokio::test]
async fn the_last_byte_that_is_read_is_the_65536th() {
    let fleet = Fleet::start(1).await;
    let report = fleet.servers[0].inside().report().to_string();
    for (length, is_read) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let padded = format!("{report}{}", " ".repeat(length - report.len()));
        fleet.servers[0].trouble(Call::Read, Trouble::Says(padded));
        let reading = client(&fleet).read(&fleet.listed()).await.remove(0);
        assert_eq!(reading.report().is_some(), is_read, "{length} bytes");
        if !is_read {
            assert_eq!(reading, Reading::Unknown(UnknownReason::TooLarge));
        }
    }
}

#[tokio::test]
async fn statuses_are_no_reports() {
    for status in [204, 400, 403, 404, 409, 500, 503] {
        assert_eq!(
            reason_of(Trouble::Status(status)).await,
            UnknownReason::Status(status)
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let fleet = Fleet::start(2).await;
    let elsewhere = fleet.servers[1].url(&fleet, "/sessions");
    for call in [Call::Read, Call::Seal] {
        fleet.servers[0].trouble(call, Trouble::Redirect(elsewhere.clone()));
    }
    let first = &fleet.listed()[..1];
    let reading = client(&fleet).read(first).await.remove(0);
    assert_eq!(reading, Reading::Unknown(UnknownReason::Status(302)));
    let answer = client(&fleet).seal(&fence(5), first).await.remove(0);
    assert_eq!(answer, Reply::Unknown(UnknownReason::Status(302)));
    assert!(fleet.servers[1].inside().asked.is_empty());
}

#[tokio::test]
async fn what_is_no_report_of_this_instance_is_unknown() {
    let report = |changes: serde_json::Value| {
        let mut report = json!({"version": 1, "instance": "i-0a0", "admission": "open", "epoch": 1,
                                "busy": 0, "idle": 0, "closed": 0, "oldestBusySeconds": 0});
        for (field, value) in changes.as_object().unwrap() {
            report[field] = value.clone();
        }
        Trouble::Says(report.to_string())
    };
    let cases = [
        (
            Trouble::Says("{\"version\": 1,".to_owned()),
            UnknownReason::NotAReport,
        ),
        (Trouble::Says(String::new()), UnknownReason::NotAReport),
        (
            report(json!({"busy": -1})),
            UnknownReason::Malformed("busy"),
        ),
        (
            report(json!({"idle": null})),
            UnknownReason::Missing("idle"),
        ),
        (report(json!({"version": 2})), UnknownReason::Version(2)),
        (
            report(json!({"instance": "i-0b7"})),
            UnknownReason::OtherInstance,
        ),
    ];
    for (trouble, expected) in cases {
        assert_eq!(reason_of(trouble).await, expected);
    }
}

#[tokio::test]
async fn only_listed_addresses_are_called() {
    let fleet = Fleet::start(1).await;
    let named = Server {
        ip: "localhost".to_owned(),
        ..fleet.listed().remove(0)
    };
    let servers = [named];
    let client = SessionClient::new(fleet.endpoint()).unwrap();
    assert_eq!(
        client.read(&servers).await,
        [Reading::Unknown(UnknownReason::NoAddress)]
    );
    assert_eq!(
        client.seal(&fence(5), &servers).await,
        [Reply::Unknown(UnknownReason::NoAddress)]
    );
}

#[tokio::test]
async fn one_retry_and_no_more() {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Read, Trouble::UnavailableTimes(1));
    assert!(
        client(&fleet).read(&fleet.listed()).await[0]
            .report()
            .is_some()
    );
    assert_eq!(fleet.servers[0].asked(Call::Read).len(), 2);

    fleet.servers[0].trouble(Call::Read, Trouble::UnavailableTimes(2));
    assert_eq!(reason(&fleet).await, UnknownReason::Status(503));
    assert_eq!(fleet.servers[0].asked(Call::Read).len(), 4);

    fleet.servers[0].trouble(Call::Read, Trouble::Status(401));
    assert_eq!(reason(&fleet).await, UnknownReason::DemandsSignature);
    assert_eq!(fleet.servers[0].asked(Call::Read).len(), 5);
}

#[tokio::test]
async fn every_post_names_instance_deployment_and_epoch() {
    let fleet = Fleet::start(1).await;
    let client = client(&fleet);
    let order = Order {
        per_second: 2.5,
        lease_seconds: 62,
    };
    let orders = [(fleet.listed().remove(0), order)];
    client.drain(&fence(5), &orders).await;
    client.resume(&fence(5), &fleet.listed()).await;
    client.seal(&fence(5), &fleet.listed()).await;

    let named = json!({"instance": "i-0a0", "deployment": "blue-moon", "epoch": 5});
    let mut ordered = named.clone();
    ordered["perSecond"] = json!(2.5);
    ordered["leaseSeconds"] = json!(62);
    let server = &fleet.servers[0];
    assert_eq!(server.asked(Call::Drain), [ordered]);
    assert_eq!(server.asked(Call::Resume), std::slice::from_ref(&named));
    assert_eq!(server.asked(Call::Seal), std::slice::from_ref(&named));
    assert_eq!(server.inside().admission, Admission::Sealed);
}

#[tokio::test]
async fn refusals_have_their_names() {
    let fleet = Fleet::start(3).await;
    fleet.servers[0].hold(1, 0);
    fleet.servers[1].inside().epoch = 6;
    fleet.servers[2].inside().instance = "i-0b7".to_owned();
    let mut listed = fleet.listed();
    listed[2].instance = "i-0a2".to_owned();
    let answers = client(&fleet).seal(&fence(5), &listed).await;
    assert!(matches!(&answers[0], Reply::Refused(Refusal::InUse, report) if report.busy == 1));
    assert!(
        matches!(&answers[1], Reply::Refused(Refusal::StaleEpoch, report) if report.epoch == 6)
    );
    assert_eq!(answers[2], Reply::Unknown(UnknownReason::OtherInstance));

    fleet.servers[0].hold(0, 0);
    let first = &fleet.listed()[..1];
    assert!(matches!(
        client(&fleet).seal(&fence(5), first).await[0],
        Reply::Report(_)
    ));
    let reopened = client(&fleet).resume(&fence(5), first).await;
    assert!(matches!(&reopened[0], Reply::Refused(Refusal::Sealed, _)));
}

#[tokio::test]
async fn a_lost_reply_is_unknown_although_the_server_obeyed() {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Seal, Trouble::LosesReply);
    let answers = client(&fleet).seal(&fence(5), &fleet.listed()).await;
    assert_eq!(answers, [Reply::Unknown(UnknownReason::Status(500))]);
    assert_eq!(fleet.servers[0].inside().admission, Admission::Sealed);
}

fn pages(fleet: &Fleet, paths: &[&str]) -> Pages {
    Pages {
        port: fleet.endpoint().port,
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
        web_sockets: None,
        service: None,
        green: None,
    }
}

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test]
async fn a_page_is_not_waited_for_when_the_time_of_all_checks_is_over() {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Page, Trouble::Hang);
    let asked = pages(&fleet, &["/health", "/ready"]);
    let pages = client(&fleet)
        .checks()
        .pages(&fleet.listed(), &asked, Instant::now())
        .await;
    let late = PageAnswer::Unknown(UnknownReason::TimedOut);
    assert_eq!(pages[0], [("/health".to_owned(), late)]);
}

#[tokio::test]
async fn pages_are_asked_for_in_order_until_one_is_silent() {
    let fleet = Fleet::start(2).await;
    fleet.servers[1].trouble(Call::Page, Trouble::Hang);
    let asked = pages(&fleet, &["/health", "/ready"]);
    let pages = impatient(&fleet)
        .checks()
        .pages(&fleet.listed(), &asked, in_a_minute())
        .await;
    let fine = |path: &str| (path.to_owned(), PageAnswer::Status(200));
    assert_eq!(pages[0], [fine("/health"), fine("/ready")]);
    assert_eq!(
        pages[1],
        [(
            "/health".to_owned(),
            PageAnswer::Unknown(UnknownReason::TimedOut)
        )]
    );
}

fn masters(numbers: &[u8]) -> Arc<[Master]> {
    let text = |number| format!("a master of more than thirty-two characters, {number}").into();
    let masters = numbers.iter().map(|number| Master::new(&text(*number)));
    masters.map(Result::unwrap).collect()
}

/// The server has the keys of this instance.
fn give_keys(fleet: &Fleet, server: usize, instance: &str, of: &[u8]) {
    let keys = masters(of).iter().map(|it| it.key_of(instance)).collect();
    fleet.servers[server].inside().keys = keys;
}

#[tokio::test]
async fn signed_calls_are_taken_and_their_answers_believed() {
    let fleet = Fleet::start(2).await;
    give_keys(&fleet, 0, "i-0a0", &[1]);
    give_keys(&fleet, 1, "i-0a1", &[1, 2]);
    // While the master rotates, both kinds of server are called alike.
    for known in [&[1][..], &[2, 1]] {
        let client = client(&fleet).signing(masters(known));
        let readings = client.read(&fleet.listed()).await;
        assert!(
            readings.iter().all(|it| it.report().is_some()),
            "{readings:?}"
        );
    }
    let client = client(&fleet).signing(masters(&[2, 1]));
    let sealed = client.seal(&fence(7), &fleet.listed()).await;
    assert!(
        matches!(&sealed[..], [Reply::Report(_), Reply::Report(_)]),
        "{sealed:?}"
    );
    // A refusal is believed because it is signed.
    let refused = client.resume(&fence(6), &fleet.listed()).await;
    assert!(matches!(&refused[0], Reply::Refused(..)), "{refused:?}");
}

#[tokio::test]
async fn a_mixture_of_signed_and_unsigned_is_unknown_and_says_what_is_missing() {
    let fleet = Fleet::start(1).await;
    let signing = client(&fleet).signing(masters(&[1]));
    assert_eq!(reason_to(&signing, &fleet).await, UnknownReason::Unsigned);
    give_keys(&fleet, 0, "i-0a0", &[1]);
    assert_eq!(reason(&fleet).await, UnknownReason::DemandsSignature);
}

#[tokio::test]
async fn a_server_with_another_key_neither_obeys_nor_is_believed() {
    let fleet = Fleet::start(1).await;
    let signing = client(&fleet).signing(masters(&[1]));
    for (instance, of) in [("i-0a0", 2), ("i-0a9", 1)] {
        give_keys(&fleet, 0, instance, &[of]);
        assert_eq!(
            reason_to(&signing, &fleet).await,
            UnknownReason::SignatureRefused
        );
        let sealed = signing.seal(&fence(7), &fleet.listed()).await;
        assert_eq!(sealed, [Reply::Unknown(UnknownReason::SignatureRefused)]);
        assert_eq!(fleet.servers[0].asked(Call::Seal).len(), 0);
    }
}

#[tokio::test]
async fn a_stranger_on_a_reused_address_is_not_believed_whatever_it_says() {
    let fleet = Fleet::start(1).await;
    let listed = fleet.listed();
    let signing = client(&fleet).signing(masters(&[1]));
    let report = fleet.servers[0].inside().report().to_string();
    fleet.servers[0].trouble(Call::Read, Trouble::Says(report));
    assert_eq!(reason_to(&signing, &fleet).await, UnknownReason::Unsigned);
    // One that takes any signature, and signs with a key of its own.
    fleet.servers[0].recover();
    fleet.servers[0].inside().answers_with = Some(masters(&[1])[0].key_of("i-0a9").into());
    give_keys(&fleet, 0, "i-0a0", &[1]);
    let reading = signing.read(&listed).await.remove(0);
    assert_eq!(reading, Reading::Unknown(UnknownReason::ForeignSignature));
}

#[tokio::test]
async fn the_users_pages_are_not_signed() {
    let fleet = Fleet::start(1).await;
    give_keys(&fleet, 0, "i-0a0", &[1]);
    let signing = client(&fleet).signing(masters(&[1]));
    let asked = pages(&fleet, &["/"]);
    let pages = signing
        .checks()
        .pages(&fleet.listed(), &asked, in_a_minute())
        .await;
    assert_eq!(pages[0], [("/".to_owned(), PageAnswer::Status(200))]);
}
