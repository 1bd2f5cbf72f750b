//! What was seen from outside during a demo: by the service's clients, by the callers who send requests through them,
//! in the servers' own reports, in EC2 and in the execution's history.
//!
//! Owns the observation and the recorder that collects it. Refuses to interpret: nothing here knows what was planned,
//! and every number of the report is computed from this record by [`super::report`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// Milliseconds since the recorder was made, which is just before the first client is opened.
pub(super) type Millis = u64;

/// One of the two environments of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Environment {
    /// Serves when the deployment starts.
    Blue,
    /// Replaces it.
    Green,
}

impl Environment {
    /// Its name in lines and tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }
}

/// One thing that a client saw happen to its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClientEvent {
    /// A server took the client.
    Connected {
        /// The server's instance id, from the answer to the upgrade.
        server: String,
    },
    /// The server closed the client with a close frame.
    Closed {
        /// WebSocket close code.
        code: u16,
        /// Requests the client was answering at that moment.
        in_flight: usize,
    },
    /// The server ended the stream in order: all that a protocol without close frames has.
    Ended {
        /// Requests that the server had taken and not answered at that moment.
        in_flight: usize,
    },
    /// The connection ended in no order.
    Lost {
        /// What the client's socket said.
        error: String,
        /// Requests the client was answering at that moment.
        in_flight: usize,
    },
    /// A request arrived at the customer's application.
    RequestStarted,
    /// The application's answer was handed over completely.
    RequestEnded,
    /// The demo is about to close this client itself; what follows is nobody's fault.
    Left,
}

/// One client of the service, with everything it saw in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    /// The name in its public path.
    pub name: String,
    /// Events with the time each was seen.
    pub events: Vec<(Millis, ClientEvent)>,
}

/// What kind of work a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Answered within a fraction of a second.
    Quick,
    /// Answered after seconds.
    Slow,
    /// A body streamed there and back at the same time, every byte compared.
    Stream,
}

/// One request as its caller saw it, on the public side of the load balancer.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The client's name.
    pub client: String,
    /// What was asked.
    pub kind: Kind,
    /// When the caller began.
    pub started: Millis,
    /// When the last byte had been read and compared, or it failed.
    pub ended: Millis,
    /// How often its client had to say it again, on another connection.
    pub repeats: usize,
    /// The instance that held the client, or what went wrong.
    pub outcome: Result<String, String>,
}

/// One server of the two environments.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Where it belongs.
    pub environment: Environment,
    /// When EC2 was first seen calling it `terminated`.
    pub terminated_at: Option<Millis>,
}

/// One answer, or the lack of one, to `GET /sessions`.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When it was read.
    pub at: Millis,
    /// Whose answer.
    pub instance: String,
    /// The report, or nothing when the server did not give one.
    pub counts: Option<Counts>,
}

/// What a server said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// `open`, `draining` or `sealed`.
    pub admission: String,
    /// Busy sessions, with requests that belong to none of them.
    pub busy: u64,
    /// Idle sessions.
    pub idle: u64,
    /// Sessions closed by orders since draining began.
    pub closed: u64,
}

/// The execution of the state machine, from its description and history.
#[derive(Clone, Debug, Default)]
pub(super) struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its status, as Step Functions says it.
    pub status: String,
    /// Why it failed, when it did.
    pub cause: Option<String>,
    /// States entered, in order.
    pub entered: Vec<(Millis, String)>,
    /// When it started and ended.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Number of events in its history.
    pub events: usize,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    /// How long after its last request the servers call a client idle.
    pub idle_after: Millis,
    /// What was deployed, in words.
    pub service: String,
    /// Every client.
    pub clients: Vec<Client>,
    /// Every request that has ended.
    pub requests: Vec<Request>,
    /// Every server seen in EC2, by instance id.
    pub servers: BTreeMap<String, Server>,
    /// The servers' reports over time.
    pub samples: Vec<Sample>,
    /// When the listener was first seen with all its weight on green.
    pub switched_at: Option<Millis>,
    /// End of the settle time, as the workflow's document says it.
    pub settled_at: Option<Millis>,
    /// End of the bake, as the workflow's document says it.
    pub baked_at: Option<Millis>,
    /// The execution.
    pub execution: Execution,
    /// When observing stopped; the clients were still open then.
    pub ended_at: Millis,
    /// Length of the whole demo, from the command's start, in seconds.
    pub wall_seconds: f64,
}

/// Collects an observation from many tasks and stamps what they see.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    origin: Instant,
    origin_at: jiff::Timestamp,
    seen: Arc<Mutex<Observation>>,
    numbers: Arc<AtomicU64>,
}

impl Recorder {
    /// A recorder whose clock starts now.
    pub(super) fn new(idle_after: Millis) -> Self {
        let seen = Observation {
            idle_after,
            ..Observation::default()
        };
        Self {
            origin: Instant::now(),
            origin_at: jiff::Timestamp::now(),
            seen: Arc::new(Mutex::new(seen)),
            numbers: Arc::default(),
        }
    }

    /// A number that nobody else gets.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Time since the recorder was made.
    pub(super) fn now(&self) -> Millis {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A wall-clock time, of the execution's history say, on this recorder's clock. Times before its start are 0.
    pub(super) fn at(&self, time: jiff::Timestamp) -> Millis {
        let since = time
            .as_millisecond()
            .saturating_sub(self.origin_at.as_millisecond());
        u64::try_from(since).unwrap_or(0)
    }

    /// Adds a client and returns its number.
    pub(super) fn client(&self, name: &str) -> usize {
        let mut seen = self.lock();
        seen.clients.push(Client {
            name: name.to_owned(),
            events: Vec::new(),
        });
        seen.clients.len() - 1
    }

    /// Notes what a client saw just now.
    pub(super) fn event(&self, client: usize, event: ClientEvent) {
        let at = self.now();
        if let Some(client) = self.lock().clients.get_mut(client) {
            client.events.push((at, event));
        }
    }

    /// Notes a request that `work` makes: its answer is the server that gave it and how often the request was repeated, or
    /// what went wrong. With an environment expected, an answer from elsewhere is a failure.
    pub(super) async fn request<W>(
        &self,
        client: &str,
        kind: Kind,
        expected: Option<Environment>,
        work: W,
    ) where
        W: Future<Output = Result<(String, usize), String>>,
    {
        let started = self.now();
        let answer = work.await;
        let repeats = answer.as_ref().map_or(0, |(_, repeats)| *repeats);
        let outcome = answer.and_then(|(server, _)| self.placed(server, expected));
        let request = Request {
            client: client.to_owned(),
            kind,
            started,
            ended: self.now(),
            repeats,
            outcome,
        };
        self.note(|seen| seen.requests.push(request));
    }

    fn placed(&self, server: String, expected: Option<Environment>) -> Result<String, String> {
        match expected {
            Some(wanted) if self.environment(&server) != Some(wanted) => Err(format!(
                "answered through {server}, which is not {}",
                wanted.name()
            )),
            _ => Ok(server),
        }
    }

    /// The environment of a server, as far as EC2 has shown it.
    pub(super) fn environment(&self, server: &str) -> Option<Environment> {
        self.lock()
            .servers
            .get(server)
            .map(|known| known.environment)
    }

    /// Changes the observation in place.
    pub(super) fn note(&self, change: impl FnOnce(&mut Observation)) {
        change(&mut self.lock());
    }

    /// Reads something from the observation so far.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Observation) -> T) -> T {
        look(&self.lock())
    }

    /// The observation as it stands.
    pub(super) fn observation(&self) -> Observation {
        let mut seen = self.lock().clone();
        seen.ended_at = self.now();
        seen
    }

    // A task that panicked while holding the lock left a record that is still worth reporting.
    fn lock(&self) -> MutexGuard<'_, Observation> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
