//! Servers without sockets, disks that fail, and the truth about what is in use.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use shuttle::future::yield_now;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::super::body::Outgoing;
use super::super::control::{Control, Order, Refused, What};
use super::super::drain::Drain;
use super::super::endpoint::router;
use super::super::peers::Peers;
use super::super::registry::Count;
use super::super::report::report;
use super::super::state_file::{Keeper, Kept, Unreadable, WriteFailed};
use super::super::wire::{NoResponse, Sending, Wire};
use super::super::{Options, Shared, share};
use crate::admission::{Mode, State};
use crate::sync::{chance, now, spawn};

pub(super) const IDLE_AFTER: Duration = Duration::from_millis(150);
const INSTANCE: &str = "i-1";

/// What the world outside sees, whatever the server believes.
#[derive(Default)]
pub(super) struct Truth(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    sessions: u64,
    acknowledged: bool,
}

impl Truth {
    /// A handshake was accepted.
    pub(super) fn session(self: &Arc<Self>) -> Open {
        let mut seen = self.0.lock().unwrap();
        assert!(!seen.acknowledged, "a sealed server took a session");
        seen.sessions += 1;
        Open(self.clone())
    }

    pub(super) fn sessions(&self) -> u64 {
        self.0.lock().unwrap().sessions
    }

    /// A seal was acknowledged: the server may be terminated at any moment from now on.
    fn acknowledge(&self) {
        let mut seen = self.0.lock().unwrap();
        assert_eq!(seen.sessions, 0, "sessions on a sealed server");
        seen.acknowledged = true;
    }

    pub(super) fn acknowledged(&self) -> bool {
        self.0.lock().unwrap().acknowledged
    }
}

/// A session that somebody would miss.
pub(super) struct Open(Arc<Truth>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().sessions -= 1;
    }
}

/// What a server keeps, and how that may fail.
#[derive(Default)]
pub(super) struct Disk {
    step: AtomicU64,
    may_fail: bool,
    content: Mutex<Content>,
}

#[derive(Clone, Default)]
struct Content {
    durable: Option<Kept>,
    /// In place, and gone or not after a crash.
    renamed: Option<Kept>,
}

impl Disk {
    pub(super) fn that_may_fail() -> Arc<Self> {
        Arc::new(Self {
            may_fail: true,
            ..Self::default()
        })
    }

    /// What is there after a crash at this moment.
    pub(super) fn after_a_crash(&self) -> Arc<Self> {
        let mut content = self.content.lock().unwrap().clone();
        let renamed = content.renamed.take().filter(|_| chance() < 0.5);
        content.durable = renamed.or(content.durable);
        Arc::new(Self {
            content: Mutex::new(content),
            ..Self::default()
        })
    }

    fn step(&self, maybe_written: bool) -> Result<(), WriteFailed> {
        self.step.fetch_add(1, Ordering::SeqCst);
        if self.may_fail && chance() < 0.3 {
            let error = io::Error::other("the disk is full");
            return Err(WriteFailed {
                maybe_written,
                error,
            });
        }
        Ok(())
    }
}

impl Keeper for Disk {
    fn read(&self, instance: &str) -> Result<Kept, Unreadable> {
        let durable = self.content.lock().unwrap().durable.clone();
        Ok(durable.unwrap_or_else(|| Kept::new(instance)))
    }

    fn write(&self, kept: &Kept) -> Result<(), WriteFailed> {
        self.step(false)?;
        self.content.lock().unwrap().renamed = Some(kept.clone());
        self.step(true)?;
        let mut content = self.content.lock().unwrap();
        content.durable = content.renamed.take();
        drop(content);
        self.step.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Hands requests from server to server without a network.
#[derive(Clone, Default)]
pub(super) struct Network(Arc<Mutex<HashMap<SocketAddr, Arc<Shared>>>>);

impl Network {
    /// Takes all servers away, so that none keeps another in memory.
    pub(super) fn end(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl Wire for Network {
    fn send(&self, request: Request<Outgoing>) -> Sending {
        let peer = request
            .uri()
            .authority()
            .and_then(|peer| peer.as_str().parse().ok());
        let peer: Option<Arc<Shared>> =
            peer.and_then(|peer: SocketAddr| self.0.lock().unwrap().get(&peer).cloned());
        Box::pin(async move {
            let unreached = || NoResponse {
                unreached: true,
                error: "nobody is there".into(),
            };
            let shared = peer.ok_or_else(unreached)?;
            // A task of the other server's; it ends with the connection if the caller hangs up.
            let answering = Answering(spawn(async move {
                router(shared).call(request.map(Body::new)).await
            }));
            answering.answer().await.ok_or_else(unreached)
        })
    }
}

struct Answering(shuttle::future::JoinHandle<Result<Response<Body>, std::convert::Infallible>>);

impl Answering {
    async fn answer(mut self) -> Option<Response<Body>> {
        match (&mut self.0).await {
            Ok(Ok(response)) => Some(response),
            Err(_) => None,
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

static PEERS: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let list = "127.0.0.1:1\n127.0.0.2:1\n";
    std::fs::write(directory.path().join("peers"), list).unwrap();
    directory
});

pub(super) struct Server {
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Arc<Disk>,
    pub(super) truth: Arc<Truth>,
    number: u8,
}

impl Server {
    /// A server that knows no other.
    pub(super) fn alone(disk: Arc<Disk>) -> Self {
        Self::start(1, disk, "nowhere", &Network::default())
    }

    /// One of two that know each other.
    pub(super) fn of_two(number: u8, network: &Network) -> Self {
        let server = Self::start(number, Arc::default(), "peers", network);
        network
            .0
            .lock()
            .unwrap()
            .insert(address(number), server.shared.clone());
        server
    }

    fn start(number: u8, disk: Arc<Disk>, peers: &str, network: &Network) -> Self {
        let options = Options {
            instance: INSTANCE.to_owned(),
            listen: address(number),
            sessions: address(number),
            state: "unused".into(),
            peers: PEERS.path().join(peers),
            idle_after: IDLE_AFTER,
            ping_every: Duration::from_secs(86_400),
            hold_for: Duration::from_secs(1),
        };
        let drain = Arc::new(Drain::default());
        let control = Control::start(INSTANCE, disk.clone(), drain.clone()).unwrap();
        let peers = Peers::new(
            options.peers.clone(),
            address(number),
            Box::new(network.clone()),
        );
        let shared = share(options, control, drain, peers, CancellationToken::new());
        Self {
            shared,
            disk,
            truth: Arc::default(),
            number,
        }
    }

    /// The process dies, and another starts from what is on the disk.
    pub(super) fn restarted(&self) -> Self {
        Self::start(
            self.number,
            self.disk.after_a_crash(),
            "nowhere",
            &Network::default(),
        )
    }

    /// Begins to carry out drain orders.
    pub(super) fn draining(self) -> Self {
        drop(spawn(
            self.shared
                .drain
                .clone()
                .run(self.shared.registry.clone(), IDLE_AFTER),
        ));
        self
    }

    /// How many tunnels serve, when none is busy.
    pub(super) fn serving(&self) -> usize {
        self.shared.registry.idle(now()).len()
    }

    pub(super) fn state(&self) -> State {
        self.shared.control.admission().state()
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
        self.shared.control.order(order).await?;
        if what == What::Seal {
            self.truth.acknowledge();
            let (state, report) = (self.state(), report(&self.shared));
            assert_eq!(
                state,
                State {
                    mode: Mode::Sealed,
                    in_use: 0
                }
            );
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
        assert_eq!(self.shared.registry.count(now()), Count::default());
        assert_eq!(self.shared.carrying.count().0, 0);
        assert_eq!(self.truth.sessions(), 0);
    }
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, number], 1))
}
