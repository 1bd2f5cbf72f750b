//! The handler against fake servers, the last of which stands for the load balancer.
#![expect(clippy::unwrap_used, reason = "a test's own functions may fail it")]

use std::time::Duration;

use ask_service::{Failed, handle};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::{Act, Document};
use ebbtide_rules::examples;
use ebbtide_rules::plan::{Pages, WebSockets};
use ebbtide_rules::record::Doing;
use ebbtide_rules::service::Service;
use ebbtide_rules::weights::Weights;
use ebbtide_sessions::fake::{Call, FakeServer, Fleet, Trouble};
use ebbtide_sessions::{CheckClient, Limits};

/// A busy machine does not make it give up a server that answers.
const PATIENT: Limits = Limits {
    connect: Duration::from_secs(60),
    total: Duration::from_secs(60),
};
/// For what never answers.
const IMPATIENT: Limits = Limits {
    connect: Duration::from_secs(1),
    total: Duration::from_secs(1),
};

const BEFORE_THE_SWITCH: [(Act, ErrorName, &str); 2] = [
    (Act::AskBlue, ErrorName::PreflightRefused, "ServiceUrl"),
    (
        Act::AskGreen,
        ErrorName::GreenUnfit,
        "green's place in TestUrls",
    ),
];

fn balancer(fleet: &Fleet) -> &FakeServer {
    fleet.servers.last().unwrap()
}

/// A page and a WebSocket to be checked, and the load balancer where `act` asks.
fn pages(fleet: &Fleet, act: Act) -> Pages {
    let url = balancer(fleet).url(fleet, "/");
    let url = Some(url.trim_end_matches('/').parse().unwrap());
    let pages = Pages {
        paths: vec!["/health".parse().unwrap()],
        web_sockets: Some(WebSockets {
            paths: vec!["/tunnel".parse().unwrap()],
            seconds: 1,
        }),
        ..Pages::default()
    };
    match act {
        Act::AskGreen => Pages {
            green: url,
            ..pages
        },
        _ => Pages {
            service: url,
            ..pages
        },
    }
}

fn document(act: Act, pages: Pages, fleet: &Fleet) -> Document {
    let (blue, green) = (
        examples::environment("blue"),
        examples::environment("green"),
    );
    let mut plan = examples::recorded(&blue, &green, &[]);
    plan.policy.pages = pages;
    let weights = Weights {
        blue: 50,
        green: 50,
    };
    match act {
        Act::AskBlue => examples::planned(plan, &fleet.listed()),
        Act::AskGreen => examples::about(plan, Doing::Launching),
        _ => examples::about(plan, Doing::Watching { weights }),
    }
}

async fn ask_within(limits: Limits, act: Act, document: Document) -> Result<Service, Failed> {
    let client = CheckClient::within(limits).unwrap();
    handle(&client, examples::invocation(act, document)).await
}

async fn ask(fleet: &Fleet, act: Act) -> Result<Service, Failed> {
    ask_within(PATIENT, act, document(act, pages(fleet, act), fleet)).await
}

#[tokio::test]
async fn what_does_not_pass_through_the_load_balancer_is_refused_before_the_switch() {
    let fleet = Fleet::start(2).await;
    for (act, unfit, place) in BEFORE_THE_SWITCH {
        let before = balancer(&fleet).asked(Call::Socket).len();
        let passed = ask(&fleet, act).await.unwrap();
        assert_eq!(passed.reason, format!("the checks at {place} pass"));
        assert_eq!(balancer(&fleet).asked(Call::Socket).len(), before + 1);
        for (call, trouble, name, told) in [
            (
                Call::Page,
                Trouble::Status(404),
                unfit,
                "/health answers 404, expected 2xx",
            ),
            (
                Call::Page,
                Trouble::Status(502),
                ErrorName::NotFitYet,
                "/health answers 502 (asked from where AskServiceFrom says)",
            ),
            (
                Call::Socket,
                Trouble::Status(200),
                unfit,
                "ws:/tunnel answers 200, expected 101",
            ),
        ] {
            balancer(&fleet).trouble(call, trouble);
            let refused = ask(&fleet, act).await.unwrap_err();
            let told = format!("the checks at {place} do not pass: {told}");
            assert_eq!((refused.name(), refused.to_string()), (name, told));
            balancer(&fleet).recover();
        }
    }
    // The servers themselves are asked nothing.
    assert!(fleet.servers[0].inside().asked.is_empty());
}

#[tokio::test]
async fn while_steps_and_bake_last_failures_in_a_row_are_counted() {
    let fleet = Fleet::start(1).await;
    let mut previous = None;
    for (trouble, limits, failures, told) in [
        (None, PATIENT, 0, None),
        (
            Some(Trouble::Status(502)),
            PATIENT,
            1,
            Some("/health answers 502"),
        ),
        (
            Some(Trouble::Status(404)),
            PATIENT,
            2,
            Some("/health answers 404, expected 2xx"),
        ),
        (
            Some(Trouble::Hang),
            IMPATIENT,
            3,
            Some("/health: no answer in time"),
        ),
        (None, PATIENT, 0, None),
    ] {
        match trouble {
            Some(trouble) => balancer(&fleet).trouble(Call::Page, trouble),
            None => balancer(&fleet).recover(),
        }
        let act = Act::AskService;
        let mut document = document(act, pages(&fleet, act), &fleet);
        document.service = previous;
        let service = ask_within(limits, act, document).await.unwrap();
        let failed = service.failed.as_deref();
        assert_eq!((service.failures, failed), (failures, told));
        assert_eq!(service.against().is_some(), failures == 3);
        previous = Some(service);
    }
}

#[tokio::test]
async fn what_lies_before_the_service_is_told_apart() {
    let fleet = Fleet::start(1).await;
    let plain = balancer(&fleet).url(&fleet, "/");
    let plain = plain.trim_end_matches('/');
    for (url, told) in [
        (
            "http://nobody.invalid",
            "its name has no address where it is asked from",
        ),
        (
            &plain.replace("http:", "https:"),
            "TLS does not come about there",
        ),
    ] {
        let act = Act::AskService;
        let service = Some(url.parse().unwrap());
        let pages = Pages {
            service,
            ..pages(&fleet, act)
        };
        let asked = ask_within(PATIENT, act, document(act, pages, &fleet)).await;
        let failed = asked.unwrap().failed.unwrap();
        assert_eq!(failed, format!("/health: {told}"));
    }
}

#[tokio::test]
async fn without_a_place_to_ask_at_nobody_is_asked_and_nothing_follows() {
    let fleet = Fleet::start(1).await;
    for act in [Act::AskBlue, Act::AskGreen, Act::AskService] {
        let nowhere = Pages {
            service: None,
            green: None,
            ..pages(&fleet, act)
        };
        let service = ask_within(PATIENT, act, document(act, nowhere, &fleet)).await;
        assert_eq!(service.unwrap().fails(), None);
    }
    assert!(fleet.servers[0].inside().asked.is_empty());
}

#[tokio::test]
async fn another_act_and_a_document_without_a_plan_are_refused() {
    let fleet = Fleet::start(1).await;
    let other = document(Act::AskBlue, pages(&fleet, Act::AskBlue), &fleet);
    for (act, document) in [
        (Act::TestBlue, other),
        (Act::AskService, Document::default()),
    ] {
        let refused = ask_within(PATIENT, act, document).await.unwrap_err();
        assert_eq!(refused.name(), ErrorName::InvalidInput, "{refused}");
    }
}
