//! The agent as a process: gate, session endpoint and health check on one listener, and the task that keeps rules up.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use ebbtide_endpoint::instance::{NoInstance, from_file, from_metadata};
use ebbtide_endpoint::{Endpoint, Guard, NoKeys, NotStarted};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::barrier;
use crate::config::{Config, Instance};
use crate::gate::KernelGate;
use crate::health::Health;
use crate::hook::Hook;
use crate::metrics;
use crate::orders::Orders;

/// How often rules that lapse by themselves are put up again: a few times in `rules::REFUSAL_LASTS`.
const KEEP_UP_EVERY: Duration = Duration::from_millis(400);

/// Why the agent does not run.
#[derive(Debug, Error)]
pub enum Stopped {
    /// It does not know whose orders it takes.
    #[error(transparent)]
    Instance(#[from] NoInstance),
    /// State or rules.
    #[error(transparent)]
    NotStarted(#[from] NotStarted),
    /// Signed calls without keys.
    #[error(transparent)]
    Keys(#[from] NoKeys),
    /// The kernel has no barrier to seal with.
    #[error(
        "this kernel offers no barrier (not with nohz_full processors, nor on one alone with PREEMPT_RT): no seal would be certain"
    )]
    NoBarrier,
    /// The client of the server's own health check.
    #[error(transparent)]
    Health(#[from] reqwest::Error),
    /// The listener.
    #[error("{0}")]
    Listener(#[from] io::Error),
    /// A task has died.
    #[error("a task has died: {0}")]
    Died(#[from] tokio::task::JoinError),
}

/// A running agent: its rules stand.
pub struct Agent {
    router: Router,
    keeping_up: JoinHandle<()>,
}

impl Agent {
    /// Puts the rules up, the seal's first: when this returns the server may start.
    ///
    /// # Errors
    /// When it cannot be told what the server may do, or the rules do not stand.
    pub async fn start(config: Config, orders: Orders) -> Result<Self, Stopped> {
        if !barrier::is_offered() {
            return Err(Stopped::NoBarrier);
        }
        let instance = instance(&config.instance).await?;
        let hook = config.busy.clone().map(Hook::new).transpose()?;
        let gate = Arc::new(KernelGate::new(&config.ports, orders, config.idle, hook));
        let (behind, file) = (gate.clone(), config.state_file.clone());
        let endpoint = spawn_blocking(move || Endpoint::behind(behind, &instance, file)).await??;
        Ok(Self {
            router: router(&endpoint, &config)?,
            keeping_up: tokio::spawn(keep_up(gate)),
        })
    }

    /// Answers until `ended`.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Stopped> {
        let Self { router, keeping_up } = self;
        let served = axum::serve(listener, router)
            .with_graceful_shutdown(ended)
            .await;
        keeping_up.abort();
        Ok(served?)
    }
}

/// Which instance this is.
pub(crate) async fn instance(from: &Instance) -> Result<String, NoInstance> {
    Ok(match from {
        Instance::Metadata => from_metadata().await?,
        Instance::File(path) => from_file(path)?,
        Instance::Id(id) => id.clone(),
    })
}

fn router(endpoint: &Endpoint, config: &Config) -> Result<Router, Stopped> {
    let health = Health::new(&config.ports, config.health.clone())?;
    let sessions = match &config.keys {
        Some(keys) => endpoint.signed_router(Guard::of_file(&keys.file, keys.unsigned)?),
        None => endpoint.router(),
    };
    let measured = endpoint.clone();
    Ok(sessions
        .route("/health", get(async move || health.answer().await))
        .route("/metrics", get(async move || measure(&measured).await)))
}

async fn measure(endpoint: &Endpoint) -> Result<String, StatusCode> {
    let report = endpoint.look().await.ok();
    metrics::text(report.as_ref()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn keep_up(gate: Arc<KernelGate>) {
    let mut due = tokio::time::interval(KEEP_UP_EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let gate = gate.clone();
        if let Err(died) = spawn_blocking(move || gate.keep_up()).await {
            tracing::error!(%died, "the rules are not kept up");
        }
    }
}
