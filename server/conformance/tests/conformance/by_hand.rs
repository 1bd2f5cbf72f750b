//! A session endpoint written by hand, small and right, that can be made wrong in one thing.
//!
//! Its sessions are WebSockets: idle once they have said nothing for a while. Everything is under one lock, so it is
//! atomic where it does not let go of it on purpose.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::process::{INSTANCE, listen};

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    SealNotAtomic,
    SealForgotten,
    EpochForgotten,
    StaleEpochAccepted,
    OtherInstanceAccepted,
    ClosesBusy,
    LeaseNeverEnds,
    ResumeDoesNotCancel,
    ResumesSealed,
    SealedTakesSessions,
    DrainingTakesSessions,
    IdleNotReported,
    SealsWithIdle,
    IllFormedAccepted,
    StaleBeforeInstance,
    RefusedTakesEpoch,
    SealedAgainRefused,
    AllAtOnce,
    FractionReported,
}

const IDLE_AFTER: Duration = Duration::from_millis(300);
/// How long a write takes the server whose seal is not atomic.
const WRITES: Duration = Duration::from_millis(50);
const SLOT: Duration = Duration::from_millis(5);

struct Session {
    busy_since: Instant,
    spoke: Instant,
    close: Option<oneshot::Sender<()>>,
}

struct Standing {
    slot: Duration,
    due: Instant,
    until: Instant,
}

struct Inside {
    admission: &'static str,
    epoch: u64,
    closed: u64,
    next: u64,
    sessions: BTreeMap<u64, Session>,
    standing: Option<Standing>,
}

struct Server {
    fault: Fault,
    state: PathBuf,
    inside: Mutex<Inside>,
}

type Shared = State<Arc<Server>>;

/// Serves until its runtime ends.
pub(crate) async fn serve(fault: Fault, public: SocketAddr, private: SocketAddr, state: PathBuf) {
    serve_behind(|orders| orders, fault, public, private, state).await;
}

/// The same, with something in front of its private port.
pub(crate) async fn serve_behind(
    guard: impl FnOnce(Router) -> Router,
    fault: Fault,
    public: SocketAddr,
    private: SocketAddr,
    state: PathBuf,
) {
    let (public, private) = (listen(public).await, listen(private).await);
    let kept = std::fs::read(&state).unwrap_or_default();
    let kept: Value = serde_json::from_slice(&kept).unwrap_or_default();
    let sealed = kept["sealed"] == true && fault != Fault::SealForgotten;
    let epoch = kept["epoch"]
        .as_u64()
        .filter(|_| fault != Fault::EpochForgotten);
    let server = Arc::new(Server {
        fault,
        state,
        inside: Mutex::new(Inside {
            admission: if sealed { "sealed" } else { "open" },
            epoch: epoch.unwrap_or_default(),
            closed: 0,
            next: 0,
            sessions: BTreeMap::new(),
            standing: None,
        }),
    });
    let sessions = Router::new().route("/session", get(join));
    let orders = Router::new()
        .route(
            "/sessions",
            get(async |State(server): Shared| Json(server.report())),
        )
        .route("/sessions/drain", post(drain))
        .route("/sessions/resume", post(resume))
        .route("/sessions/seal", post(seal))
        .layer(DefaultBodyLimit::max(64 * 1024));
    tokio::spawn(close_idle(server.clone()));
    let orders = guard(orders.with_state(server.clone()));
    let _ = tokio::join!(
        axum::serve(public, sessions.with_state(server)).into_future(),
        axum::serve(private, orders).into_future()
    );
}

impl Inside {
    fn takes_sessions(&self, fault: Fault) -> bool {
        match self.admission {
            "open" => true,
            "draining" => fault == Fault::DrainingTakesSessions,
            _ => fault == Fault::SealedTakesSessions,
        }
    }

    fn counts(&self) -> (usize, usize) {
        let idle = |session: &&Session| session.spoke.elapsed() >= IDLE_AFTER;
        let idle = self.sessions.values().filter(idle).count();
        (self.sessions.len() - idle, idle)
    }
}

impl Server {
    fn report(&self) -> Value {
        let inside = self.inside.lock().unwrap();
        let (busy, mut idle) = inside.counts();
        if self.fault == Fault::IdleNotReported {
            idle = 0;
        }
        let since = |session: &Session| {
            let busy = session.spoke.elapsed() < IDLE_AFTER;
            busy.then(|| session.busy_since.elapsed().as_secs())
        };
        let oldest = inside.sessions.values().filter_map(since).max();
        let mut report = json!({
            "version": 1, "instance": INSTANCE, "admission": inside.admission, "epoch": inside.epoch,
            "busy": busy, "idle": idle, "closed": inside.closed, "oldestBusySeconds": oldest.unwrap_or(0),
        });
        if self.fault == Fault::FractionReported {
            report["oldestBusySeconds"] = json!(0.5);
        }
        report
    }

    fn refuse(&self, error: &str) -> Response {
        let mut body = self.report();
        (body["error"], body["message"]) = (json!(error), json!("refused"));
        (StatusCode::CONFLICT, Json(body)).into_response()
    }

    /// The order, if it is well-formed and may be carried out.
    fn check(&self, body: &[u8]) -> Result<Value, Box<Response>> {
        let order: Value = serde_json::from_slice(body).unwrap_or_default();
        let named = |field: &str| order[field].as_str().is_some_and(|name| !name.is_empty());
        let epoch = order["epoch"].as_u64().filter(|epoch| *epoch < 1 << 53);
        let well_formed = named("instance") && named("deployment") && epoch.is_some();
        if !well_formed && self.fault != Fault::IllFormedAccepted {
            return Err(Box::new(StatusCode::BAD_REQUEST.into_response()));
        }
        let stale = epoch.unwrap_or(u64::MAX) < self.inside.lock().unwrap().epoch;
        let stale = stale && self.fault != Fault::StaleEpochAccepted;
        let other = order["instance"] != INSTANCE && self.fault != Fault::OtherInstanceAccepted;
        let other = other && well_formed;
        if stale && self.fault == Fault::StaleBeforeInstance {
            return Err(Box::new(self.refuse("StaleEpoch")));
        }
        if other {
            return Err(Box::new(self.refuse("WrongInstance")));
        }
        if stale {
            return Err(Box::new(self.refuse("StaleEpoch")));
        }
        Ok(order)
    }

    /// Takes the epoch, on disk before it is in memory.
    fn keep(&self, order: &Value, sealed: bool) {
        let mut inside = self.inside.lock().unwrap();
        let epoch = order["epoch"].as_u64().unwrap_or(inside.epoch);
        let kept = json!({"epoch": epoch, "sealed": sealed || inside.admission == "sealed"});
        std::fs::write(&self.state, kept.to_string()).unwrap();
        inside.epoch = epoch;
        if sealed {
            inside.admission = "sealed";
            inside.standing = None;
        }
    }

    fn done(&self) -> Response {
        Json(self.report()).into_response()
    }
}

async fn drain(State(server): Shared, body: Bytes) -> Response {
    let order = match server.check(&body) {
        Ok(order) => order,
        Err(response) => return *response,
    };
    let pace = order["perSecond"].as_f64().filter(|pace| *pace > 0.0);
    let lease = order["leaseSeconds"]
        .as_u64()
        .filter(|lease| (1..=86_400).contains(lease));
    let (Some(pace), Some(lease)) = (pace, lease) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    server.keep(&order, false);
    {
        let mut inside = server.inside.lock().unwrap();
        if inside.admission == "open" {
            inside.closed = 0;
        }
        if inside.admission != "sealed" {
            inside.admission = "draining";
            let slot = Duration::from_secs_f64(1.0 / pace);
            let until = match server.fault {
                Fault::LeaseNeverEnds => Duration::from_secs(86_400),
                _ => Duration::from_secs(lease),
            };
            let now = Instant::now();
            let due = now + slot / 2;
            inside.standing = Some(Standing {
                slot,
                due,
                until: now + until,
            });
        }
    }
    server.done()
}

async fn resume(State(server): Shared, body: Bytes) -> Response {
    let order = match server.check(&body) {
        Ok(order) => order,
        Err(response) => return *response,
    };
    let sealed = server.inside.lock().unwrap().admission == "sealed";
    if sealed && server.fault != Fault::ResumesSealed {
        return server.refuse("Sealed");
    }
    server.keep(&order, false);
    let mut inside = server.inside.lock().unwrap();
    inside.admission = "open";
    if server.fault != Fault::ResumeDoesNotCancel {
        inside.standing = None;
    }
    drop(inside);
    server.done()
}

async fn seal(State(server): Shared, body: Bytes) -> Response {
    let order = match server.check(&body) {
        Ok(order) => order,
        Err(response) => return *response,
    };
    let (sealed, in_use) = {
        let inside = server.inside.lock().unwrap();
        let (busy, idle) = inside.counts();
        let idle = if server.fault == Fault::SealsWithIdle {
            0
        } else {
            idle
        };
        (inside.admission == "sealed", busy + idle > 0)
    };
    if sealed && server.fault == Fault::SealedAgainRefused {
        return server.refuse("Sealed");
    }
    if in_use && !sealed {
        if server.fault == Fault::RefusedTakesEpoch {
            server.keep(&order, false);
        }
        return server.refuse("InUse");
    }
    if server.fault == Fault::SealNotAtomic {
        // A slow disk between the look and the deed: the count is old by then.
        tokio::time::sleep(WRITES).await;
    } else if !sealed
        && !server.inside.lock().unwrap().sessions.is_empty()
        && server.fault != Fault::SealsWithIdle
    {
        return server.refuse("InUse");
    }
    server.keep(&order, true);
    server.done()
}

async fn join(State(server): Shared, ws: WebSocketUpgrade) -> Response {
    let (close, asked) = oneshot::channel();
    let number = {
        let mut inside = server.inside.lock().unwrap();
        if !inside.takes_sessions(server.fault) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        inside.next += 1;
        let number = inside.next;
        let now = Instant::now();
        let session = Session {
            busy_since: now,
            spoke: now,
            close: Some(close),
        };
        inside.sessions.insert(number, session);
        number
    };
    let joined = Joined(server, number);
    ws.on_upgrade(|socket| hold(joined, socket, asked))
}

/// A session, until it is dropped; also when its handshake comes to nothing.
struct Joined(Arc<Server>, u64);

impl Drop for Joined {
    fn drop(&mut self) {
        self.0.inside.lock().unwrap().sessions.remove(&self.1);
    }
}

async fn hold(joined: Joined, mut socket: WebSocket, mut asked: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut asked => {
                let close = CloseFrame { code: 1012, reason: "reconnect".into() };
                let _ = socket.send(Message::Close(Some(close))).await;
                return;
            }
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(_))) => {
                    let mut inside = joined.0.inside.lock().unwrap();
                    if let Some(session) = inside.sessions.get_mut(&joined.1) {
                        let now = Instant::now();
                        if session.spoke.elapsed() >= IDLE_AFTER {
                            session.busy_since = now;
                        }
                        session.spoke = now;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

/// Carries out the standing order.
async fn close_idle(server: Arc<Server>) {
    loop {
        tokio::time::sleep(SLOT).await;
        let mut inside = server.inside.lock().unwrap();
        let now = Instant::now();
        let Inside {
            standing,
            sessions,
            closed,
            ..
        } = &mut *inside;
        let Some(order) = standing.as_mut().filter(|order| now < order.until) else {
            continue;
        };
        let mut due = now >= order.due;
        for session in sessions.values_mut() {
            let idle = session.spoke.elapsed() >= IDLE_AFTER || server.fault == Fault::ClosesBusy;
            if due
                && idle
                && let Some(close) = session.close.take()
            {
                let _ = close.send(());
                *closed += 1;
                order.due = now + order.slot;
                due = server.fault == Fault::AllAtOnce;
            }
        }
    }
}
