//! The standing order against all that makes sessions busy, and against other orders.

use std::sync::Arc;
use std::time::Duration;

use shuttle::future::spawn;

use super::world::{IDLE_AFTER, Server, Session};
use super::{explore, happened};
use crate::order::What;
use crate::sync::{now, sleep};

const LEASE: Duration = Duration::from_secs(60);

fn drain(per_second: f64) -> What {
    What::Drain {
        per_second,
        lease: LEASE,
    }
}

fn four(server: &Arc<Server>) -> Vec<Session> {
    [(); 4].map(|()| server.connect().unwrap()).into()
}

#[test]
fn a_slot_against_work() {
    let must = ["worked", "came too late", "closed"];
    explore("a slot against work", 2500, &must, || async {
        let server = Server::start(Arc::default());
        let session = Arc::new(server.connect().unwrap());
        let working = [1, 3].map(|wait| {
            let session = session.clone();
            spawn(async move {
                sleep(IDLE_AFTER * wait / 2).await;
                let ended = session.work().await;
                happened(if ended.is_some() {
                    "worked"
                } else {
                    "came too late"
                });
                ended
            })
        });
        server.order(1, drain(20.0)).await.unwrap();
        session.closed().await;
        let closed = now();
        happened("closed");
        for work in working {
            if let Some(ended) = work.await.unwrap() {
                assert!(
                    closed >= ended + IDLE_AFTER,
                    "closed {:?} after its last work",
                    closed - ended
                );
            }
        }
        drop(session);
        server.at_rest().await;
        assert_eq!(server.endpoint.report().closed, 1);
    });
}

#[test]
fn an_order_replaced_in_its_slot() {
    let must = ["closed by the first", "spared"];
    explore("drain order replaced in its slot", 2500, &must, || async {
        let server = Server::start(Arc::default());
        let sessions = four(&server);
        sleep(IDLE_AFTER).await;
        server.order(1, drain(50.0)).await.unwrap();
        sleep(Duration::from_millis(40)).await;
        // One in 500 s: the lease ends before a second.
        server.order(1, drain(0.002)).await.unwrap();
        let before = server.staying();
        if before < sessions.len() {
            happened("closed by the first");
        }
        sleep(LEASE * 2).await;
        let after = server.staying();
        assert!(
            after + 1 >= before,
            "{before} sessions, then {after}: the order before went on"
        );
        if after > 0 {
            happened("spared");
        }
        drop(sessions);
        server.at_rest().await;
    });
}

#[test]
fn an_order_given_as_the_one_before_ends() {
    let must = ["closed"];
    explore("drain order as the lease ends", 2500, &must, || async {
        let server = Server::start(Arc::default());
        let sessions = four(&server);
        let longer = What::Drain {
            per_second: 50.0,
            lease: LEASE * 1440,
        };
        // Nothing is closed by it: its slots are a day.
        server.order(1, drain(1.0 / 86_400.0)).await.unwrap();
        let giving = [(); 2].map(|()| {
            let server = server.clone();
            spawn(async move {
                sleep(LEASE).await;
                server.order(1, longer).await.unwrap();
            })
        });
        for given in giving {
            given.await.unwrap();
        }
        // Waits for ever if nobody carries it out.
        for session in &sessions {
            session.closed().await;
        }
        happened("closed");
        drop(sessions);
        server.at_rest().await;
    });
}
