//! The tunnels' clients: the project's own client library, one run per tunnel, each with an application behind it.
//!
//! Owns the clients and writes what each sees into the record.

use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tunnel::client::{self, Event, Options};

use super::app::App;
use super::observe::{ClientEvent, Recorder};

/// One tunnel, as those who use it know it.
#[derive(Clone, Debug)]
pub(super) struct Tunnel {
    /// The name in its public path.
    pub name: String,
    /// The server that holds it now, as its client sees it.
    pub server: watch::Receiver<Option<String>>,
}

/// All tunnels of a demo.
#[derive(Debug)]
pub(super) struct Tunnels {
    recorder: Recorder,
    clients: TaskTracker,
    stop: CancellationToken,
    _stopped: DropGuard,
    open: Vec<Tunnel>,
}

impl Tunnels {
    /// Starts `count` clients that open their tunnels through the listener at `http://host:port`.
    pub(super) fn open(listener: &str, count: usize, recorder: &Recorder) -> Self {
        let stop = CancellationToken::new();
        let mut tunnels = Self {
            recorder: recorder.clone(),
            clients: TaskTracker::new(),
            stop: stop.clone(),
            _stopped: stop.drop_guard(),
            open: Vec::with_capacity(count),
        };
        let listener = listener.replacen("http://", "ws://", 1);
        for number in 1..=count {
            tunnels.open_one(&listener, format!("customer-{number:03}"));
        }
        tunnels.clients.close();
        tunnels
    }

    fn open_one(&mut self, listener: &str, name: String) {
        let (events, seen) = mpsc::unbounded_channel();
        let (held_by, server) = watch::channel(None);
        let place = self.recorder.tunnel(&name);
        let options = Options {
            url: format!("{}/tunnel/{name}", listener.trim_end_matches('/')),
            ..Options::default()
        };
        let (app, stop) = (App::new(&name), self.stop.clone());
        self.clients.spawn(client::run(options, app, events, stop));
        self.clients
            .spawn(note(self.recorder.clone(), place, seen, held_by));
        self.open.push(Tunnel { name, server });
    }

    /// The tunnels, in the order of their names.
    pub(super) fn all(&self) -> &[Tunnel] {
        &self.open
    }

    /// How many are held by a server now.
    pub(super) fn connected(&self) -> usize {
        self.open
            .iter()
            .filter(|tunnel| tunnel.server.borrow().is_some())
            .count()
    }

    /// Closes all of them and waits until they are.
    pub(super) async fn close(&self) {
        for place in 0..self.open.len() {
            self.recorder.event(place, ClientEvent::Left);
        }
        self.stop.cancel();
        self.clients.wait().await;
    }
}

// Writes a client's events into the record, and tells who waits for the tunnel to move.
async fn note(
    recorder: Recorder,
    place: usize,
    mut events: mpsc::UnboundedReceiver<Event>,
    held_by: watch::Sender<Option<String>>,
) {
    while let Some(event) = events.recv().await {
        let seen = match event {
            Event::Connected { server } => ClientEvent::Connected { server },
            Event::Closed {
                code, in_flight, ..
            } => ClientEvent::Closed { code, in_flight },
            Event::Lost { error, in_flight } => ClientEvent::Lost { error, in_flight },
            Event::RequestStarted => ClientEvent::RequestStarted,
            Event::RequestEnded => ClientEvent::RequestEnded,
            Event::Reconnecting { .. } => continue,
        };
        let server = match &seen {
            ClientEvent::Connected { server } => Some(Some(server.clone())),
            ClientEvent::Closed { .. } | ClientEvent::Lost { .. } => Some(None),
            _ => None,
        };
        recorder.event(place, seen);
        if let Some(server) = server {
            held_by.send_replace(server);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tunnel::server::{self, Server};

    use super::super::caller::Caller;
    use super::super::observe::{Environment, Kind, Observation};
    use super::super::timeline::sessions;
    use super::*;
    use crate::wait::{Seen, until};

    async fn server(directory: &std::path::Path) -> Server {
        let anywhere = "127.0.0.1:0".parse().unwrap();
        let peers = directory.join("peers");
        std::fs::write(&peers, "").unwrap();
        let options = server::Options {
            instance: "i-blue".into(),
            listen: anywhere,
            sessions: anywhere,
            state: directory.join("state"),
            keys: None,
            take_unsigned: false,
            peers,
            idle_after: Duration::from_millis(300),
            ping_every: Duration::from_secs(20),
            hold_for: Duration::from_secs(5),
        };
        Server::start(options).await.unwrap()
    }

    fn outcomes(seen: &Observation) -> Vec<(Kind, bool)> {
        seen.requests
            .iter()
            .map(|request| (request.kind, request.outcome.is_ok()))
            .collect()
    }

    #[tokio::test]
    async fn what_clients_and_callers_see_of_a_real_server_is_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let server = server(directory.path()).await;
        let listener = format!("http://{}", server.public);
        let recorder = Recorder::new(300);
        recorder.note(|seen| {
            let blue = super::super::observe::Server {
                environment: Environment::Blue,
                terminated_at: None,
            };
            seen.servers.insert("i-blue".into(), blue);
        });
        let tunnels = Tunnels::open(&listener, 3, &recorder);
        until("three tunnels", Duration::from_secs(10), || async {
            Ok(if tunnels.connected() == 3 {
                Seen::Done(())
            } else {
                Seen::NotYet("fewer".into())
            })
        })
        .await
        .unwrap();
        let caller = Caller::new(&listener, recorder.clone()).unwrap();
        let name = &tunnels.all()[1].name;
        tokio::join!(
            caller.wait(
                name,
                Kind::Quick,
                Duration::from_millis(20),
                Some(Environment::Blue)
            ),
            caller.stream(name, None),
        );
        caller
            .wait(
                name,
                Kind::Slow,
                Duration::from_millis(20),
                Some(Environment::Green),
            )
            .await;
        caller
            .wait("customer-404", Kind::Slow, Duration::ZERO, None)
            .await;
        tunnels.close().await;

        let seen = recorder.observation();
        let expected = [
            (Kind::Quick, true),
            (Kind::Stream, true),
            (Kind::Slow, false),
            (Kind::Slow, false),
        ];
        assert_eq!(outcomes(&seen), expected, "{:?}", seen.requests);
        let lives: Vec<_> = seen
            .tunnels
            .iter()
            .map(|tunnel| sessions(tunnel, &seen))
            .collect();
        assert!(
            lives
                .iter()
                .all(|sessions| sessions.len() == 1 && sessions[0].cut().is_none()),
            "{lives:?}"
        );
        assert_eq!((lives[0][0].busy.len(), lives[1][0].busy.len()), (0, 1));
    }
}
