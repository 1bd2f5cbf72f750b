//! Fake servers for tests: a session endpoint, version 1, on a loopback address, that can be told to misbehave.
//!
//! Owns how it misbehaves, and a list of what it was asked; what it decides, and answers, is `ebbtide-endpoint`'s. Like
//! real servers, all of a fleet listen on one port, each at its own address. Called by the tests of the functions.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use this module"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ebbtide_endpoint::admission::{Mode, State as Admitted};
use ebbtide_endpoint::fake::Server;
use ebbtide_endpoint::order::Kind;
use ebbtide_rules::Server as Listed;
use ebbtide_rules::report::Admission;
use ebbtide_signature::{Answer, Key, Request, Signed, sign_answer, verify_request};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{Endpoint, UrlPath};

mod socket;

pub use socket::Accepted;

/// What a server can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// `GET /sessions`
    Read,
    /// `POST /sessions/drain`
    Drain,
    /// `POST /sessions/resume`
    Resume,
    /// `POST /sessions/seal`
    Seal,
    /// Any other path: a page of the user's; 200 unless told otherwise.
    Page,
    /// The same with a WebSocket's handshake; accepted unless told otherwise.
    Socket,
}

/// What a server does instead of answering well.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// Answers with this status and no body.
    Status(u16),
    /// Answers the first so many calls with 503, then well.
    UnavailableTimes(u32),
    /// Redirects to this URL.
    Redirect(String),
    /// Answers 200 with this body.
    Says(String),
    /// Answers with this status and this body.
    Answers(u16, String),
    /// Answers 200 with spaces without end.
    Huge,
    /// Answers 200 with a space every so often, without end.
    Drip(Duration),
    /// Never answers.
    Hang,
    /// Does what it is asked, and then answers 500.
    LosesReply,
    /// Accepts a WebSocket, and does this with it.
    Accepts(Accepted),
    /// Answers a WebSocket's handshake with 101 and an accept key of another one.
    WrongAccept,
}

/// What a server knows, to be looked at and changed by tests.
#[derive(Debug, Clone)]
pub struct Inside {
    /// What it calls itself.
    pub instance: String,
    /// What it does with new sessions.
    pub admission: Admission,
    /// The highest epoch seen.
    pub epoch: u64,
    /// Busy sessions.
    pub busy: u64,
    /// Idle sessions.
    pub idle: u64,
    /// Sessions closed by orders.
    pub closed: u64,
    /// Busy sessions that arrive between the report and the seal.
    pub arrive_before_seal: u64,
    /// Something in use that no session counts, such as a handshake.
    pub handshakes: u64,
    /// Who reports for it, if it does not itself.
    pub agent: Option<&'static str>,
    /// The orders given, as they came.
    pub asked: Vec<(Call, Value)>,
    /// The paths of pages and WebSockets, as they came.
    pub paths: Vec<String>,
    /// It takes calls that are signed with one of these, and signs its answers; with none it does neither.
    pub keys: Arc<[Key]>,
    /// With what it signs its answers instead, as a stranger would.
    pub answers_with: Option<Arc<Key>>,
    troubles: HashMap<Call, Trouble>,
}

/// One fake server.
pub struct FakeServer {
    inside: Arc<Mutex<Inside>>,
    ip: Ipv4Addr,
    task: JoinHandle<()>,
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Fake servers on one port.
pub struct Fleet {
    /// The servers, `i-0a0`, `i-0a1` and so on.
    pub servers: Vec<FakeServer>,
    port: u16,
}

impl Fleet {
    /// Starts so many open, empty servers.
    pub async fn start(count: usize) -> Self {
        for _ in 0..50 {
            if let Some(fleet) = Self::try_start(count).await {
                return fleet;
            }
        }
        panic!("no port is free on so many loopback addresses")
    }

    async fn try_start(count: usize) -> Option<Self> {
        let mut listeners: Vec<(Ipv4Addr, TcpListener)> = Vec::new();
        let mut port = 0;
        for _ in 0..count {
            let ip = next_address();
            let listener = TcpListener::bind((ip, port)).await.ok()?;
            port = listener.local_addr().ok()?.port();
            listeners.push((ip, listener));
        }
        let servers = listeners
            .into_iter()
            .enumerate()
            .map(|(number, (ip, listener))| FakeServer::serve(number, ip, listener))
            .collect();
        Some(Self { servers, port })
    }

    /// The servers as `hold-blue` lists them.
    pub fn listed(&self) -> Vec<Listed> {
        self.servers.iter().map(FakeServer::listed).collect()
    }

    /// Where their session endpoint is.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            port: self.port,
            path: UrlPath::default(),
        }
    }

    /// Ends a server's process: connections are refused from now on.
    pub async fn kill(&mut self, number: usize) {
        let task = &mut self.servers[number].task;
        task.abort();
        let ended = task.await;
        assert!(ended.is_err(), "a server ended by itself");
    }
}

/// A loopback address that no other test of this process uses; other processes differ by their id.
fn next_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) + 1;
    let process = std::process::id();
    let offset = (process.wrapping_mul(2048)).wrapping_add(number) % (1 << 22);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 64, 0, 0)) + offset)
}

impl FakeServer {
    fn serve(number: usize, ip: Ipv4Addr, listener: TcpListener) -> Self {
        let inside = Arc::new(Mutex::new(Inside {
            instance: format!("i-0a{number}"),
            admission: Admission::Open,
            epoch: 0,
            busy: 0,
            idle: 0,
            closed: 0,
            arrive_before_seal: 0,
            handshakes: 0,
            agent: None,
            asked: Vec::new(),
            paths: Vec::new(),
            keys: Arc::default(),
            answers_with: None,
            troubles: HashMap::new(),
        }));
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&inside));
        let task = tokio::spawn(async move {
            axum::serve(listener, app)
                .await
                .expect("a fake server fails");
        });
        Self { inside, ip, task }
    }

    /// What it knows, locked: drop it before anything is awaited.
    pub fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it sessions.
    pub fn hold(&self, busy: u64, idle: u64) {
        let mut inside = self.inside();
        inside.busy = busy;
        inside.idle = idle;
    }

    /// Makes it misbehave whenever it is asked this.
    pub fn trouble(&self, call: Call, trouble: Trouble) {
        self.inside().troubles.insert(call, trouble);
    }

    /// Ends its misbehaviour.
    pub fn recover(&self) {
        self.inside().troubles.clear();
    }

    /// The bodies of one call, as they came.
    pub fn asked(&self, call: Call) -> Vec<Value> {
        self.inside()
            .asked
            .iter()
            .filter(|(asked, _)| *asked == call)
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// The URL of a page of its own.
    pub fn url(&self, fleet: &Fleet, path: &str) -> String {
        format!("http://{}:{}{path}", self.ip, fleet.port)
    }

    fn listed(&self) -> Listed {
        Listed {
            instance: self.inside().instance.clone(),
            ip: self.ip.to_string(),
        }
    }
}

async fn answer(
    State(inside): State<Arc<Mutex<Inside>>>,
    method: Method,
    uri: Uri,
    sent: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    body: Bytes,
) -> Response {
    let call = match upgrade {
        Ok(_) => Call::Socket,
        Err(_) => call(&method, uri.path()),
    };
    let (keys, other) = {
        let inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&inside.keys), inside.answers_with.clone())
    };
    let request = Request {
        method: &method,
        authority: sent
            .get(header::HOST)
            .map_or("", |host| host.to_str().unwrap_or("")),
        path: uri.path(),
        body: &body,
    };
    let signed = match verify_request(&request, &sent, &keys) {
        Ok(signed) => Some(signed),
        Err(_) if keys.is_empty() || matches!(call, Call::Page | Call::Socket) => None,
        Err(_) => return StatusCode::UNAUTHORIZED.into_response(),
    };
    let said = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (trouble, well) = {
        let known = &inside;
        let mut inside = known.lock().unwrap_or_else(PoisonError::into_inner);
        inside.asked.push((call, said));
        if matches!(call, Call::Page | Call::Socket) {
            inside.paths.push(uri.path().to_owned());
        }
        let trouble = inside.trouble(call);
        if let Ok(upgrade) = upgrade {
            let accepted = match trouble {
                None => Some(Accepted::Well),
                Some(Trouble::Accepts(accepted)) => Some(accepted),
                Some(_) => None,
            };
            if let Some(accepted) = accepted {
                return socket::accept(upgrade, Arc::clone(known), accepted);
            }
        }
        let obeys = matches!(trouble, None | Some(Trouble::LosesReply));
        let well = obeys.then(|| inside.obey(call, &body));
        (trouble, well)
    };
    match (trouble, well) {
        (None, Some((status, report))) => {
            let body = report.to_string();
            let mut headers = HeaderMap::new();
            if let Some(Signed { key, created, .. }) = signed {
                let body = body.as_bytes();
                let answer = Answer { status, body };
                let key = other.as_deref().unwrap_or(key);
                sign_answer(&answer, &mut headers, (&request, &sent), key, created);
            }
            (status, headers, body).into_response()
        }
        (Some(trouble), _) => misbehave(trouble).await,
        (None, None) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn call(method: &Method, path: &str) -> Call {
    match (method.as_str(), path) {
        ("GET", "/sessions") => Call::Read,
        ("POST", "/sessions/drain") => Call::Drain,
        ("POST", "/sessions/resume") => Call::Resume,
        ("POST", "/sessions/seal") => Call::Seal,
        _ => Call::Page,
    }
}

async fn misbehave(trouble: Trouble) -> Response {
    let spaces = Bytes::from(vec![b' '; 8192]);
    match trouble {
        Trouble::Status(status) => of_status(status).into_response(),
        Trouble::UnavailableTimes(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Trouble::Redirect(url) => (StatusCode::FOUND, [(header::LOCATION, url)]).into_response(),
        Trouble::Says(body) => body.into_response(),
        Trouble::Answers(status, body) => (of_status(status), body).into_response(),
        Trouble::Huge => {
            let endless = stream::repeat_with(move || Ok::<_, Infallible>(spaces.clone()));
            Body::from_stream(endless).into_response()
        }
        Trouble::Drip(period) => {
            let drops = stream::unfold(tokio::time::interval(period), |mut ticks| async move {
                ticks.tick().await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ticks))
            });
            Body::from_stream(drops).into_response()
        }
        Trouble::Hang => std::future::pending().await,
        Trouble::WrongAccept => socket::wrong_accept(),
        // What has been done is not told; and a page is no WebSocket.
        Trouble::LosesReply | Trouble::Accepts(_) => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn of_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a test gives a valid status")
}

impl Inside {
    fn trouble(&mut self, call: Call) -> Option<Trouble> {
        match self.troubles.get_mut(&call)? {
            Trouble::UnavailableTimes(0) => None,
            Trouble::UnavailableTimes(left) => {
                *left -= 1;
                Some(Trouble::UnavailableTimes(*left))
            }
            trouble => Some(trouble.clone()),
        }
    }

    /// Decides as the library does, on what it knows at this moment.
    fn obey(&mut self, call: Call, body: &[u8]) -> (StatusCode, Value) {
        let kind = match call {
            Call::Read | Call::Page | Call::Socket => return (StatusCode::OK, self.report()),
            Call::Drain => Kind::Drain,
            Call::Resume => Kind::Resume,
            Call::Seal => Kind::Seal,
        };
        if kind == Kind::Seal {
            self.busy += std::mem::take(&mut self.arrive_before_seal);
        }
        let mut server = self.server();
        let (status, body, _) = server.answer(kind, body, (self.busy, self.idle));
        self.epoch = server.kept.epoch;
        self.admission = match server.admission.mode {
            Mode::Open => Admission::Open,
            Mode::Draining | Mode::Sealing => Admission::Draining,
            Mode::Sealed => Admission::Sealed,
        };
        self.closed = server.closed;
        (of_status(status), body)
    }

    fn server(&self) -> Server {
        let mut server = Server::new(&self.instance);
        server.kept.epoch = self.epoch;
        server.kept.sealed = self.admission == Admission::Sealed;
        server.admission = Admitted {
            mode: match self.admission {
                Admission::Open => Mode::Open,
                Admission::Draining => Mode::Draining,
                Admission::Sealed => Mode::Sealed,
            },
            in_use: self.busy + self.idle + self.handshakes,
        };
        server.closed = self.closed;
        server.agent = self.agent;
        server
    }

    /// Its report, as it would answer now.
    pub fn report(&self) -> Value {
        json!(self.server().report((self.busy, self.idle)))
    }
}
