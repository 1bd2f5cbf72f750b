//! A seal against arriving sessions, as hard as they can be opened from here.
//!
//! Owns the bookkeeping that makes a wrong seal certain: a session is alive from the moment that its opening has
//! succeeded here until just before it is ended here. One that is alive when the seal's acknowledgement has come, or comes
//! alive after that, is one that the server has promised not to have.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::hands::Opener;
use crate::server::Order;
use crate::trial::{Ended, Trial, failed, not_tried};

/// So many open sessions at once, at most.
const WORKERS: usize = 12;
/// A server that never had nothing in use for so long is not sealed.
const LONGEST: Duration = Duration::from_secs(60);
/// After the seal each worker must have been refused within this.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);
/// How long a session is held, at most: so short that there are moments without any.
const HOLD: f64 = 0.002;

/// What a round saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Struck {
    rounds: usize,
    /// Sessions that the server took.
    pub(crate) taken: usize,
    /// Seals that were refused because something was in use.
    pub(crate) in_use: usize,
    /// Openings that were refused.
    refused: usize,
    /// Sessions alive although the server was sealed.
    pub(crate) alive: usize,
}

impl Struck {
    pub(crate) fn add(&mut self, other: &Self) {
        self.rounds += 1;
        self.taken += other.taken;
        self.in_use += other.in_use;
        self.refused += other.refused;
        self.alive += other.alive;
    }
}

impl fmt::Display for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            taken,
            in_use,
            refused,
            ..
        } = self;
        write!(
            f,
            "{rounds} seals against {taken} sessions, {in_use} refused in use; then {refused} sessions refused"
        )
    }
}

#[derive(Default)]
struct Seen {
    struck: Struck,
    alive: usize,
    sealed: bool,
}

type Shared = Arc<Mutex<Seen>>;

fn with<T>(shared: &Shared, act: impl FnOnce(&mut Seen) -> T) -> T {
    act(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Opens and ends sessions until one is refused.
async fn come_and_go(open: Opener, shared: Shared, begun: Instant) {
    loop {
        let Ok(session) = open().await else {
            with(&shared, |seen| seen.struck.refused += 1);
            return;
        };
        let sealed = with(&shared, |seen| {
            seen.struck.taken += 1;
            seen.alive += 1;
            seen.struck.alive += usize::from(seen.sealed);
            seen.sealed
        });
        let hold = rand::rng().random_range(0.0..HOLD);
        sleep(Duration::from_secs_f64(hold)).await;
        with(&shared, |seen| seen.alive -= 1);
        drop(session);
        if sealed {
            return;
        }
        // Rarer and rarer, so that there will be a moment without any.
        let rest = 0.01 + begun.elapsed().as_secs_f64() / 10.0;
        let rest = rand::rng().random_range(0.0..rest);
        sleep(Duration::from_secs_f64(rest)).await;
    }
}

/// Seals under arriving sessions until the seal is acknowledged.
pub(crate) async fn hammer(trial: &Trial, open: &Opener, order: &Value) -> Result<Struck, Ended> {
    let (shared, begun) = (Shared::default(), Instant::now());
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(come_and_go(open.clone(), shared.clone(), begun));
    }
    // A seal on an empty server would win before the first arrival.
    while with(&shared, |seen| seen.struck.taken) < WORKERS / 2 {
        if workers.is_empty() || begun.elapsed() > LONGEST {
            return not_tried("sessions cannot be opened");
        }
        sleep(Duration::from_millis(1)).await;
        if with(&shared, |seen| seen.struck.refused) > 0 {
            return failed("an open server refused a session");
        }
    }
    while !seals(trial, order, &shared).await? {
        if begun.elapsed() > LONGEST {
            return not_tried("it never had nothing in use");
        }
    }
    let refused = async { while workers.join_next().await.is_some() {} };
    if timeout(REFUSED_WITHIN, refused).await.is_err() {
        return failed("a sealed server neither takes nor refuses a session");
    }
    Ok(with(&shared, |seen| seen.struck))
}

/// Gives one order to seal; true if it was acknowledged.
async fn seals(trial: &Trial, order: &Value, shared: &Shared) -> Result<bool, Ended> {
    let answer = trial.post(Order::Seal, order).await?;
    if answer.status == 409 && answer.error().as_deref() == Some("InUse") {
        with(shared, |seen| seen.struck.in_use += 1);
        return Ok(false);
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let sealed = answer.status == 200 && said["admission"] == "sealed";
    if !sealed {
        return failed(format!(
            "seal: 200 or 409 InUse was due, seen {}",
            answer.told()
        ));
    }
    with(shared, |seen| {
        seen.sealed = true;
        // By its own account too: a sealed server that reports sessions.
        let own = usize::from(answer.report(&trial.instance).is_err());
        seen.struck.alive += seen.alive.max(own);
    });
    Ok(true)
}
