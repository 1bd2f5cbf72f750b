//! The servers' session endpoints: HTTP on loopback addresses, all on one port, each at its instance's own address.
//!
//! A process that is down has no listener: its connections are really refused.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ebbtide_sessions::{Endpoint, UrlPath};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::event::Trouble;
use crate::server::{Call, Server};

/// More instances than any case launches.
const ADDRESSES: u32 = 64;

/// All servers by their addresses, with the time that they have.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    pub(crate) by_ip: BTreeMap<String, Server>,
    pub(crate) now: Timestamp,
}

/// The servers and their listeners.
pub(crate) struct Fleet {
    servers: Arc<Mutex<Servers>>,
    listeners: HashMap<String, JoinHandle<()>>,
    first: u32,
    port: u16,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for task in self.listeners.values() {
            task.abort();
        }
    }
}

impl Fleet {
    /// A fleet without servers, on a port that is free at its first address.
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let block = std::process::id().wrapping_mul(512) + NEXT.fetch_add(1, Ordering::Relaxed);
        let first = u32::from(Ipv4Addr::new(127, 128, 0, 1)) + (block % 100_000) * ADDRESSES;
        Self {
            servers: Arc::default(),
            listeners: HashMap::new(),
            first,
            port: free_port(Ipv4Addr::from(first)).await,
        }
    }

    /// Where the servers' endpoint is.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            port: self.port,
            path: UrlPath::default(),
        }
    }

    /// The addresses that instances get, in turn.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = String> {
        (self.first..self.first + ADDRESSES).map(|ip| Ipv4Addr::from(ip).to_string())
    }

    /// The servers, locked: drop it before anything is awaited.
    pub(crate) fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a listener for every server that is up, and closes the others'.
    pub(crate) async fn listen(&mut self) {
        let up: Vec<(String, bool)> = {
            let servers = self.servers();
            let up = servers.by_ip.iter();
            up.map(|(ip, server)| (ip.clone(), server.up)).collect()
        };
        for (ip, up) in up {
            if up && !self.listeners.contains_key(&ip) {
                let task = self.serve(&ip).await;
                self.listeners.insert(ip, task);
            } else if !up && let Some(task) = self.listeners.remove(&ip) {
                task.abort();
                assert!(task.await.is_err(), "a listener ended by itself");
            }
        }
    }

    async fn serve(&self, ip: &str) -> JoinHandle<()> {
        let listener = TcpListener::bind((ip, self.port)).await;
        let listener = listener.expect("an address of its own");
        let app = Router::new()
            .fallback(answer)
            .with_state((Arc::clone(&self.servers), ip.to_owned()));
        tokio::spawn(async move {
            axum::serve(listener, app).await.expect("a listener fails");
        })
    }
}

/// A port below those that the system gives away by itself: nobody takes it while listeners come and go.
async fn free_port(ip: Ipv4Addr) -> u16 {
    let from = u16::try_from(std::process::id() % 10_000).expect("below 10000") + 20_000;
    for port in from..32_000 {
        if TcpListener::bind((ip, port)).await.is_ok() {
            return port;
        }
    }
    panic!("no port is free on {ip}")
}

async fn answer(
    State((servers, ip)): State<(Arc<Mutex<Servers>>, String)>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let call = match (method.as_str(), uri.path()) {
        ("GET", "/sessions") => Call::Read,
        ("POST", "/sessions/drain") => Call::Drain,
        ("POST", "/sessions/resume") => Call::Resume,
        ("POST", "/sessions/seal") => Call::Seal,
        other => panic!("no call {other:?}"),
    };
    let (trouble, answered) = {
        let mut servers = servers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = servers.now;
        let server = servers.by_ip.get_mut(&ip).expect("it listens");
        let trouble = server
            .trouble
            .filter(|(_, orders_only)| !orders_only || call != Call::Read);
        let trouble = trouble.map(|(trouble, _)| trouble);
        let obeys = matches!(trouble, None | Some(Trouble::LosesReply));
        let answered = if obeys {
            server.answer(call, &body, now)
        } else {
            (200, server.report())
        };
        (trouble, answered)
    };
    match trouble {
        None => say(answered.0, &answered.1.to_string()),
        Some(trouble) => misbehave(trouble, answered.1).await,
    }
}

async fn misbehave(trouble: Trouble, mut report: Value) -> Response {
    match trouble {
        Trouble::Hangs => std::future::pending().await,
        Trouble::Unauthorized => say(401, ""),
        Trouble::Fails | Trouble::LosesReply => say(500, ""),
        Trouble::Garbled => say(200, "{"),
        Trouble::Another => {
            // An empty, sealed one: what a credulous reader would end.
            report["instance"] = json!("i-another");
            report["admission"] = json!("sealed");
            report["busy"] = json!(0);
            report["idle"] = json!(0);
            say(200, &report.to_string())
        }
        Trouble::Negative => {
            report["busy"] = json!(-1);
            say(200, &report.to_string())
        }
    }
}

fn say(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, body.to_owned()).into_response()
}
