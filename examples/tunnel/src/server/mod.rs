//! The tunnel server: gives customers' private applications a public path.
//!
//! Owns the wiring: two ports, one admission, one registry of tunnels. The binary and the tests start it.

mod again;
mod announce;
mod body;
mod carried;
mod carrier;
mod forward;
mod headers;
mod held;
mod metrics;
mod open;
mod peers;
mod private;
mod problem;
#[cfg(test)]
#[cfg(feature = "races")]
mod races;
mod registry;
mod reserve;
mod serve;
mod tunnel;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ebbtide_endpoint::{Endpoint, Guard, NoKeys, Unsigned};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use headers::{SERVER, strip};

use crate::sync::spawn;

/// What a server is started with.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// This server's EC2 instance id: orders for another one are refused
    #[arg(long)]
    pub instance: String,
    /// Public address: tunnels, forwarded requests, health check
    #[arg(long)]
    pub listen: SocketAddr,
    /// Private address: session endpoint, metrics, calls of other servers
    #[arg(long)]
    pub sessions: SocketAddr,
    /// File that keeps the epoch and the seal over a restart
    #[arg(long)]
    pub state: PathBuf,
    /// File with one `IP:SESSIONS_PORT` a line, of every server of the service; read again when it changes
    #[arg(long)]
    pub peers: PathBuf,
    /// File with this server's keys, one a line: calls of the session endpoint have to be signed with one of them
    #[arg(long)]
    pub keys: Option<PathBuf>,
    /// Calls that are not signed are taken too, for the release in which servers get their keys
    #[arg(long, requires = "keys")]
    pub take_unsigned: bool,
    /// A tunnel stays busy this long after its last request
    #[arg(long, value_parser = parse_duration, default_value = "2s")]
    pub idle_after: Duration,
    /// Each tunnel is pinged this often; load balancers cut connections that are silent for a minute
    #[arg(long, value_parser = parse_duration, default_value = "20s")]
    pub ping_every: Duration,
    /// A request for a tunnel that nobody holds waits this long for it to arrive
    #[arg(long, value_parser = parse_duration, default_value = "10s")]
    pub hold_for: Duration,
}

/// Reads `2s`, `350ms` or `5m`.
///
/// # Errors
/// Anything else, saying what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a duration such as 350ms, 2s or 5m, got {text:?}");
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(expected)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| expected())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => number
            .checked_mul(60)
            .map(Duration::from_secs)
            .ok_or_else(expected),
        _ => Err(expected()),
    }
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The state file is missing its sense, or belongs to another instance.
    #[error("{0}")]
    State(String),
    /// There are no keys, where calls have to be signed.
    #[error(
        "--keys: {0}; fetch this server's keys before it starts (docs/signed-calls.md says how)"
    )]
    Keys(#[from] NoKeys),
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address of the option.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
}

/// What all parts of one server share.
pub(crate) struct Shared {
    pub(crate) ping_every: Duration,
    pub(crate) hold_for: Duration,
    pub(crate) endpoint: Endpoint,
    pub(crate) registry: Arc<registry::Registry>,
    pub(crate) carrying: carried::Carrying,
    pub(crate) kept: again::Kept,
    pub(crate) reservations: reserve::Reservations,
    pub(crate) peers: Arc<peers::Peers>,
    pub(crate) announcer: announce::Announcer,
    pub(crate) metrics: metrics::Metrics,
    pub(crate) stop: CancellationToken,
}

/// A running server. Dropping it ends everything that it holds, at once.
pub struct Server {
    /// Where the public port listens.
    pub public: SocketAddr,
    /// Where the private port listens.
    pub private: SocketAddr,
    _stop: DropGuard,
}

impl Server {
    /// Starts a server; returns when both ports listen.
    ///
    /// # Errors
    /// When the state file cannot be trusted or an address cannot be listened on.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let held = hold(&options);
        let endpoint = Endpoint::start(&options.instance, &options.state, held.clone())
            .map_err(|unreadable| StartError::State(unreadable.to_string()))?;
        let sessions = sessions(&options, &endpoint)?;
        let (public, public_address) = listen(options.listen).await?;
        let (private, private_address) = listen(options.sessions).await?;
        let stop = CancellationToken::new();
        let wire = Box::new(wire::Http::new());
        let peers = peers::Peers::new(options.peers.clone(), private_address, wire);
        let shared = share(&options, endpoint, &held, peers, stop.clone());
        spawn_tasks(&shared, public, (private, sessions));
        Ok(Self {
            public: public_address,
            private: private_address,
            _stop: stop.drop_guard(),
        })
    }
}

/// The session endpoint's paths, behind a guard if there are keys.
fn sessions(options: &Options, endpoint: &Endpoint) -> Result<Router, StartError> {
    let Some(keys) = &options.keys else {
        return Ok(endpoint.router());
    };
    let unsigned = match options.take_unsigned {
        true => Unsigned::Taken,
        false => Unsigned::Refused,
    };
    Ok(endpoint.signed_router(Guard::of_file(keys, unsigned)?))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn hold(options: &Options) -> Arc<held::Held> {
    Arc::new(held::Held {
        registry: registry::Registry::new(options.idle_after),
        carrying: carried::Carrying::default(),
    })
}

fn share(
    options: &Options,
    endpoint: Endpoint,
    held: &held::Held,
    peers: Arc<peers::Peers>,
    stop: CancellationToken,
) -> Arc<Shared> {
    Arc::new(Shared {
        ping_every: options.ping_every,
        hold_for: options.hold_for,
        endpoint,
        registry: held.registry.clone(),
        carrying: held.carrying.clone(),
        kept: again::Kept::default(),
        reservations: reserve::Reservations::default(),
        announcer: announce::Announcer::start(peers.clone(), stop.clone()),
        peers,
        metrics: metrics::Metrics::default(),
        stop,
    })
}

fn spawn_tasks(
    shared: &Arc<Shared>,
    public: TcpListener,
    (private, sessions): (TcpListener, Router),
) {
    let stop = shared.stop.clone();
    let on_public = {
        let shared = shared.clone();
        move |request| forward::public(shared.clone(), request)
    };
    let sealed = shared.endpoint.sealed();
    spawn(serve::serve(public, on_public, stop.clone(), sealed));
    spawn(serve::serve(
        private,
        private::handler(shared.clone(), sessions),
        stop.clone(),
        // Reports are read, and seals repeated, of a sealed server too.
        tokio::sync::watch::channel(false).1,
    ));
    spawn(stop.run_until_cancelled_owned(shared.peers.clone().follow()));
}

/// The parts of a server that knows no other, without its ports.
#[cfg(test)]
#[cfg(not(feature = "races"))]
pub(crate) fn parts(directory: &std::path::Path, hold_for: Duration) -> Arc<Shared> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options {
        instance: "i-1".to_owned(),
        listen: nowhere,
        sessions: nowhere,
        state: directory.join("state.json"),
        peers: directory.join("peers"),
        keys: None,
        take_unsigned: false,
        idle_after: Duration::from_secs(2),
        ping_every: Duration::from_secs(20),
        hold_for,
    };
    let held = hold(&options);
    let endpoint = Endpoint::start(&options.instance, &options.state, held.clone()).unwrap();
    let wire = Box::new(wire::Http::new());
    let peers = peers::Peers::new(options.peers.clone(), nowhere, wire);
    share(&options, endpoint, &held, peers, CancellationToken::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(parse_duration("350ms"), Ok(Duration::from_millis(350)));
        assert_eq!(parse_duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "2", "s", "-1s", "2 s", "1h30", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
