//! Thousands of tunnels: the project's own client, one run per tunnel, each with an [`Application`] behind it.
//!
//! Owns the clients, where each is held, and the record of green's accepts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tunnel::client::{self, Event, Options};

use super::accepts::Accepts;
use super::application::Application;

/// Handshakes at once while the tunnels are opened: a stampede here would only measure this machine.
const OPENING_AT_ONCE: usize = 64;
/// Thousands of pings would be most of the work.
const PING_EVERY: Duration = Duration::from_secs(300);

/// All clients; dropping it closes them.
#[derive(Debug)]
pub(crate) struct Clients {
    seen: Arc<Mutex<Record>>,
    running: TaskTracker,
    stop: CancellationToken,
    _stopped: DropGuard,
}

#[derive(Debug, Default)]
struct Record {
    blue: BTreeSet<String>,
    on_blue: usize,
    on_green: usize,
    in_flight: usize,
    accepts: Accepts,
}

impl Clients {
    /// Begins to open `count` tunnels, called as [`name`] says, through the listeners at `http://host:port` in turn, some
    /// at a time. What their applications hold they answer once `let_go` is cancelled.
    pub(crate) fn open(
        listeners: &[String],
        count: usize,
        blue: &[String],
        let_go: &CancellationToken,
    ) -> Self {
        let stop = CancellationToken::new();
        let clients = Self {
            seen: Arc::new(Mutex::new(Record {
                blue: blue.iter().cloned().collect(),
                ..Record::default()
            })),
            running: TaskTracker::new(),
            stop: stop.clone(),
            _stopped: stop.clone().drop_guard(),
        };
        let (seen, running) = (clients.seen.clone(), clients.running.clone());
        let urls: Vec<String> = listeners
            .iter()
            .map(|listener| listener.replacen("http://", "ws://", 1) + "/tunnel")
            .collect();
        let let_go = let_go.clone();
        let opening = async move {
            let turns = Arc::new(Semaphore::new(OPENING_AT_ONCE));
            for (number, url) in (0..count).zip(urls.iter().cycle()) {
                let Ok(turn) = turns.clone().acquire_owned().await else {
                    return;
                };
                let (events, told) = unbounded_channel();
                let options = Options {
                    url: format!("{url}/{}", name(number)),
                    ping_every: PING_EVERY,
                    ..Options::default()
                };
                let application = Application::new(&name(number), let_go.clone());
                running.spawn(client::run(options, application, events, stop.clone()));
                running.spawn(note(seen.clone(), told, turn));
            }
        };
        let opened = clients.stop.clone().run_until_cancelled_owned(opening);
        clients.running.spawn(async move {
            opened.await;
        });
        clients
    }

    /// How many tunnels blue and green hold now.
    pub(crate) fn held(&self) -> (usize, usize) {
        let record = lock(&self.seen);
        (record.on_blue, record.on_green)
    }

    /// How many requests the applications have not yet answered.
    pub(crate) fn in_flight(&self) -> usize {
        lock(&self.seen).in_flight
    }

    /// What was seen so far.
    pub(crate) fn accepts(&self) -> Accepts {
        lock(&self.seen).accepts.clone()
    }

    /// Closes all tunnels; returns what was seen of them until then.
    pub(crate) async fn close(self) -> Accepts {
        let accepts = lock(&self.seen).accepts.clone();
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
        accepts
    }
}

/// What the tunnel of this number is called.
pub(crate) fn name(number: usize) -> String {
    format!("tunnel-{number}")
}

/// Writes one client's events into the record.
async fn note(
    seen: Arc<Mutex<Record>>,
    mut events: UnboundedReceiver<Event>,
    turn: OwnedSemaphorePermit,
) {
    let (mut turn, mut held_by_green, mut left) = (Some(turn), None, None);
    while let Some(event) = events.recv().await {
        let now = Instant::now();
        let mut record = lock(&seen);
        match event {
            Event::Connected { server } => {
                turn = None;
                held_by_green = Some(record.opened(&server, left.take(), now));
            }
            Event::Closed { .. } => {
                left = Some(now);
                record.ended(held_by_green.take());
            }
            Event::Lost { .. } => {
                let held = held_by_green.take();
                if held.is_some() {
                    record.accepts.lost_one();
                }
                record.ended(held);
            }
            Event::RequestStarted => record.in_flight += 1,
            Event::RequestEnded => record.in_flight -= 1,
            Event::Reconnecting { .. } => {}
        }
    }
    drop(turn);
}

impl Record {
    /// A tunnel is open; true if green holds it.
    fn opened(&mut self, server: &str, left: Option<Instant>, now: Instant) -> bool {
        let is_green = !self.blue.contains(server);
        if is_green {
            self.on_green += 1;
            self.accepts.accepted(left, now);
        } else {
            self.on_blue += 1;
        }
        is_green
    }

    fn ended(&mut self, held_by_green: Option<bool>) {
        match held_by_green {
            Some(true) => self.on_green -= 1,
            Some(false) => self.on_blue -= 1,
            None => {}
        }
    }
}

/// A panic elsewhere leaves the record itself whole.
fn lock(seen: &Mutex<Record>) -> MutexGuard<'_, Record> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
