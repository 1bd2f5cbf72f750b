//! The handler against fake servers: what green must show before anybody's session is at stake.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own functions may fail it"
)]

use std::time::Duration;

use ebbtide_rules::ErrorName;
use ebbtide_rules::document::{Act, Document};
use ebbtide_rules::examples;
use ebbtide_rules::green_test::GreenTest;
use ebbtide_rules::launch::{Launched, Verdict};
use ebbtide_rules::plan::{Asked, Pages, WebSockets};
use ebbtide_rules::record::Doing;
use ebbtide_rules::report::Admission;
use ebbtide_sessions::fake::{Accepted, Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use serde_json::json;
use test_green::{Failed, handle};

/// For what never answers.
const IMPATIENT: Limits = Limits {
    connect: Duration::from_millis(300),
    total: Duration::from_secs(1),
};
/// A busy machine does not make it give up a server that answers.
const PATIENT: Limits = Limits {
    connect: Duration::from_secs(60),
    total: Duration::from_secs(60),
};

/// The document once green was launched: its servers are the fleet.
fn launched(fleet: &Fleet) -> Document {
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    let plan = examples::recorded(&blue, &green, &[]);
    Document {
        green: Some(examples::told(Launched {
            verdict: Verdict::Healthy,
            reason: String::new(),
            wait_seconds: 5,
            environment: green,
            servers: fleet.listed(),
            healthy: 0,
            wanted: 0,
            launching: Default::default(),
        })),
        ..examples::about(plan, Doing::Launching)
    }
}

/// The document before the claim: blue's servers are the fleet.
fn planned(fleet: &Fleet) -> Document {
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    examples::planned(examples::recorded(&blue, &green, &[]), &fleet.listed())
}

async fn ask(
    fleet: &Fleet,
    act: Act,
    document: Document,
    paths: &[&str],
) -> Result<GreenTest, Failed> {
    ask_within(IMPATIENT, fleet, act, document, paths).await
}

async fn ask_within(
    limits: Limits,
    fleet: &Fleet,
    act: Act,
    document: Document,
    paths: &[&str],
) -> Result<GreenTest, Failed> {
    let client = SessionClient::within(limits, fleet.endpoint()).unwrap();
    let document = with_pages(document, pages(fleet, paths));
    handle(&client, examples::invocation(act, document)).await
}

fn pages(fleet: &Fleet, paths: &[&str]) -> Pages {
    let (sockets, paths): (Vec<&str>, Vec<&str>) =
        paths.iter().partition(|path| path.starts_with("ws:"));
    let sockets: Vec<_> = sockets
        .iter()
        .map(|path| path.strip_prefix("ws:").unwrap().parse().unwrap())
        .collect();
    Pages {
        port: fleet.endpoint().port,
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
        web_sockets: (!sockets.is_empty()).then_some(WebSockets {
            paths: sockets,
            seconds: 1,
        }),
        service: None,
        green: None,
    }
}

fn with_pages(mut document: Document, pages: Pages) -> Document {
    if let Some(Asked::Deploy(deploy)) = document.plan.as_mut().map(|plan| &mut plan.asked) {
        deploy.recorded.policy.pages = pages;
    }
    document
}

async fn run(fleet: &Fleet, paths: &[&str]) -> Result<GreenTest, Failed> {
    ask(fleet, Act::TestGreen, launched(fleet), paths).await
}

/// As the preflight asks, with a page that green would have to answer.
async fn preflight(fleet: &Fleet) -> Result<GreenTest, Failed> {
    ask(fleet, Act::TestBlue, planned(fleet), &["/health"]).await
}

/// The name, and the cause, which ends with the only server that is refused.
fn refused(test: Result<GreenTest, Failed>, name: ErrorName, reason: &str) {
    let refused = match test {
        Err(refused) => refused,
        Ok(test) => panic!("not refused: {test:?}"),
    };
    assert_eq!(refused.name(), name, "{refused}");
    let cause = refused.to_string();
    assert!(cause.ends_with(reason), "{cause}");
}

#[tokio::test]
async fn green_is_accepted_when_every_server_is_open_and_empty_and_has_the_epoch() {
    let fleet = Fleet::start(3).await;
    let first = run(&fleet, &["/health"]).await.unwrap();
    assert_eq!(first.servers, 3);
    for server in &fleet.servers {
        assert_eq!(server.inside().epoch, 5);
        assert_eq!(server.asked(Call::Page).len(), 1);
    }
    let again = run(&fleet, &["/health"]).await.unwrap();
    assert_eq!(again, first, "a repeat");
}

#[tokio::test]
async fn an_agents_server_is_refused_where_the_load_balancer_is_not_set_for_agents() {
    let fleet = Fleet::start(2).await;
    fleet.servers[1].inside().agent = Some("ebbtide-agent 1.0.0");
    assert_eq!(run(&fleet, &[]).await.unwrap().servers, 2);
    assert_eq!(preflight(&fleet).await.unwrap().servers, 2);
    let against = |mut document: Document| {
        let plan = document.plan.as_mut().unwrap();
        let Asked::Deploy(deploy) = &mut plan.asked else {
            panic!("no deployment");
        };
        deploy.recorded.policy.against_agents = vec!["move its health check".to_owned()];
        document
    };
    let reason = "1 of 2; i-0a1: an agent reports for it, and its groups are not set for that (docs/agent.md): move its \
                  health check";
    let blue = ask(&fleet, Act::TestBlue, against(planned(&fleet)), &[]).await;
    refused(blue, ErrorName::PreflightRefused, reason);
    let resumed = fleet.servers[1].asked(Call::Resume).len();
    let green = ask(&fleet, Act::TestGreen, against(launched(&fleet)), &[]).await;
    refused(green, ErrorName::GreenUnfit, reason);
    assert_eq!(fleet.servers[1].asked(Call::Resume).len(), resumed);
}

#[tokio::test]
async fn a_server_that_may_still_come_is_told_as_not_fit_yet() {
    let mut fleet = Fleet::start(2).await;
    fleet.kill(1).await;
    let reason = "1 of 2; i-0a1: connection refused";
    refused(run(&fleet, &[]).await, ErrorName::NotFitYet, reason);
}

#[tokio::test]
async fn a_definite_refusal_is_final_and_its_server_is_asked_nothing_more() {
    let version_2 = json!({"version": 2, "instance": "i-0a1"});
    let fleet = Fleet::start(2).await;
    fleet.servers[1].trouble(Call::Read, Trouble::Says(version_2.to_string()));
    let unfit = |test, reason: &str| refused(test, ErrorName::GreenUnfit, reason);
    unfit(
        run(&fleet, &["/health"]).await,
        "i-0a1: version 2 of the session endpoint, expected 1",
    );
    assert!(fleet.servers[1].asked(Call::Resume).is_empty());
    assert!(fleet.servers[1].asked(Call::Page).is_empty());

    fleet.servers[1].recover();
    fleet.servers[1].inside().admission = Admission::Sealed;
    unfit(run(&fleet, &[]).await, "it is sealed, expected open");
    fleet.servers[1].inside().admission = Admission::Open;
    fleet.servers[1].hold(1, 2);
    unfit(
        run(&fleet, &[]).await,
        "it counts 1 busy and 2 idle sessions before it has any traffic",
    );
    fleet.servers[1].hold(0, 0);
    fleet.servers[1].inside().epoch = 6;
    unfit(
        run(&fleet, &[]).await,
        "it has taken epoch 6, above this deployment's 5",
    );
}

#[tokio::test]
async fn a_server_that_does_not_take_the_epoch_is_unfit() {
    let fleet = Fleet::start(1).await;
    let forgetful = fleet.servers[0].inside().report();
    fleet.servers[0].trouble(Call::Resume, Trouble::Says(forgetful.to_string()));
    let reason = "it was given epoch 5 and reports 0";
    refused(run(&fleet, &[]).await, ErrorName::GreenUnfit, reason);
}

#[tokio::test]
async fn a_lost_reply_to_resume_is_asked_for_again() {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Resume, Trouble::LosesReply);
    let reason = "i-0a0: asked to open: HTTP status 500";
    refused(run(&fleet, &[]).await, ErrorName::NotFitYet, reason);
    fleet.servers[0].recover();
    assert_eq!(run(&fleet, &[]).await.unwrap().servers, 1);
}

#[tokio::test]
async fn the_users_pages_decide_too() {
    let fleet = Fleet::start(2).await;
    for (trouble, expected) in [
        (Trouble::Status(404), Some(ErrorName::GreenUnfit)),
        (
            Trouble::Redirect(fleet.servers[1].url(&fleet, "/health")),
            Some(ErrorName::GreenUnfit),
        ),
        (Trouble::Status(503), Some(ErrorName::NotFitYet)),
        (Trouble::Hang, Some(ErrorName::NotFitYet)),
        (Trouble::Status(204), None),
    ] {
        fleet.servers[0].trouble(Call::Page, trouble.clone());
        let test = run(&fleet, &["/health"]).await;
        let name = test.err().map(|refused| refused.name());
        assert_eq!(name, expected, "{trouble:?}");
    }
}

/// A page and a WebSocket of each server.
async fn checks(fleet: &Fleet) -> Result<GreenTest, Failed> {
    checks_within(PATIENT, fleet).await
}

async fn checks_within(limits: Limits, fleet: &Fleet) -> Result<GreenTest, Failed> {
    let paths = ["/health", "ws:/tunnel"];
    ask_within(limits, fleet, Act::TestGreen, launched(fleet), &paths).await
}

#[tokio::test]
async fn green_is_accepted_when_its_web_sockets_stay_open_and_is_empty_when_asked_again() {
    let fleet = Fleet::start(3).await;
    let first = checks(&fleet).await.unwrap();
    // The answer is lost, and it is tested anew.
    let again = checks(&fleet).await.unwrap();
    assert_eq!(again, first);
    for server in &fleet.servers {
        assert_eq!(server.asked(Call::Socket).len(), 2);
        assert_eq!(server.inside().idle, 0);
    }
}

#[tokio::test]
async fn a_web_socket_that_is_not_held_is_told_with_what_was_seen() {
    let fleet = Fleet::start(2).await;
    let accepts = Trouble::Accepts;
    for (trouble, name, told) in [
        (
            Trouble::Status(200),
            ErrorName::GreenUnfit,
            "i-0a1: ws:/tunnel answers 200, expected 101",
        ),
        (
            Trouble::WrongAccept,
            ErrorName::GreenUnfit,
            "i-0a1: ws:/tunnel answers 101 with a wrong Sec-WebSocket-Accept",
        ),
        (
            accepts(Accepted::HangsUp),
            ErrorName::NotFitYet,
            "i-0a1: ws:/tunnel ends without a close frame after 0 of 1 seconds",
        ),
        (
            accepts(Accepted::ClosesAfterPing(2, 1013)),
            ErrorName::NotFitYet,
            "i-0a1: ws:/tunnel is closed by the server with code 1013 after 1 of 1 seconds",
        ),
        (
            accepts(Accepted::Deaf),
            ErrorName::NotFitYet,
            "i-0a1: ws:/tunnel answers no ping",
        ),
    ] {
        let is_silent = matches!(trouble, Trouble::Accepts(Accepted::Deaf));
        let limits = if is_silent { IMPATIENT } else { PATIENT };
        fleet.servers[1].trouble(Call::Socket, trouble);
        refused(checks_within(limits, &fleet).await, name, told);
        fleet.servers[1].inside().idle = 0;
    }
}

#[tokio::test]
async fn a_session_that_a_former_try_has_left_is_asked_for_again_and_not_ended_for() {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].hold(0, 1);
    let reason = "i-0a0: it counts 0 busy and 1 idle sessions before it has any traffic";
    refused(checks(&fleet).await, ErrorName::NotFitYet, reason);
    assert!(fleet.servers[0].asked(Call::Socket).is_empty());
    fleet.servers[0].hold(0, 0);
    assert_eq!(checks(&fleet).await.unwrap().servers, 1);
}

#[tokio::test]
async fn no_web_socket_is_opened_where_green_is_tested_again_anyhow() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].trouble(Call::Page, Trouble::Status(503));
    let reason = "i-0a0: /health answers 503";
    refused(checks(&fleet).await, ErrorName::NotFitYet, reason);
    for server in &fleet.servers {
        assert!(server.asked(Call::Socket).is_empty());
    }
}

#[tokio::test]
async fn an_environment_without_a_server_is_refused() {
    let fleet = Fleet::start(0).await;
    let test = run(&fleet, &[]).await;
    refused(test, ErrorName::GreenUnfit, "green has no server");
    let test = preflight(&fleet).await;
    refused(test, ErrorName::PreflightRefused, "blue has no server");
}

#[tokio::test]
async fn blue_is_only_read_whatever_it_holds() {
    let fleet = Fleet::start(2).await;
    fleet.servers[0].hold(3, 7);
    fleet.servers[0].inside().epoch = 4;
    fleet.servers[1].inside().admission = Admission::Draining;
    assert_eq!(preflight(&fleet).await.unwrap().servers, 2);
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
async fn blue_that_is_sealed_or_newer_ends_the_preflight_and_a_silent_one_is_asked_again() {
    let mut fleet = Fleet::start(2).await;
    fleet.servers[1].inside().admission = Admission::Sealed;
    refused(
        preflight(&fleet).await,
        ErrorName::PreflightRefused,
        "it is sealed and can take no session any more",
    );
    fleet.servers[1].inside().admission = Admission::Open;
    fleet.servers[1].inside().epoch = 6;
    refused(
        preflight(&fleet).await,
        ErrorName::PreflightRefused,
        "it has taken epoch 6, above this deployment's 5",
    );
    fleet.servers[1].inside().epoch = 0;
    fleet.kill(0).await;
    let reason = "blue servers that are not fit yet: 1 of 2; i-0a0: connection refused";
    refused(preflight(&fleet).await, ErrorName::NotFitYet, reason);
}

#[tokio::test]
async fn another_act_or_a_document_without_servers_is_refused_and_nobody_is_asked() {
    let fleet = Fleet::start(1).await;
    let before = planned(&fleet);
    for (act, document) in [(Act::Drain, launched(&fleet)), (Act::TestGreen, before)] {
        let test = ask(&fleet, act, document, &[]).await;
        assert_eq!(test.unwrap_err().name(), ErrorName::InvalidInput);
        assert!(fleet.servers[0].inside().asked.is_empty());
    }
}
