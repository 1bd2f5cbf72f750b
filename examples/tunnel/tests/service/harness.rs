//! Servers, tunnels and users for the tests, and the one bounded wait.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tunnel::server::{Options, Server, StartError};

pub(crate) use super::clients::{Foreign, Tunnel};

/// Longer than anything takes, even on a busy machine: only a failure waits for it.
const BOUND: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer, and fails with what was awaited and seen last.
pub(crate) async fn until<T, F>(awaited: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = tokio::time::Instant::now() + BOUND;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(seen) if tokio::time::Instant::now() > deadline => {
                panic!("no {awaited}; last seen: {seen}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// What comes within the bound.
pub(crate) async fn soon<T>(awaited: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, future).await {
        Ok(value) => value,
        Err(_) => panic!("no {awaited}"),
    }
}

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

pub(crate) fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

/// A body that is sent piece by piece; it ends when the sender is dropped.
pub(crate) fn pieces() -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        let piece = receiver.recv().await?;
        Some((Ok(Frame::data(piece)), receiver))
    });
    (sender, StreamBody::new(stream).boxed_unsync())
}

/// The next piece of a body; none at its end.
pub(crate) async fn piece(body: &mut Incoming) -> Option<Bytes> {
    let frame = soon("piece of a body", body.frame()).await?;
    Some(frame.expect("a whole body").into_data().expect("data"))
}

pub(crate) async fn read(response: Response<Incoming>) -> String {
    let body = soon("whole body", response.into_body().collect())
        .await
        .expect("a whole body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

/// Servers that know each other.
pub(crate) struct Fleet {
    directory: TempDir,
    pub(crate) servers: Vec<Running>,
}

pub(crate) struct Running {
    pub(crate) instance: String,
    pub(crate) public: SocketAddr,
    pub(crate) private: SocketAddr,
    _server: Server,
}

/// How the servers of a test differ from the program's defaults.
#[derive(Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) idle_after: Duration,
    pub(crate) ping_every: Duration,
    pub(crate) hold_for: Duration,
}

pub(crate) const TIMING: Timing = Timing {
    idle_after: Duration::from_millis(200),
    ping_every: Duration::from_millis(100),
    hold_for: Duration::from_secs(20),
};

impl Fleet {
    pub(crate) async fn start(count: usize) -> Self {
        Self::timed(count, TIMING).await
    }

    pub(crate) async fn timed(count: usize, timing: Timing) -> Self {
        let mut fleet = Self {
            directory: tempfile::tempdir().unwrap(),
            servers: Vec::new(),
        };
        for n in 1..=count {
            let server = fleet
                .launch(&format!("i-{n}"), &format!("i-{n}"), timing)
                .await
                .expect("a server");
            fleet.servers.push(server);
        }
        let addresses: Vec<_> = fleet.servers.iter().map(|server| server.private).collect();
        fleet.write_peers(&addresses);
        fleet
    }

    pub(crate) fn write_peers(&self, addresses: &[SocketAddr]) {
        let list: String = addresses
            .iter()
            .map(|address| format!("{address}\n"))
            .collect();
        std::fs::write(self.directory.path().join("new"), list).unwrap();
        std::fs::rename(self.directory.path().join("new"), self.peers()).unwrap();
    }

    fn peers(&self) -> PathBuf {
        self.directory.path().join("peers")
    }

    /// Starts a server as `instance` on the state file that belongs to `state`.
    pub(crate) async fn launch(
        &self,
        instance: &str,
        state: &str,
        timing: Timing,
    ) -> Result<Running, StartError> {
        Running::start(self.options(instance, state, timing)).await
    }

    pub(crate) fn options(&self, instance: &str, state: &str, timing: Timing) -> Options {
        Options {
            instance: instance.to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            sessions: "127.0.0.1:0".parse().unwrap(),
            state: self.directory.path().join(format!("{state}.json")),
            peers: self.peers(),
            keys: None,
            take_unsigned: false,
            idle_after: timing.idle_after,
            ping_every: timing.ping_every,
            hold_for: timing.hold_for,
        }
    }

    pub(crate) fn state_directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

type User = Client<HttpConnector, Body>;

/// A user with connections of its own.
pub(crate) fn user() -> User {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn request(method: &str, url: String, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(url)
        .body(body)
        .unwrap()
}

impl Running {
    pub(crate) async fn start(options: Options) -> Result<Self, StartError> {
        let instance = options.instance.clone();
        let server = Server::start(options).await?;
        let (public, private) = (server.public, server.private);
        Ok(Self {
            instance,
            public,
            private,
            _server: server,
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Incoming> {
        self.send("GET", path, text("")).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Body) -> Response<Incoming> {
        let request = request(method, self.url(path), body);
        soon("response", user().request(request))
            .await
            .expect("a response")
    }

    /// A request in the background.
    pub(crate) fn spawn_get(&self, path: &str) -> tokio::task::JoinHandle<Response<Incoming>> {
        let request = request("GET", self.url(path), text(""));
        tokio::spawn(async move { user().request(request).await.expect("a response") })
    }

    pub(crate) async fn private(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> (StatusCode, String) {
        let mut request = request(method, format!("http://{}{path}", self.private), text(body));
        request
            .headers_mut()
            .insert("content-type", "application/json".parse().unwrap());
        let response = soon("response", user().request(request))
            .await
            .expect("a response");
        (response.status(), read(response).await)
    }

    pub(crate) async fn report(&self) -> Value {
        let (status, report) = self.private("GET", "/sessions", "").await;
        assert_eq!(status, StatusCode::OK);
        serde_json::from_str(&report).expect("a report")
    }

    /// Waits for a report with these fields.
    pub(crate) async fn reports(&self, expected: Value) -> Value {
        until(&format!("report with {expected}"), || async {
            let report = self.report().await;
            let fields = expected.as_object().unwrap();
            let matches = fields
                .iter()
                .all(|(field, value)| report.get(field) == Some(value));
            if matches {
                Ok(report)
            } else {
                Err(report.to_string())
            }
        })
        .await
    }

    /// An order of deployment `spring` at `epoch`, with more fields.
    pub(crate) async fn order(&self, what: &str, epoch: u64, more: Value) -> (StatusCode, Value) {
        let mut body = json!({ "instance": self.instance, "deployment": "spring", "epoch": epoch });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap_or_default());
        let (status, answer) = self
            .private("POST", &format!("/sessions/{what}"), body.to_string())
            .await;
        (status, serde_json::from_str(&answer).expect("JSON"))
    }

    pub(crate) async fn drain(&self, per_second: f64, lease_seconds: u64) {
        let order = json!({ "perSecond": per_second, "leaseSeconds": lease_seconds });
        let (status, answer) = self.order("drain", 1, order).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    pub(crate) async fn seal(&self) -> (StatusCode, Value) {
        self.order("seal", 1, json!({})).await
    }

    /// A WebSocket client of another make, which knows nothing but to answer pings.
    pub(crate) async fn foreign(&self, name: &str) -> Foreign {
        let url = format!("ws://{}/tunnel/{name}", self.public);
        soon("tunnel", tokio_tungstenite::connect_async(url))
            .await
            .expect("a tunnel")
            .0
    }

    /// Our own client, with an application that the test plays.
    pub(crate) async fn tunnel(&self, name: &str) -> Tunnel {
        let mut tunnel = Tunnel::start(self.public, name);
        tunnel.connected().await;
        tunnel
    }
}
