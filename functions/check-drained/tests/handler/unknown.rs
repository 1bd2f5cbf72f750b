//! Whatever a server answers badly, it is unknown: never idle, never sealed.

use super::*;

/// The only server's reason for being unknown.
fn only_unknown(check: &Check) -> &str {
    match check.counts.unknown_servers.as_slice() {
        [unheard] => &unheard.reason,
        unknown => panic!("not one unknown server: {unknown:?}"),
    }
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
        assert_eq!(check.counts.unknown_servers.len(), 1, "{trouble:?}");
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
        (
            Trouble::Status(401),
            "it takes signed calls only; give the stack its SigningSecretArn",
        ),
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
    second.document.check = Some(first.clone());
    let second = run(&fleet, second, AFTER).await.unwrap();
    assert_eq!(second.sealed, ["i-0a1"]);
    assert_eq!(
        second.outlook.waiting_for,
        "1 server unknown since 12:16:00 (i-0a0: connection refused): if its loss is acceptable terminate it in EC2, \
         the deployment goes on by itself; 1 sealed server to be terminated"
    );
    assert_eq!(second.memory.changed_at, first.memory.changed_at);
    assert_eq!(second.outlook.wait_seconds, 24);
}

#[tokio::test]
async fn a_stale_epoch_that_proves_nothing_is_unknown() {
    let fleet = Fleet::start(1).await;
    let body = json!({"error": "StaleEpoch", "message": "epoch 5 is below 6"});
    fleet.servers[0].trouble(Call::Seal, Trouble::Answers(409, body.to_string()));
    assert_eq!(check(&fleet, AFTER).await.counts.unknown_servers.len(), 1);
}

#[tokio::test]
async fn a_seal_of_another_pass_or_without_an_acknowledgement_is_no_licence() {
    let fleet = Fleet::start(1).await;
    let sealed = check(&fleet, AFTER).await;
    assert_eq!(sealed.sealed, ["i-0a0"]);
    for trouble in [Trouble::LosesReply, Trouble::Hang, Trouble::Status(401)] {
        fleet.servers[0].trouble(Call::Seal, trouble);
        let mut again = payload(&fleet);
        again.document.check = Some(sealed.clone());
        let check = run(&fleet, again, AFTER).await.unwrap();
        assert!(check.sealed.is_empty());
        assert_eq!(check.counts.unknown_servers.len(), 1);
    }
    fleet.servers[0].recover();
    assert_eq!(check(&fleet, AFTER).await.sealed, ["i-0a0"]);
}
