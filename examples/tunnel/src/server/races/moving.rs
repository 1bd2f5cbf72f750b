//! A tunnel that moves: the same name connects again, arrives late, or dies under a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use shuttle::future::{spawn, yield_now};

use super::people::{Client, ask, ask_then, tunnels};
use super::world::Server;
use super::{explore, explore_timeless, happened};
use crate::close;

#[test]
fn a_replaced_tunnel_against_its_requests() {
    let must = ["answer"];
    explore(
        "a replaced tunnel against its requests",
        1500,
        &must,
        || async {
            let server = Arc::new(Server::alone());
            let first = tunnels(&server, &["a"]).await.remove(0);
            let asking = [(); 2].map(|()| {
                let server = server.clone();
                spawn(async move { ask(&server, "a").await })
            });
            yield_now().await;
            let second = Client::connect(&server, "a").unwrap();
            for asked in asking {
                assert_eq!(asked.await.unwrap(), StatusCode::OK, "a request was cut");
                happened("answer");
            }
            while server.state().in_use > 1 {
                yield_now().await;
            }
            // Whichever was registered last has the name and serves on.
            assert_eq!(ask(&server, "a").await, StatusCode::OK);
            let mut ends = [first.leave().await, second.leave().await];
            ends.sort_unstable();
            assert_eq!(ends, [Some(close::NORMAL), Some(close::REPLACED)]);
            server.at_rest().await;
        },
    );
}

#[test]
fn a_request_that_waits_is_woken_by_the_arrival() {
    let must = ["answer"];
    // No timer ends here: a wake-up that is lost is lost.
    explore_timeless(
        "a waiting request against its tunnel's arrival",
        2000,
        &must,
        || async {
            let server = Arc::new(Server::alone());
            let asking = [(); 2].map(|()| {
                let server = server.clone();
                spawn(async move { ask(&server, "a").await })
            });
            let client = Client::connect(&server, "a").unwrap();
            for asked in asking {
                assert_eq!(asked.await.unwrap(), StatusCode::OK);
                happened("answer");
            }
            client.leave().await;
            server.at_rest().await;
            assert_eq!(server.shared.registry.waiting(), 0);
        },
    );
}

#[test]
fn a_report_against_a_request_that_changes_its_tunnel() {
    let must = ["answer", "no tunnel", "seen"];
    explore(
        "report against a request on a dying tunnel",
        3000,
        &must,
        || async {
            let server = Arc::new(Server::alone());
            let client = tunnels(&server, &["a"]).await.remove(0);
            let answered = Arc::new(AtomicBool::new(false));
            let asking = spawn({
                let (server, answered) = (server.clone(), answered.clone());
                async move {
                    let (status, ()) =
                        ask_then(&server, "a", || answered.store(true, Ordering::SeqCst)).await;
                    status
                }
            });
            let leaving = spawn(client.leave());
            // The request alone makes the server busy, so once it was seen it is seen until it is answered.
            let mut seen = false;
            while !answered.load(Ordering::SeqCst) {
                let report = server.shared.endpoint.report();
                if !answered.load(Ordering::SeqCst) {
                    assert!(
                        report.busy > 0 || !seen,
                        "a report without the request that is in use"
                    );
                    seen |= report.busy > 0;
                }
                if seen {
                    happened("seen");
                }
                yield_now().await;
            }
            match asking.await.unwrap() {
                StatusCode::OK => happened("answer"),
                StatusCode::NOT_FOUND => happened("no tunnel"),
                StatusCode::BAD_GATEWAY => happened("client left"),
                other => panic!("{other}"),
            }
            leaving.await.unwrap();
            server.at_rest().await;
        },
    );
}

#[test]
fn a_report_against_a_handshake() {
    let must = ["handshake seen", "session seen", "over"];
    explore("report against a handshake", 3000, &must, || async {
        let server = Arc::new(Server::alone());
        let client = Client::connect(&server, "a").unwrap();
        let leaving = spawn(client.leave());
        while server.truth.sessions() > 0 {
            let report = server.shared.endpoint.report();
            if server.truth.sessions() > 0 {
                assert!(
                    report.busy + report.idle > 0,
                    "a report without the session that is in use"
                );
                happened(if report.idle > 0 {
                    "session seen"
                } else {
                    "handshake seen"
                });
            }
            yield_now().await;
        }
        happened("over");
        leaving.await.unwrap();
        server.at_rest().await;
    });
}
