//! Reports computed from observations made by hand.

use super::super::counts::{Peak, counts_over_time};
use super::super::observe::{Client, ClientEvent, Counts, Execution, Request, Sample, Server};
use super::*;

const SWITCH: Millis = 10_000;

/// Two blue servers, one green, a switch at 10 s, a bake until 20 s, blue gone at 31 s and 32 s.
fn seen() -> Observation {
    let mut seen = Observation {
        idle_after: 2_000,
        switched_at: Some(SWITCH),
        baked_at: Some(20_000),
        ended_at: 40_000,
        ..Observation::default()
    };
    for (instance, environment, terminated_at) in [
        ("i-b1", Environment::Blue, Some(31_000)),
        ("i-b2", Environment::Blue, Some(32_000)),
        ("i-g1", Environment::Green, None),
    ] {
        seen.servers.insert(
            instance.into(),
            Server {
                environment,
                terminated_at,
            },
        );
    }
    seen
}

fn on(server: &str) -> ClientEvent {
    ClientEvent::Connected {
        server: server.into(),
    }
}

const RESTART: ClientEvent = ClientEvent::Closed {
    code: 1012,
    in_flight: 0,
};

fn with(mut seen: Observation, clients: Vec<Vec<(Millis, ClientEvent)>>) -> Report {
    seen.clients = clients
        .into_iter()
        .enumerate()
        .map(|(number, events)| Client {
            name: format!("t-{number}"),
            events,
        })
        .collect();
    compute(&seen)
}

fn moved_while_idle(after: Millis) -> Vec<(Millis, ClientEvent)> {
    vec![
        (0, on("i-b1")),
        (12_000, RESTART),
        (12_000 + after, on("i-g1")),
    ]
}

fn busy_over_the_switch(last_request_ended: Millis) -> Vec<(Millis, ClientEvent)> {
    vec![
        (0, on("i-b2")),
        (5_000, ClientEvent::RequestStarted),
        (last_request_ended, ClientEvent::RequestEnded),
        (last_request_ended + 2_100, RESTART),
        (last_request_ended + 3_000, on("i-g1")),
    ]
}

#[test]
fn sessions_moved_gracefully_are_counted_as_moved_and_nothing_is_cut() {
    let report = with(
        seen(),
        vec![
            moved_while_idle(200),
            moved_while_idle(600),
            busy_over_the_switch(25_000),
        ],
    );
    assert_eq!(
        (
            report.sessions_opened,
            report.busy_at_switch,
            report.idle_at_switch
        ),
        (3, 1, 2)
    );
    assert_eq!((report.busy_cut, report.cut_on_green), (0, 0));
    assert_eq!(
        (report.idle_closed_gracefully, report.reconnected_to_green),
        (3, 3)
    );
    assert_eq!((report.open_at_end, report.open_at_end_on_green), (3, 3));
    assert_eq!(
        report.reconnect_millis,
        Percentiles {
            p50: Some(600),
            p99: Some(900)
        }
    );
    assert_eq!(report.blue_terminated, 2);
    assert!(report.failures.is_empty());
}

#[test]
fn the_drain_overhead_starts_at_the_last_busy_end_or_at_the_bakes_end() {
    let busy_for_longer = with(seen(), vec![busy_over_the_switch(25_000)]);
    assert_eq!(
        busy_for_longer.drain_overhead_seconds,
        Some(5.0),
        "32 s - (25 s + the 2 s idle term)"
    );
    let baked_for_longer = with(seen(), vec![busy_over_the_switch(11_000)]);
    assert_eq!(
        baked_for_longer.drain_overhead_seconds,
        Some(12.0),
        "32 s - 20 s"
    );
}

#[test]
fn there_is_no_drain_overhead_while_a_blue_server_lives() {
    let mut seen = seen();
    if let Some(server) = seen.servers.get_mut("i-b1") {
        server.terminated_at = None;
    }
    let report = with(seen, vec![busy_over_the_switch(25_000)]);
    assert_eq!(
        (report.blue_terminated, report.drain_overhead_seconds),
        (1, None)
    );
}

#[test]
fn every_way_of_cutting_is_counted_and_told() {
    let lost = vec![
        (0, on("i-b1")),
        (
            15_000,
            ClientEvent::Lost {
                error: "reset".into(),
                in_flight: 0,
            },
        ),
    ];
    let other_code = vec![
        (0, on("i-b1")),
        (
            15_000,
            ClientEvent::Closed {
                code: 1001,
                in_flight: 0,
            },
        ),
    ];
    let in_flight = vec![
        (0, on("i-b1")),
        (9_000, ClientEvent::RequestStarted),
        (
            15_000,
            ClientEvent::Closed {
                code: 1012,
                in_flight: 1,
            },
        ),
        (15_100, on("i-g1")),
    ];
    let within_idle_term = vec![
        (0, on("i-b1")),
        (9_000, ClientEvent::RequestStarted),
        (14_000, ClientEvent::RequestEnded),
        (15_000, RESTART),
    ];
    let on_green = vec![(12_000, on("i-g1")), (20_000, RESTART)];
    let before_the_switch = vec![
        (0, on("i-b1")),
        (
            5_000,
            ClientEvent::Lost {
                error: "reset".into(),
                in_flight: 1,
            },
        ),
    ];
    let report = with(
        seen(),
        vec![
            lost,
            other_code,
            in_flight,
            within_idle_term,
            on_green,
            before_the_switch,
        ],
    );
    assert_eq!(report.busy_cut, 5);
    assert_eq!(
        report.cut_on_green, 0,
        "closed by 1012 while idle: odd, but nobody noticed"
    );
    assert_eq!(report.idle_closed_gracefully, 0);
    assert_eq!((report.busy_at_switch, report.idle_at_switch), (2, 2));
    assert_eq!(report.failures.len(), 5);
    assert!(
        report.failures[2].contains("1 requests in flight"),
        "{:?}",
        report.failures
    );
}

#[test]
fn a_session_that_left_or_stayed_is_neither_cut_nor_moved() {
    let left = vec![
        (0, on("i-b1")),
        (15_000, ClientEvent::Left),
        (
            15_001,
            ClientEvent::Closed {
                code: 1000,
                in_flight: 0,
            },
        ),
    ];
    let stayed = vec![(0, on("i-b1"))];
    let report = with(seen(), vec![left, stayed]);
    assert_eq!(
        (
            report.busy_cut,
            report.left_by_themselves,
            report.idle_closed_gracefully
        ),
        (0, 1, 0)
    );
    assert_eq!((report.open_at_end, report.open_at_end_on_green), (1, 0));
}

#[test]
fn a_session_closed_gracefully_that_never_came_back_is_missed() {
    let gone = vec![(0, on("i-b1")), (15_000, RESTART)];
    let back_on_blue = vec![(0, on("i-b1")), (15_000, RESTART), (15_100, on("i-b2"))];
    let report = with(seen(), vec![gone, back_on_blue]);
    assert_eq!(
        (report.idle_closed_gracefully, report.reconnected_to_green),
        (2, 0)
    );
    assert_eq!((report.open_at_end, report.open_at_end_on_green), (1, 0));
}

#[test]
fn requests_are_counted_by_kind_place_and_outcome() {
    let mut seen = seen();
    for (kind, outcome) in [
        (Kind::Quick, Ok("i-b1".to_owned())),
        (Kind::Slow, Ok("i-g1".to_owned())),
        (Kind::Stream, Err("byte 7 differs".to_owned())),
    ] {
        seen.requests.push(Request {
            repeats: 0,
            client: "t-0".into(),
            kind,
            started: 1,
            ended: 2_000,
            outcome,
        });
    }
    let report = with(seen, vec![]);
    assert_eq!((report.requests_total, report.requests_failed), (3, 1));
    assert_eq!(
        report.requests_by_kind,
        ByKind {
            quick: 1,
            slow: 1,
            stream: 1
        }
    );
    assert_eq!((report.requests_on_blue, report.requests_on_green), (1, 1));
    assert!(report.failures[0].contains("byte 7 differs"));
}

#[test]
fn peaks_are_sums_over_an_environments_servers_and_a_gone_server_counts_no_more() {
    let mut seen = seen();
    let mut sample = |at, instance: &str, counts: Option<(u64, u64)>| {
        let counts = counts.map(|(busy, idle)| Counts {
            admission: "open".into(),
            busy,
            idle,
            closed: 0,
        });
        seen.samples.push(Sample {
            at,
            instance: instance.into(),
            counts,
        });
    };
    sample(1_000, "i-b1", Some((10, 20)));
    sample(1_000, "i-b2", Some((5, 30)));
    sample(20_000, "i-b1", None);
    sample(31_500, "i-b1", None);
    let sums = counts_over_time(&seen, Environment::Blue);
    assert_eq!(
        sums,
        [(1_000, 15, 50), (31_500, 5, 30)],
        "no answer is not zero until EC2 says terminated"
    );
    let report = compute(&seen);
    assert_eq!(
        report.peaks.blue,
        Peak {
            servers: 2,
            busy: 15,
            idle: 50
        }
    );
}

#[test]
fn nothing_seen_gives_a_report_of_zeros() {
    let report = compute(&Observation::default());
    assert_eq!(
        (
            report.sessions_opened,
            report.requests_total,
            report.blue_terminated
        ),
        (0, 0, 0)
    );
    assert_eq!(report.reconnect_millis, Percentiles::default());
}

#[test]
fn the_json_has_the_promised_names() {
    let mut seen = seen();
    seen.execution = Execution {
        status: "SUCCEEDED".into(),
        events: 321,
        ..Execution::default()
    };
    let Ok(json) = serde_json::to_value(with(seen, vec![busy_over_the_switch(25_000)])) else {
        panic!("no JSON")
    };
    for name in [
        "sessionsOpened",
        "busyAtSwitch",
        "idleAtSwitch",
        "busyCut",
        "idleClosedGracefully",
        "reconnectedToGreen",
        "openAtEndOnGreen",
        "requestsTotal",
        "requestsFailed",
        "blueTerminated",
        "drainOverheadSeconds",
        "executionStatus",
        "historyEvents",
        "wallSeconds",
    ] {
        assert!(json.get(name).is_some(), "{name} is missing");
    }
    assert!(
        json["reconnectMillis"]["p50"].is_number() && json["reconnectMillis"]["p99"].is_number()
    );
}

#[test]
fn percentiles_are_nearest_rank() {
    let mut values: Vec<Millis> = (1..=200).rev().collect();
    assert_eq!(
        percentiles(&mut values),
        Percentiles {
            p50: Some(100),
            p99: Some(198)
        }
    );
    assert_eq!(
        percentiles(&mut [7]),
        Percentiles {
            p50: Some(7),
            p99: Some(7)
        }
    );
}
