//! A seal against whatever could still begin.

use std::sync::Arc;

use http::StatusCode;
use shuttle::future::{spawn, yield_now};

use super::people::{Client, ask};
use super::world::Server;
use super::{explore, happened};
use crate::sync::chance;

/// Opens a tunnel, keeps it for a moment and leaves.
async fn visit(server: Arc<Server>, name: &'static str) {
    match Client::connect(&server, name) {
        Some(client) => {
            happened("tunnel");
            while chance() < 0.8 {
                yield_now().await;
            }
            client.leave().await;
        }
        None => happened("tunnel refused"),
    }
}

async fn send(server: Arc<Server>, name: &'static str) {
    match ask(&server, name).await {
        StatusCode::OK => happened("answer"),
        StatusCode::SERVICE_UNAVAILABLE => happened("request refused"),
        StatusCode::NOT_FOUND => happened("no tunnel"),
        // Its client left in the middle.
        StatusCode::BAD_GATEWAY => happened("client left"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_seal_against_a_handshake() {
    let must = ["tunnel", "tunnel refused", "given up"];
    explore("seal against connect", 4000, &must, || async {
        let server = Arc::new(Server::alone());
        let visiting = [
            spawn(visit(server.clone(), "a")),
            spawn(visit(server.clone(), "b")),
        ];
        let giving_up = spawn({
            let server = server.clone();
            async move {
                if Client::give_up(&server) {
                    happened("given up");
                }
            }
        });
        server.seal(1).await;
        assert!(Client::connect(&server, "late").is_none());
        for visit in visiting {
            visit.await.unwrap();
        }
        giving_up.await.unwrap();
        server.at_rest().await;
    });
}

#[test]
fn a_seal_against_a_request() {
    let must = ["answer", "request refused", "no tunnel", "client left"];
    explore("seal against a request", 2000, &must, || async {
        let server = Arc::new(Server::alone());
        let visiting = spawn(visit(server.clone(), "a"));
        let sending = [
            spawn(send(server.clone(), "a")),
            spawn(send(server.clone(), "a")),
        ];
        server.seal(1).await;
        for sent in sending {
            sent.await.unwrap();
        }
        visiting.await.unwrap();
        server.at_rest().await;
    });
}
