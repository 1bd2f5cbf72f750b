//! Answers of the other functions: with every list filled, and with every option given and not.

use crate::check::{
    Check, Counts, Forecast, HeldBack, Memory, Outlook, Seen, ServerLoad, Unheard, forecast,
};
use crate::document::Told;
use crate::drain::{Drained, Untold};
use crate::examples::{
    DEPLOYMENT, EPOCH, EXECUTION, NOW, after, check, environment, listed, policy, recorded,
    switched,
};
use crate::green_test::GreenTest;
use crate::input::{Then, Verb, Wish};
use crate::launch::{Launched, Launching, Unseen, Verdict};
use crate::plan::{Asked, Deploy, Gate, Pages, Plan, Policy, Recorded, WebSockets};
use crate::report::Admission;
use crate::resume::{Resumed, Unopened};
use crate::service::Service;
use crate::shape::{Retiring, Server};
use crate::terminate::{self, Terminated, Tried};
use crate::weights::{Moments, Repairs, Spans, Switched, Weights};

pub(super) fn plans() -> Vec<Plan> {
    let asked = [
        Asked::Deploy(Deploy {
            dry_run: false,
            servers: vec![server()],
            recorded: planned(),
        }),
        Asked::Held { dry_run: true },
        Asked::TakeOver {
            then: Then::Continue,
            green_weight: 50,
            recorded: planned(),
        },
        Asked::Wish {
            wish: Wish::new(Verb::Promote, "deploy-0"),
        },
    ];
    let plan = |asked| Plan {
        deployment: DEPLOYMENT.to_owned(),
        execution: EXECUTION.to_owned(),
        service: "tunnel".to_owned(),
        epoch: EPOCH - 1,
        asked,
    };
    asked.map(plan).into()
}

fn planned() -> Recorded {
    let pages = Pages {
        port: 8080,
        paths: serde_json::from_value(serde_json::json!(["/health"])).unwrap(),
        web_sockets: Some(WebSockets {
            paths: serde_json::from_value(serde_json::json!(["/tunnel"])).unwrap(),
            seconds: 5,
        }),
        service: Some("https://tunnels.example.com".parse().unwrap()),
        green: Some("https://b.test.example.com".parse().unwrap()),
    };
    Recorded {
        policy: Policy {
            alarms: vec!["errors".to_owned()],
            approve: vec![Gate::Switch],
            pages,
            signing_secret: Some(
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tunnel".to_owned(),
            ),
            ..policy()
        },
        warnings: vec!["2 of 3 targets of a are healthy".to_owned()],
        ..recorded(&environment("a"), &environment("b"), &[])
    }
}

pub(super) fn switches() -> Vec<Told<Switched>> {
    let all = Weights {
        blue: 0,
        green: 100,
    };
    let groups = [&environment("a"), &environment("b")];
    let step = Switched {
        moments: moments_of_a_step(),
        repairs: Repairs {
            total: 1,
            since_redrive: 1,
            redrives: 0,
            repaired: true,
            found: "100 to a, 0 to b".to_owned(),
        },
        ..switched(half(), &groups).answer
    };
    given_up_and_not(step, switched(all, &groups).answer)
}

/// Moments of half the weight: no others are known yet.
pub(super) fn moments_of_a_step() -> Moments {
    Moments::count(NOW, half(), &Spans::of(&policy(), false))
}

fn half() -> Weights {
    Weights {
        blue: 50,
        green: 50,
    }
}

pub(super) fn launches() -> Vec<Told<Launched>> {
    let launched = |verdict, unseen| Launched {
        verdict,
        reason: "1 of 3 servers is healthy".to_owned(),
        wait_seconds: crate::launch::wait_seconds(600),
        environment: environment("b"),
        servers: vec![server()],
        healthy: 1,
        wanted: 3,
        launching: Launching {
            generation: 1,
            unseen,
        },
    };
    let unseen = Unseen {
        launches: "2 in subnet-1".to_owned(),
        since: NOW,
    };
    let mut launches = given_up_and_not(
        launched(Verdict::Wait, Some(unseen)),
        launched(Verdict::Healthy, None),
    );
    launches.push(told(launched(Verdict::Rejected, None)));
    launches
}

pub(super) fn lists() -> Vec<Told<Retiring>> {
    let list = || Retiring {
        gone: vec!["i-2".to_owned()],
        waiting_to_end: vec!["i-3".to_owned()],
        ..listed(&environment("a"), &[server()]).answer
    };
    given_up_and_not(list(), list())
}

pub(super) fn ends() -> Vec<Told<Terminated>> {
    let ended = |verdict, tried| Terminated {
        verdict,
        terminated: vec!["i-1".to_owned()],
        ending: vec!["i-2".to_owned()],
        refused: vec![HeldBack {
            instance: "i-3".to_owned(),
            reason: "it is in a group with weight".to_owned(),
        }],
        remaining: 2,
        tried,
    };
    let tried = Tried {
        since: NOW,
        redrives: 1,
    };
    given_up_and_not(
        ended(terminate::Verdict::Left, Some(tried)),
        ended(terminate::Verdict::Gone, None),
    )
}

pub(super) fn tests() -> Vec<GreenTest> {
    vec![GreenTest {
        servers: 3,
        reason: "3 servers are fit".to_owned(),
    }]
}

pub(super) fn services() -> Vec<Service> {
    let failed = Service {
        failures: 1,
        failed: Some("/health answers 503".to_owned()),
        reason: "the checks through the load balancer failed once".to_owned(),
    };
    vec![Service::default(), failed]
}

pub(super) fn drains() -> Vec<Drained> {
    vec![Drained {
        at: NOW,
        ordered: 2,
        per_second: 0.5,
        lease_seconds: 90,
        unknown: vec![Untold {
            instance: "i-1".to_owned(),
            reason: "no answer".to_owned(),
        }],
        reason: "2 servers close 0.5 sessions a second".to_owned(),
    }]
}

pub(super) fn resumptions() -> Vec<Resumed> {
    vec![Resumed {
        at: NOW,
        open: 1,
        waiting: vec![server()],
        sealed: vec!["i-2".to_owned()],
        unknown: vec![Unopened {
            instance: "i-1".to_owned(),
            reason: "no answer".to_owned(),
        }],
        reason: "1 of 3 servers is open".to_owned(),
    }]
}

pub(super) fn checks() -> Vec<Check> {
    let counts = Counts {
        worst: vec![ServerLoad {
            instance: "i-1".to_owned(),
            busy: 2,
            idle: 1,
            admission: Admission::Draining,
            oldest_busy_seconds: 60,
        }],
        unknown_servers: vec![Unheard {
            instance: "i-2".to_owned(),
            reason: "no answer".to_owned(),
            since: NOW,
        }],
        ..Counts::default()
    };
    let seen = |unknown| Seen {
        environment: "a",
        left: 3,
        unknown,
        baked_at: None,
    };
    let remembers = |unknown| Memory {
        unknown_since: [("i-2".to_owned(), NOW.as_second())].into(),
        closed: [("i-1".to_owned(), 4)].into(),
        deadline_at: Some(after(86_400)),
        measured: Some(forecast(&seen(unknown), None, NOW).1),
        ..check(&[]).memory
    };
    let full = |unknown| Check {
        counts: counts.clone(),
        outlook: Outlook {
            forecast: Forecast {
                ends_at: Some(after(600)),
                per_second: Some(0.5),
                text: "in 10 minutes".to_owned(),
            },
            ..check(&[]).outlook
        },
        memory: remembers(unknown),
        ..check(&["i-1"])
    };
    vec![check(&["i-1"]), full(0), full(1)]
}

fn server() -> Server {
    Server {
        instance: "i-1".to_owned(),
        ip: "10.0.0.1".to_owned(),
    }
}

/// An answer after a call that was given up, and one after none.
fn given_up_and_not<T>(one: T, other: T) -> Vec<Told<T>> {
    let given_up = Told {
        unanswered_until: Some(after(75)),
        ..told(one)
    };
    vec![given_up, told(other)]
}

fn told<T>(answer: T) -> Told<T> {
    crate::examples::told(answer)
}
