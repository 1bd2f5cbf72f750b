//! The service's clients: who holds a session, on which server, and what each of them sees.
//!
//! Owns their tasks and writes what they see into the record. How a client speaks is its protocol's:
//! [`super::tunnels`], [`super::mqtt`].

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::observe::{ClientEvent, Recorder};

/// One client, as those who work with it know it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Its name.
    pub name: String,
    /// The server that holds its session now, as it sees it.
    pub server: watch::Receiver<Option<String>>,
}

/// A client's own place: where it says what it sees.
#[derive(Debug)]
pub(super) struct Seat {
    /// Its name.
    pub name: String,
    /// When to leave.
    pub stop: CancellationToken,
    recorder: Recorder,
    place: usize,
    server: watch::Sender<Option<String>>,
}

impl Seat {
    /// Writes what the client sees into the record, and tells who waits for it to move.
    pub(super) fn sees(&self, event: ClientEvent) {
        let server = match &event {
            ClientEvent::Connected { server } => Some(Some(server.clone())),
            ClientEvent::Closed { .. } | ClientEvent::Ended { .. } | ClientEvent::Lost { .. } => {
                Some(None)
            }
            _ => None,
        };
        self.recorder.event(self.place, event);
        if let Some(server) = server {
            self.server.send_replace(server);
        }
    }
}

/// All clients of a demo.
#[derive(Debug)]
pub(super) struct Clients {
    recorder: Recorder,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stopped: DropGuard,
    open: Vec<Client>,
}

impl Clients {
    /// Starts `count` clients; `run` is a client's whole life.
    pub(super) fn open<F>(count: usize, recorder: &Recorder, run: impl Fn(Seat) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut open = Vec::with_capacity(count);
        for number in 1..=count {
            let name = Self::name(number);
            let (server, held_by) = watch::channel(None);
            tasks.spawn(run(Seat {
                place: recorder.client(&name),
                name: name.clone(),
                stop: stop.clone(),
                recorder: recorder.clone(),
                server,
            }));
            open.push(Client {
                name,
                server: held_by,
            });
        }
        tasks.close();
        Self {
            recorder: recorder.clone(),
            tasks,
            _stopped: stop.clone().drop_guard(),
            stop,
            open,
        }
    }

    /// The name of the client of this number, from 1 on.
    pub(super) fn name(number: usize) -> String {
        format!("customer-{number:03}")
    }

    /// The clients, in the order of their names.
    pub(super) fn all(&self) -> &[Client] {
        &self.open
    }

    /// How many are held by a server now.
    pub(super) fn connected(&self) -> usize {
        let held = |client: &&Client| client.server.borrow().is_some();
        self.open.iter().filter(held).count()
    }

    /// Ends all of them and waits until they have left.
    pub(super) async fn close(&self) {
        for place in 0..self.open.len() {
            self.recorder.event(place, ClientEvent::Left);
        }
        self.stop.cancel();
        self.tasks.wait().await;
    }
}
