//! Servers without sockets, and the truth about what they have in use.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::Body;
use ebbtide_endpoint::admission::{Mode, State};
use ebbtide_endpoint::order::{Order, Refused, What};
use ebbtide_endpoint::races::{Disk, Truth};
use ebbtide_endpoint::{Count, Endpoint};
use http::{Request, Response};
use shuttle::future::yield_now;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::super::body::Outgoing;
use super::super::peers::Peers;
use super::super::private::router;
use super::super::wire::{NoResponse, Sending, Wire};
use super::super::{Options, Shared, hold, share};
use crate::sync::{now, spawn};

pub(super) const IDLE_AFTER: Duration = Duration::from_millis(150);
const INSTANCE: &str = "i-1";

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
                let sessions = shared.endpoint.router();
                router(shared, sessions).call(request.map(Body::new)).await
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
    pub(super) truth: Arc<Truth>,
}

impl Server {
    /// A server that knows no other.
    pub(super) fn alone() -> Self {
        Self::start(1, "nowhere", &Network::default())
    }

    /// One of two that know each other.
    pub(super) fn of_two(number: u8, network: &Network) -> Self {
        let server = Self::start(number, "peers", network);
        network
            .0
            .lock()
            .unwrap()
            .insert(address(number), server.shared.clone());
        server
    }

    fn start(number: u8, peers: &str, network: &Network) -> Self {
        let options = Options {
            instance: INSTANCE.to_owned(),
            listen: address(number),
            sessions: address(number),
            state: "unused".into(),
            peers: PEERS.path().join(peers),
            keys: None,
            take_unsigned: false,
            idle_after: IDLE_AFTER,
            ping_every: Duration::from_secs(86_400),
            hold_for: Duration::from_secs(1),
        };
        let held = hold(&options);
        let disk = Arc::<Disk>::default();
        let endpoint = Endpoint::keeping(INSTANCE, disk, held.clone()).unwrap();
        let peers = Peers::new(
            options.peers.clone(),
            address(number),
            Box::new(network.clone()),
        );
        let shared = share(&options, endpoint, &held, peers, CancellationToken::new());
        Self {
            shared,
            truth: Arc::default(),
        }
    }

    /// How many tunnels serve, when none is busy.
    pub(super) fn serving(&self) -> usize {
        self.shared.registry.idle(now()).len()
    }

    pub(super) fn state(&self) -> State {
        self.shared.endpoint.state()
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
        self.shared.endpoint.order(order).await?;
        if what == What::Seal {
            self.truth.acknowledge();
            let (state, report) = (self.state(), self.shared.endpoint.report());
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
