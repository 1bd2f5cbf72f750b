//! A seal against sessions, against another seal, and against its own disk.

use std::sync::Arc;

use shuttle::future::{spawn, yield_now};

use super::world::Server;
use super::{Disk, explore, happened};
use crate::admission::Mode;
use crate::order::{Refused, What};
use crate::sync::chance;

#[test]
fn a_seal_against_sessions() {
    let must = ["session", "refused"];
    explore("seal against sessions", 4000, &must, || async {
        let server = Server::start(Arc::default());
        let visiting = [(); 3].map(|()| spawn(server.clone().visit()));
        server.seal(1).await;
        assert!(server.connect().is_none());
        for visit in visiting {
            visit.await.unwrap();
        }
        server.at_rest().await;
    });
}

#[test]
fn two_seals_at_once() {
    let must = ["session", "refused", "in use"];
    explore("two seals at once", 4000, &must, || async {
        let server = Server::start(Arc::default());
        let visiting = spawn(server.clone().visit());
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
        "session",
        "refused",
    ];
    explore("seal against a failing disk", 4000, &must, || async {
        let server = Server::start(Disk::that_may_fail());
        let visiting = [(); 2].map(|()| spawn(server.clone().visit()));
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
        for visit in visiting {
            visit.await.unwrap();
        }
        server.at_rest().await;
    });
}

#[test]
fn a_seal_against_a_crash() {
    let must = ["sealed before", "unsealed after", "sealed after", "session"];
    explore("seal against a restart", 4000, &must, || async {
        let server = Server::start(Disk::that_may_fail());
        let visiting = spawn(server.clone().visit());
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
        let epoch = server.endpoint.report().epoch;
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
            again.endpoint.report().epoch >= epoch,
            "a restart forgot the epoch"
        );
        happened(match again.connect() {
            Some(_) => "unsealed after",
            None => "sealed after",
        });
        again.at_rest().await;
        // The tasks of the process that died: nobody hears of them.
        visiting.await.unwrap();
        sealing.await.unwrap();
    });
}
