//! One trial of one server: what is known of it, and what a rule may ask and do.
//!
//! Owns the epoch, which grows with every order that has to be taken, and the way back to an open server with nothing in
//! use, from which every rule begins.

use std::time::Duration;

use ebbtide_rules::report::{Admission, SessionReport};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::hands::{Hands, NotOpened, Opener, Session};
use crate::server::{Answer, Order, Server, body};

/// How often to look again for what has to come.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why a rule was not passed.
#[derive(Debug)]
pub(crate) enum Ended {
    Failed(String),
    NotTried(String),
}

/// A rule's end: what was seen of a server that keeps it.
pub(crate) type Tried = Result<String, Ended>;

pub(crate) fn failed<T>(seen: impl Into<String>) -> Result<T, Ended> {
    Err(Ended::Failed(seen.into()))
}

pub(crate) fn not_tried<T>(why: impl Into<String>) -> Result<T, Ended> {
    Err(Ended::NotTried(why.into()))
}

pub(crate) struct Trial {
    pub(crate) server: Server,
    pub(crate) instance: String,
    /// The highest epoch that the server was asked to take.
    pub(crate) epoch: u64,
    pub(crate) hands: Hands,
    /// How long to wait for what has to come: a session that becomes idle, one that is noticed to be gone.
    pub(crate) patience: Duration,
    /// How many seals to give under arriving sessions.
    pub(crate) rounds: u32,
    /// Whether a seal was given: nothing but what concerns sealed servers can be tried then.
    pub(crate) sealed: bool,
}

impl Trial {
    /// The report, which has to be well-formed.
    pub(crate) async fn report(&self) -> Result<SessionReport, Ended> {
        let answer = self.server.read().await.map_err(Ended::Failed)?;
        if answer.status != 200 {
            return failed(format!("GET: {}", answer.told()));
        }
        let report = answer.report(&self.instance);
        report.map_err(|why| Ended::Failed(format!("GET: {why}")))
    }

    pub(crate) fn body(&self, epoch: u64) -> Value {
        body(&self.instance, epoch)
    }

    /// Posts an order; the answer may be anything.
    pub(crate) async fn post(&self, order: Order, body: &Value) -> Result<Answer, Ended> {
        let answer = self.server.post(order, body.to_string().into_bytes()).await;
        answer.map_err(|why| Ended::Failed(format!("{}: {why}", order.name())))
    }

    /// Posts an order that has to be carried out.
    pub(crate) async fn done(&self, order: Order, body: &Value) -> Result<SessionReport, Ended> {
        let answer = self.post(order, body).await?;
        let name = order.name();
        if answer.status != 200 {
            return failed(format!("{name}: 200 was due, seen {}", answer.told()));
        }
        let report = answer.report(&self.instance);
        let report = report.map_err(|why| Ended::Failed(format!("{name}: {why}")))?;
        let epoch = body["epoch"].as_u64().unwrap_or_default();
        if report.epoch != epoch {
            return failed(format!("{name} of epoch {epoch}: {}", answer.told()));
        }
        Ok(report)
    }

    /// Posts an order that has to be refused by this name, and to leave admission and epoch as they were.
    pub(crate) async fn refused(
        &self,
        order: Order,
        body: &Value,
        name: &str,
    ) -> Result<(), Ended> {
        let before = self.report().await?;
        let answer = self.post(order, body).await?;
        let called = order.name();
        if answer.status != 409 || answer.error().as_deref() != Some(name) {
            let seen = answer.told();
            return failed(format!("{called}: 409 {name} was due, seen {seen}"));
        }
        let report = answer.report(&self.instance);
        let beside = report.map_err(|why| Ended::Failed(format!("{called}: {name}: {why}")))?;
        let after = self.report().await?;
        for seen in [beside, after] {
            if (seen.admission, seen.epoch) != (before.admission, before.epoch) {
                return failed(format!(
                    "{called} was refused and changed {} of epoch {} into {} of epoch {}",
                    before.admission, before.epoch, seen.admission, seen.epoch
                ));
            }
        }
        Ok(())
    }

    /// An order with an epoch of its own.
    pub(crate) fn next_epoch(&mut self) -> Value {
        self.epoch += 1;
        self.body(self.epoch)
    }

    /// Open again, with nothing in use: what every rule begins with.
    pub(crate) async fn begin(&mut self) -> Result<(), Ended> {
        if self.sealed {
            return not_tried("the server is sealed by now");
        }
        let begun = async {
            let order = self.next_epoch();
            let report = self.done(Order::Resume, &order).await?;
            if report.admission != Admission::Open {
                return failed(format!("resume left it {}", report.admission));
            }
            self.until("nothing is in use", |report| report.counts_nothing())
                .await
        };
        match begun.await {
            Ok(_) => Ok(()),
            Err(Ended::Failed(why) | Ended::NotTried(why)) => {
                not_tried(format!("it could not be opened again: {why}"))
            }
        }
    }

    /// Waits until a process that was started answers. With keys it refuses what was signed before its start, by its own clock.
    pub(crate) async fn answers(&self) -> Result<SessionReport, Ended> {
        let deadline = Instant::now() + self.patience;
        loop {
            let seen = match self.server.read().await {
                Ok(answer) if answer.status != 401 => return self.report().await,
                Ok(refused) => refused.told(),
                Err(why) => why,
            };
            if Instant::now() >= deadline {
                return failed(format!("it did not come back: {seen}"));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits for a report; fails when patience ends.
    pub(crate) async fn until(
        &self,
        what: &str,
        seen: impl Fn(&SessionReport) -> bool,
    ) -> Result<SessionReport, Ended> {
        let deadline = Instant::now() + self.patience;
        loop {
            let report = self.report().await?;
            if seen(&report) {
                return Ok(report);
            }
            if Instant::now() >= deadline {
                let (busy, idle) = (report.busy, report.idle);
                let waited = self.patience.as_secs();
                return failed(format!(
                    "{waited} s, and not seen that {what}: {busy} busy, {idle} idle"
                ));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until so many of the sessions are open, at most; false when patience ends.
    pub(crate) async fn at_most_open(&self, sessions: &[Session], most: usize) -> bool {
        let deadline = Instant::now() + self.patience;
        while open(sessions) > most {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(LOOK_AGAIN).await;
        }
        true
    }

    pub(crate) fn opener(&self) -> Result<Opener, Ended> {
        match &self.hands.open {
            Some(open) => Ok(open.clone()),
            None => not_tried("it takes --open-session"),
        }
    }

    /// Opens so many idle sessions, and waits until they are reported as that.
    pub(crate) async fn idle(&self, count: usize) -> Result<Vec<Session>, Ended> {
        let open = self.opener()?;
        let mut sessions = Vec::new();
        for _ in 0..count {
            sessions.push(opened(open()).await?);
        }
        let idle = count as u64;
        self.until(&format!("{count} sessions are idle"), |report| {
            (report.busy, report.idle) == (0, idle)
        })
        .await?;
        Ok(sessions)
    }

    /// Opens a busy session.
    pub(crate) async fn busy(&self) -> Result<Session, Ended> {
        match &self.hands.busy {
            Some(busy) => opened(busy()).await,
            None => not_tried("it takes --busy"),
        }
    }
}

/// How many the server has not ended.
pub(crate) fn open(sessions: &[Session]) -> usize {
    sessions.iter().filter(|session| session.is_open()).count()
}

async fn opened(
    opening: impl Future<Output = Result<Session, NotOpened>>,
) -> Result<Session, Ended> {
    let opened = opening.await;
    opened.map_err(|NotOpened(why)| Ended::Failed(format!("a session was not taken: {why}")))
}
