//! A seal against whatever could still begin, against its own disk, and against another seal.

use std::sync::Arc;

use http::StatusCode;
use shuttle::future::{spawn, yield_now};

use super::super::control::{Refused, What};
use super::people::{Client, ask};
use super::world::{Disk, Server};
use super::{explore, happened};
use crate::admission::Mode;
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
        let server = Arc::new(Server::alone(Arc::default()));
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
        let server = Arc::new(Server::alone(Arc::default()));
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

#[test]
fn two_seals_at_once() {
    let must = ["tunnel", "tunnel refused", "in use"];
    explore("two seals at once", 4000, &must, || async {
        let server = Arc::new(Server::alone(Arc::default()));
        let visiting = spawn(visit(server.clone(), "a"));
        let sealing = [1, 1].map(|epoch| {
            let server = server.clone();
            spawn(async move {
                if server.order(epoch, What::Seal).await.is_err() {
                    happened("in use");
                    server.seal(epoch).await;
                }
            })
        });
        for sealed in sealing {
            sealed.await.unwrap();
        }
        assert_eq!(server.state().mode, Mode::Sealed);
        visiting.await.unwrap();
        server.at_rest().await;
    });
}

#[test]
fn a_seal_against_its_disk() {
    let must = [
        "sealed",
        "in use",
        "not written",
        "in doubt",
        "tunnel",
        "tunnel refused",
    ];
    explore("seal against a failing disk", 4000, &must, || async {
        let server = Arc::new(Server::alone(Disk::that_may_fail()));
        let visiting = spawn(visit(server.clone(), "a"));
        let also = spawn(visit(server.clone(), "b"));
        for _ in 0..3 {
            match server.order(1, What::Seal).await {
                Ok(()) => happened("sealed"),
                Err(Refused::Admission(_)) => happened("in use"),
                Err(Refused::NotKept(failed)) if failed.maybe_written => {
                    happened("in doubt");
                    assert_eq!(
                        server.state().mode,
                        Mode::Sealing,
                        "a seal in doubt was taken back"
                    );
                    assert_eq!(server.truth.sessions(), 0);
                }
                Err(Refused::NotKept(_)) => happened("not written"),
                Err(other) => panic!("{other}"),
            }
        }
        visiting.await.unwrap();
        also.await.unwrap();
        server.at_rest().await;
    });
}

#[test]
fn a_seal_against_a_crash() {
    let must = ["sealed before", "unsealed after", "sealed after", "tunnel"];
    explore("seal against a restart", 4000, &must, || async {
        let server = Arc::new(Server::alone(Disk::that_may_fail()));
        let visiting = spawn(visit(server.clone(), "a"));
        let sealing = spawn({
            let server = server.clone();
            async move {
                for _ in 0..3 {
                    let _ = server.order(2, What::Seal).await;
                }
            }
        });
        while chance() < 0.9 {
            yield_now().await;
        }
        let acknowledged = server.truth.acknowledged();
        let epoch = server.shared.control.epoch();
        let again = server.restarted();
        if acknowledged {
            happened("sealed before");
            assert_eq!(
                again.state().mode,
                Mode::Sealed,
                "a restart forgot the seal"
            );
        }
        assert!(
            again.shared.control.epoch() >= epoch,
            "a restart forgot the epoch"
        );
        match Client::connect(&again, "a") {
            Some(client) => {
                happened("unsealed after");
                client.leave().await;
            }
            None => happened("sealed after"),
        }
        again.at_rest().await;
        // The tasks of the process that died: nobody hears of them.
        visiting.await.unwrap();
        sealing.await.unwrap();
    });
}
