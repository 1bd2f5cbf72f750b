//! The server's own closing of idle sessions against all that makes them busy, and against other orders.

use std::sync::Arc;
use std::time::Duration;

use ebbtide_endpoint::order::What;
use http::StatusCode;
use shuttle::future::spawn;

use super::people::{ask, ask_then, tunnels};
use super::world::{IDLE_AFTER, Server};
use super::{explore, happened};
use crate::close;
use crate::sync::{now, sleep};

const LEASE: Duration = Duration::from_secs(60);

fn drain(per_second: f64) -> What {
    What::Drain {
        per_second,
        lease: LEASE,
    }
}

#[test]
fn a_slot_against_a_request() {
    let must = ["answer", "came too late", "closed"];
    explore("idle closing against a request", 2500, &must, || async {
        let server = Arc::new(Server::alone());
        let client = tunnels(&server, &["a"]).await.remove(0);
        let sending = [1, 3].map(|wait| {
            let server = server.clone();
            spawn(async move {
                sleep(IDLE_AFTER * wait / 2).await;
                let (status, ended) = ask_then(&server, "a", now).await;
                match status {
                    StatusCode::OK => {
                        happened("answer");
                        Some(ended)
                    }
                    StatusCode::NOT_FOUND => {
                        happened("came too late");
                        None
                    }
                    other => panic!("a busy session was closed: {other}"),
                }
            })
        });
        server.order(1, drain(20.0)).await.unwrap();
        assert_eq!(client.closed().await, Some(close::RESTART));
        let closed = now();
        happened("closed");
        for sent in sending {
            if let Some(ended) = sent.await.unwrap() {
                assert!(
                    closed >= ended + IDLE_AFTER,
                    "closed {:?} after its last request",
                    closed - ended
                );
            }
        }
        server.at_rest().await;
        assert_eq!(server.shared.endpoint.report().closed, 1);
    });
}

#[test]
fn a_drain_and_the_client_that_leaves() {
    let must = ["closed", "left"];
    explore(
        "idle closing against its client's own",
        2000,
        &must,
        || async {
            let server = Arc::new(Server::alone());
            let mut clients = tunnels(&server, &["a", "b"]).await;
            let leaving = clients.remove(0);
            let leaving = spawn(async move {
                sleep(Duration::from_millis(20)).await;
                leaving.leave().await
            });
            server.order(1, drain(50.0)).await.unwrap();
            for end in [leaving.await.unwrap(), clients.remove(0).closed().await] {
                match end {
                    Some(close::RESTART) => happened("closed"),
                    _ => happened("left"),
                }
            }
            server.at_rest().await;
        },
    );
}

#[test]
fn a_seal_and_the_servers_own_closing() {
    let must = ["closed", "in use"];
    explore("seal against idle closing", 2500, &must, || async {
        let server = Arc::new(Server::alone());
        let clients = tunnels(&server, &["a", "b"]).await;
        let asking = spawn({
            let server = server.clone();
            async move { ask(&server, "a").await }
        });
        server.order(1, drain(20.0)).await.unwrap();
        if server.order(1, What::Seal).await.is_err() {
            happened("in use");
        }
        server.seal(1).await;
        for client in clients {
            assert_eq!(client.closed().await, Some(close::RESTART));
            happened("closed");
        }
        let status = asking.await.unwrap();
        assert_ne!(status, StatusCode::BAD_GATEWAY, "a busy session was closed");
        server.at_rest().await;
    });
}
