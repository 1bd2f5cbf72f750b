//! Turns what was seen event by event into lives: the connections of each client, the times each was busy, how each
//! ended.
//!
//! Owns the definitions of *busy* and *cut* as the demo uses them. Pure: called by [`super::report`] and
//! [`super::page`].

use super::observe::{Client, ClientEvent, Environment, Millis, Observation};

/// WebSocket close code by which a draining server lets go of an idle session (RFC 6455's registry: Service Restart).
pub(super) const SERVICE_RESTART: u16 = 1012;

/// A client stamps an event when its task runs, on a loaded machine a little after it happened. A session closed
/// sooner than `idle_after` less this after its last request was busy when it was closed.
pub(super) const CLOCK_TOLERANCE: Millis = 150;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Closed by its server in order, by WebSocket with code 1012, while nobody used it.
    Graceful,
    /// Ended by the demo itself.
    Left,
    /// Anything else: another code, no close frame at all, or 1012 while it was in use. The reason says which.
    Cut(String),
}

/// One connection of a client to one server: a session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Its environment; none when EC2 never showed that instance.
    pub environment: Option<Environment>,
    /// When it was opened.
    pub opened: Millis,
    /// When and how it ended; none while open.
    pub ended: Option<(Millis, Ending)>,
    /// Times it was busy: from a request's start until `idle_after` past the end of the last one, never past its own end.
    pub busy: Vec<(Millis, Millis)>,
}

impl Session {
    /// Whether it was open at that time.
    pub(super) fn is_open(&self, at: Millis) -> bool {
        self.opened <= at && self.ended.as_ref().is_none_or(|(end, _)| at < *end)
    }

    /// Whether it was open and busy at that time.
    pub(super) fn is_busy(&self, at: Millis) -> bool {
        self.is_open(at)
            && self
                .busy
                .iter()
                .any(|(from, to)| (*from..*to).contains(&at))
    }

    /// The reason, when it was cut.
    pub(super) fn cut(&self) -> Option<(Millis, &str)> {
        match &self.ended {
            Some((at, Ending::Cut(reason))) => Some((*at, reason)),
            _ => None,
        }
    }

    /// When its server closed it gracefully.
    pub(super) fn closed_gracefully(&self) -> Option<Millis> {
        match self.ended {
            Some((at, Ending::Graceful)) => Some(at),
            _ => None,
        }
    }
}

/// The sessions of one client, in order.
pub(super) fn sessions(client: &Client, seen: &Observation) -> Vec<Session> {
    let mut lives = Lives {
        idle_after: seen.idle_after,
        ..Lives::default()
    };
    for (at, event) in &client.events {
        lives.take(*at, event, seen);
    }
    lives.finish(
        seen.ended_at
            .max(client.events.last().map_or(0, |(at, _)| *at)),
    )
}

/// Folds a client's events into its sessions.
#[derive(Default)]
struct Lives {
    idle_after: Millis,
    done: Vec<Session>,
    open: Option<Session>,
    in_flight: usize,
    busy_since: Option<Millis>,
    last_ended: Option<Millis>,
    leaving: bool,
}

impl Lives {
    fn take(&mut self, at: Millis, event: &ClientEvent, seen: &Observation) {
        match event {
            ClientEvent::Connected { server } => {
                self.end(at, || {
                    Ending::Cut("replaced without having been closed".to_owned())
                });
                let environment = seen.servers.get(server).map(|known| known.environment);
                self.open = Some(Session {
                    environment,
                    opened: at,
                    ended: None,
                    busy: Vec::new(),
                });
            }
            ClientEvent::RequestStarted => {
                self.in_flight += 1;
                self.settle_busy(at);
                self.busy_since.get_or_insert(at);
            }
            ClientEvent::RequestEnded => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.last_ended = Some(at);
            }
            ClientEvent::Closed { code, in_flight } => {
                let ending = match *code {
                    SERVICE_RESTART => self.closing(at, *in_flight),
                    code => Ending::Cut(format!(
                        "closed with code {code} and {} requests in flight",
                        self.in_flight.max(*in_flight)
                    )),
                };
                self.end(at, || ending);
            }
            ClientEvent::Ended { in_flight } => {
                let ending = self.closing(at, *in_flight);
                self.end(at, || ending);
            }
            ClientEvent::Lost { error, in_flight } => {
                self.end(at, || {
                    Ending::Cut(format!("lost with {in_flight} requests in flight: {error}"))
                });
            }
            ClientEvent::Left => self.leaving = true,
        }
    }

    fn closing(&self, at: Millis, in_flight: usize) -> Ending {
        let in_flight = in_flight.max(self.in_flight);
        let quiet = self
            .last_ended
            .map_or(Millis::MAX, |ended| at.saturating_sub(ended));
        if in_flight > 0 {
            Ending::Cut(format!("closed with {in_flight} requests in flight"))
        } else if quiet.saturating_add(CLOCK_TOLERANCE) < self.idle_after {
            Ending::Cut(format!(
                "closed {quiet} ms after its last request, while still busy"
            ))
        } else {
            Ending::Graceful
        }
    }

    // A busy time that ended before `at` is closed; one that reaches to it goes on.
    fn settle_busy(&mut self, at: Millis) {
        if let (Some(from), Some(last), 0 | 1) = (self.busy_since, self.last_ended, self.in_flight)
        {
            let until = last.saturating_add(self.idle_after);
            if until < at {
                if let Some(session) = &mut self.open {
                    session.busy.push((from, until));
                }
                self.busy_since = None;
            }
        }
    }

    fn end(&mut self, at: Millis, ending: impl FnOnce() -> Ending) {
        if let Some(mut session) = self.open.take() {
            self.close_busy(&mut session, at);
            session.ended = Some((at, if self.leaving { Ending::Left } else { ending() }));
            self.done.push(session);
        }
        self.in_flight = 0;
        self.busy_since = None;
        self.last_ended = None;
    }

    fn close_busy(&self, session: &mut Session, at: Millis) {
        let Some(from) = self.busy_since else { return };
        let until = match self.last_ended {
            Some(last) if self.in_flight == 0 => last.saturating_add(self.idle_after).min(at),
            _ => at,
        };
        session.busy.push((from, until));
    }

    fn finish(mut self, at: Millis) -> Vec<Session> {
        if let Some(mut session) = self.open.take() {
            self.close_busy(&mut session, at);
            self.done.push(session);
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::super::observe::Server;
    use super::*;

    fn seen() -> Observation {
        let mut seen = Observation {
            idle_after: 2_000,
            ended_at: 60_000,
            ..Observation::default()
        };
        seen.servers.insert(
            "i-b".into(),
            Server {
                environment: Environment::Blue,
                terminated_at: None,
            },
        );
        seen.servers.insert(
            "i-g".into(),
            Server {
                environment: Environment::Green,
                terminated_at: None,
            },
        );
        seen
    }

    fn lives(events: Vec<(Millis, ClientEvent)>) -> Vec<Session> {
        sessions(
            &Client {
                name: "t".into(),
                events,
            },
            &seen(),
        )
    }

    fn connected(server: &str) -> ClientEvent {
        ClientEvent::Connected {
            server: server.into(),
        }
    }

    #[test]
    fn back_to_back_requests_are_one_busy_time_that_ends_with_the_idle_term() {
        let lives = lives(vec![
            (0, connected("i-b")),
            (100, ClientEvent::RequestStarted),
            (300, ClientEvent::RequestEnded),
            (310, ClientEvent::RequestStarted),
            (900, ClientEvent::RequestEnded),
            (3_000, ClientEvent::RequestStarted),
            (3_100, ClientEvent::RequestEnded),
            (
                6_000,
                ClientEvent::Closed {
                    code: 1012,
                    in_flight: 0,
                },
            ),
        ]);
        assert_eq!(lives[0].busy, [(100, 2_900), (3_000, 5_100)]);
        assert_eq!(lives[0].ended, Some((6_000, Ending::Graceful)));
        assert!(lives[0].is_busy(2_899) && !lives[0].is_busy(2_900) && !lives[0].is_open(6_000));
    }

    #[test]
    fn overlapping_requests_keep_a_session_busy_until_the_last_ends() {
        let lives = lives(vec![
            (0, connected("i-b")),
            (100, ClientEvent::RequestStarted),
            (200, ClientEvent::RequestStarted),
            (300, ClientEvent::RequestEnded),
            (9_000, ClientEvent::RequestStarted),
            (9_100, ClientEvent::RequestEnded),
            (9_200, ClientEvent::RequestEnded),
        ]);
        assert_eq!(lives[0].busy, [(100, 11_200)]);
    }

    #[test]
    fn only_1012_on_an_idle_session_is_graceful() {
        let after_request = |at, event| {
            lives(vec![
                (0, connected("i-b")),
                (100, ClientEvent::RequestStarted),
                (200, ClientEvent::RequestEnded),
                (at, event),
            ])
        };
        let closed =
            |at, code, in_flight| after_request(at, ClientEvent::Closed { code, in_flight });
        assert!(closed(2_200, 1012, 0)[0].closed_gracefully().is_some());
        assert!(
            closed(2_200, 1012, 1)[0].cut().is_some(),
            "a request was in flight"
        );
        assert!(
            closed(1_500, 1012, 0)[0].cut().is_some(),
            "still busy by the idle term"
        );
        assert!(closed(9_000, 1001, 0)[0].cut().is_some(), "another code");
        let lost = after_request(
            9_000,
            ClientEvent::Lost {
                error: "reset".into(),
                in_flight: 0,
            },
        );
        assert!(lost[0].cut().is_some(), "no close frame");
    }

    #[test]
    fn a_session_the_demo_closes_itself_is_not_cut() {
        let lives = lives(vec![
            (0, connected("i-b")),
            (100, ClientEvent::RequestStarted),
            (150, ClientEvent::Left),
            (
                200,
                ClientEvent::Closed {
                    code: 1000,
                    in_flight: 1,
                },
            ),
        ]);
        assert_eq!(lives[0].ended, Some((200, Ending::Left)));
    }

    #[test]
    fn a_connection_replaced_without_a_close_counts_as_cut() {
        let lives = lives(vec![(0, connected("i-b")), (10, connected("i-g"))]);
        assert!(lives[0].cut().is_some());
        assert_eq!(lives[1].environment, Some(Environment::Green));
        assert!(lives[1].is_open(60_000));
    }
}
