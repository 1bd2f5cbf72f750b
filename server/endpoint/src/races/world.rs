//! A small server: sessions that work, rest, and leave when they are closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shuttle::future::yield_now;

use super::{Disk, Open, Truth, happened};
use crate::admission::{Mode, State};
use crate::endpoint::Endpoint;
use crate::order::{Order, Refused, What};
use crate::sessions::{Count, Sessions};
use crate::sync::{chance, now};
use crate::table::{self, Table};

pub(super) const IDLE_AFTER: Duration = Duration::from_millis(150);
const INSTANCE: &str = "i-1";

pub(super) struct Server {
    pub(super) endpoint: Endpoint,
    pub(super) table: Arc<Table>,
    pub(super) truth: Arc<Truth>,
    disk: Arc<Disk>,
}

impl Server {
    pub(super) fn start(disk: Arc<Disk>) -> Arc<Self> {
        let table = Table::new(IDLE_AFTER);
        let endpoint = Endpoint::keeping(INSTANCE, disk.clone(), table.clone()).unwrap();
        Arc::new(Self {
            endpoint,
            table,
            truth: Arc::default(),
            disk,
        })
    }

    /// The process dies, and another starts from what is on the disk.
    pub(super) fn restarted(&self) -> Arc<Self> {
        Self::start(self.disk.after_a_crash())
    }

    /// A client connects, unless it is refused.
    pub(super) fn connect(self: &Arc<Self>) -> Option<Session> {
        let place = self.endpoint.enter_session().ok()?;
        let open = self.truth.session();
        Some(Session {
            _open: open,
            known: self.table.open(place),
        })
    }

    /// A client connects, stays for a moment and leaves.
    pub(super) async fn visit(self: Arc<Self>) {
        match self.connect() {
            Some(_session) => {
                happened("session");
                while chance() < 0.8 {
                    yield_now().await;
                }
            }
            None => happened("refused"),
        }
    }

    pub(super) fn state(&self) -> State {
        self.endpoint.state()
    }

    /// How many are here and not being closed, when none is busy.
    pub(super) fn staying(&self) -> usize {
        self.table.idle().len()
    }

    /// Gives an order; of a seal that is acknowledged, the truth is told.
    pub(super) async fn order(&self, epoch: u64, what: What) -> Result<(), Refused> {
        let (instance, deployment) = (INSTANCE.to_owned(), "spring".to_owned());
        let order = Order {
            instance,
            deployment,
            epoch,
            what,
        };
        self.endpoint.order(order).await?;
        if what == What::Seal {
            self.truth.acknowledge();
            let sealed = State {
                mode: Mode::Sealed,
                in_use: 0,
            };
            assert_eq!(self.state(), sealed);
            let report = self.endpoint.report();
            assert_eq!(
                (report.busy, report.idle),
                (0, 0),
                "a sealed server reports what is in use"
            );
        }
        Ok(())
    }

    /// Seals, again and again until nothing is in use.
    pub(super) async fn seal(&self, epoch: u64) {
        while self.order(epoch, What::Seal).await.is_err() {
            yield_now().await;
        }
    }

    /// Waits until nothing is in use any more: then nothing may be counted either.
    pub(super) async fn at_rest(&self) {
        while self.state().in_use > 0 {
            yield_now().await;
        }
        assert_eq!(self.table.count(), Count::default());
        assert_eq!(self.truth.sessions(), 0);
    }
}

/// A client's session. It is over when this is dropped.
pub(super) struct Session {
    // Dropped before the place: whoever is sealed in between would have a session still.
    _open: Open,
    known: table::Session,
}

impl Session {
    /// Works for a moment, unless the server has begun to close it; says when that ended.
    pub(super) async fn work(&self) -> Option<Instant> {
        let work = self.known.begin()?;
        yield_now().await;
        let ended = now();
        drop(work);
        Some(ended)
    }

    /// Waits until the server closes it.
    pub(super) async fn closed(&self) {
        self.known.asked_to_leave().await;
    }
}
