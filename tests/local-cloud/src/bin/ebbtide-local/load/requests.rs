//! Requests to the tunnels: those that are held and make a tunnel busy, and short ones all the time.
//!
//! Owns what a good answer is: status 200, and the name of the tunnel that was asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ebbtide_local_cloud::{Error, Result};
use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::tunnels::application::HELD;
use crate::tunnels::clients::name;

/// How many ask at once, and how long each rests between two requests.
const CALLERS: usize = 20;
const REST: Duration = Duration::from_millis(200);
/// A short request waits for a tunnel on its way to green, which takes seconds at worst.
const SHORT_WITHIN: Duration = Duration::from_secs(30);
/// Held requests begin in groups of this size: a stampede would only measure this machine.
const AT_ONCE: usize = 64;
/// Reasons that are told; the rest is counted.
const TOLD: usize = 10;

/// How many requests there were, and what went wrong with some.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: usize,
    pub(super) failed: usize,
    /// The first [`TOLD`] failures.
    pub(super) reasons: Vec<String>,
}

impl Tally {
    fn note(&mut self, outcome: std::result::Result<(), String>) {
        match outcome {
            Ok(()) => self.answered += 1,
            Err(reason) => {
                self.failed += 1;
                if self.reasons.len() < TOLD {
                    self.reasons.push(reason);
                }
            }
        }
    }
}

/// Requests that are held by their tunnels' applications.
#[derive(Debug)]
pub(super) struct Held(JoinSet<std::result::Result<(), String>>);

impl Held {
    /// Begins one for each of the first `count` tunnels, through the listeners in turn.
    pub(super) async fn begin(listeners: &[String], count: usize) -> Result<Self> {
        let client = client(None)?;
        let mut requests = JoinSet::new();
        for (number, listener) in (0..count).zip(listeners.iter().cycle()) {
            let tunnel = name(number);
            let url = format!("{listener}/t/{tunnel}{HELD}");
            requests.spawn(ask(client.clone(), url, tunnel));
            if number % AT_ONCE == AT_ONCE - 1 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(Self(requests))
    }

    /// Waits until one ends, which none should while it is held; for ever if none does.
    pub(super) async fn first_end(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok(Err(reason))) => reason,
            Some(Ok(Ok(()))) => "it was answered".to_owned(),
            Some(Err(error)) => error.to_string(),
            None => std::future::pending().await,
        }
    }

    /// Those that have ended until now, without waiting. None should have while they are held.
    pub(super) fn ended_early(&mut self) -> Tally {
        let mut tally = Tally::default();
        while let Some(ended) = self.0.try_join_next() {
            tally.note(ended.unwrap_or_else(|error| Err(error.to_string())));
        }
        tally
    }

    /// Waits for the answers of all that are left.
    pub(super) async fn answers(mut self) -> Tally {
        let mut tally = Tally::default();
        while let Some(ended) = self.0.join_next().await {
            tally.note(ended.unwrap_or_else(|error| Err(error.to_string())));
        }
        tally
    }
}

/// Short requests to tunnels chosen at random, until [`Short::end`].
#[derive(Debug)]
pub(super) struct Short {
    tally: Arc<Mutex<Tally>>,
    stop: CancellationToken,
    callers: JoinSet<()>,
}

impl Short {
    /// Begins to ask `tunnels` tunnels.
    pub(super) fn begin(listeners: &[String], tunnels: usize) -> Result<Self> {
        let mut begun = Self {
            tally: Arc::default(),
            stop: CancellationToken::new(),
            callers: JoinSet::new(),
        };
        let client = client(Some(SHORT_WITHIN))?;
        for listener in listeners.iter().cycle().take(CALLERS) {
            let (client, listener) = (client.clone(), listener.clone());
            let (tally, stop) = (begun.tally.clone(), begun.stop.clone());
            begun.callers.spawn(async move {
                while !stop.is_cancelled() {
                    let tunnel = name(rand::rng().random_range(0..tunnels));
                    let url = format!("{listener}/t/{tunnel}/now");
                    let outcome = ask(client.clone(), url, tunnel).await;
                    tally
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .note(outcome);
                    stop.run_until_cancelled(tokio::time::sleep(REST)).await;
                }
            });
        }
        Ok(begun)
    }

    /// Ends them, each after its answer.
    pub(super) async fn end(mut self) -> Tally {
        self.stop.cancel();
        while self.callers.join_next().await.is_some() {}
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.clone()
    }
}

fn client(within: Option<Duration>) -> Result<reqwest::Client> {
    // The client's own probes give a connection up after half a minute, which a machine that has other things to do
    // takes to answer thousands of them.
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .tcp_keepalive(None)
        .tcp_user_timeout(None)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(within) = within {
        builder = builder.timeout(within);
    }
    builder
        .build()
        .map_err(|error| Error::Input(format!("no HTTP client: {error}")))
}

async fn ask(
    client: reqwest::Client,
    url: String,
    tunnel: String,
) -> std::result::Result<(), String> {
    let failed = |error: reqwest::Error| format!("{tunnel}: {error:?}");
    let response = client.get(url).send().await.map_err(failed)?;
    let status = response.status();
    let body = response.text().await.map_err(failed)?;
    if status == reqwest::StatusCode::OK && body == tunnel {
        Ok(())
    } else {
        Err(format!("{tunnel}: {status}, \"{}\"", body.trim_end()))
    }
}
