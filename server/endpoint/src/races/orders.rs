//! Drain, resume and seal of two deployments against each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shuttle::future::spawn;

use super::world::{IDLE_AFTER, Server};
use super::{explore, happened};
use crate::admission::{Mode, Refusal};
use crate::order::{Refused, What};
use crate::sync::sleep;

const DRAIN: What = What::Drain {
    per_second: 50.0,
    lease: Duration::from_secs(60),
};

/// Orders, and the highest epoch that was acknowledged: what a lower one does after that would be a mistake.
struct Fenced {
    server: Arc<Server>,
    highest: AtomicU64,
}

impl Fenced {
    async fn order(&self, epoch: u64, what: What) -> Result<(), Refused> {
        let floor = self.highest.load(Ordering::SeqCst);
        let outcome = self.server.order(epoch, what).await;
        match &outcome {
            Ok(()) => {
                assert!(epoch >= floor, "epoch {epoch} was accepted after {floor}");
                self.highest.fetch_max(epoch, Ordering::SeqCst);
            }
            Err(Refused::StaleEpoch { .. }) => happened("stale"),
            Err(Refused::Admission(Refusal::Sealed)) => happened("sealed"),
            Err(Refused::Admission(Refusal::InUse(_))) => happened("in use"),
            Err(other) => panic!("{other}"),
        }
        assert!(
            self.server.endpoint.report().epoch >= floor,
            "a report fell back below {floor}"
        );
        outcome
    }
}

#[test]
fn a_rollback_against_the_drain_before_it() {
    let must = ["stale", "closed", "spared", "resumed"];
    explore("resume against drain against seal", 2500, &must, || async {
        let server = Server::start(Arc::default());
        let fenced = Arc::new(Fenced {
            server,
            highest: AtomicU64::new(0),
        });
        let server = &fenced.server;
        let clients = [server.connect().unwrap(), server.connect().unwrap()];
        sleep(IDLE_AFTER).await;
        let late = [DRAIN, What::Seal, DRAIN].map(|what| {
            let fenced = fenced.clone();
            spawn(async move { fenced.order(1, what).await.is_ok() })
        });
        // Both tunnels can be closed before it, and the server be sealed.
        if fenced.order(2, What::Resume).await.is_ok() {
            happened("resumed");
            let serving = server.staying();
            sleep(Duration::from_secs(10)).await;
            assert_eq!(
                server.staying(),
                serving,
                "closed after the resume was acknowledged"
            );
            assert_eq!(server.state().mode, Mode::Open);
            happened(if serving == 2 { "spared" } else { "closed" });
        } else {
            assert!(server.truth.acknowledged());
        }
        for order in late {
            order.await.unwrap();
        }
        drop(clients);
        server.at_rest().await;
    });
}

#[test]
fn a_resume_against_a_seal_in_the_same_epoch() {
    let must = ["sealed", "resumed", "sealed first"];
    explore("resume against seal", 4000, &must, || async {
        let fenced = Arc::new(Fenced {
            server: Server::start(Arc::default()),
            highest: AtomicU64::new(0),
        });
        let sealing = spawn({
            let fenced = fenced.clone();
            async move { fenced.order(1, What::Seal).await.is_ok() }
        });
        let resumed = fenced.order(1, What::Resume).await.is_ok();
        happened(if resumed { "resumed" } else { "sealed first" });
        let session = fenced.server.connect();
        assert!(resumed || session.is_none());
        drop(session);
        if sealing.await.unwrap() {
            assert_eq!(fenced.server.state().mode, Mode::Sealed);
            assert!(fenced.order(2, What::Resume).await.is_err());
        }
        fenced.server.at_rest().await;
    });
}
