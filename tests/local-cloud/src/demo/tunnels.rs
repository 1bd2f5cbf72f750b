//! The tunnels' clients: the project's own client library, one run for each, with an application behind it.

use tokio::sync::mpsc;
use tunnel::client::{self, Event, Options};

use super::app::App;
use super::clients::{Clients, Seat};
use super::observe::{ClientEvent, Recorder};

/// Opens `count` tunnels through the listener at `http://host:port`.
pub(super) fn open(listener: &str, count: usize, recorder: &Recorder) -> Clients {
    let listener = listener.replacen("http://", "ws://", 1);
    let listener = listener.trim_end_matches('/').to_owned();
    Clients::open(count, recorder, |seat| hold(seat, listener.clone()))
}

/// Holds one tunnel until it is to leave.
async fn hold(seat: Seat, listener: String) {
    let (events, seen) = mpsc::unbounded_channel();
    let options = Options {
        url: format!("{listener}/tunnel/{}", seat.name),
        ..Options::default()
    };
    let (app, stop) = (App::new(&seat.name), seat.stop.clone());
    tokio::join!(client::run(options, app, events, stop), note(seat, seen));
}

async fn note(seat: Seat, mut events: mpsc::UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        seat.sees(match event {
            Event::Connected { server } => ClientEvent::Connected { server },
            Event::Closed {
                code, in_flight, ..
            } => ClientEvent::Closed { code, in_flight },
            Event::Lost { error, in_flight } => ClientEvent::Lost { error, in_flight },
            Event::RequestStarted => ClientEvent::RequestStarted,
            Event::RequestEnded => ClientEvent::RequestEnded,
            Event::Reconnecting { .. } => continue,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tunnel::server::{self, Server};

    use super::super::caller::{Caller as _, HttpCaller};
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
        let tunnels = open(&listener, 3, &recorder);
        until("three tunnels", Duration::from_secs(10), || async {
            Ok(if tunnels.connected() == 3 {
                Seen::Done(())
            } else {
                Seen::NotYet("fewer".into())
            })
        })
        .await
        .unwrap();
        let caller = HttpCaller::new(&listener, recorder.clone()).unwrap();
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
            .clients
            .iter()
            .map(|client| sessions(client, &seen))
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
