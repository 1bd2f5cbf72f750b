//! The tunnel keeps every rule. A session is a tunnel without a client's HTTP/2; a busy one carries a request that its
//! application never answers.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use ebbtide_conformance::{NotOpened, Opener, Session, Verdict, read_keys, try_server};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tunnel::client::{self, Event};
use tunnel::server::{Options, Server};

use crate::process::{INSTANCE, Process, Start};
use crate::right::{OF_KEYS, assert_right, up};

struct Ended(AbortHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A user's request through the tunnel, until this is dropped.
async fn ask(public: SocketAddr) {
    let mut user = TcpStream::connect(public).await.unwrap();
    let request = b"GET /t/busy/ HTTP/1.1\r\nHost: tunnel\r\n\r\n";
    user.write_all(request).await.unwrap();
    let _ = user.read_to_end(&mut Vec::new()).await;
}

async fn until(happened: &mut UnboundedReceiver<Event>, what: fn(&Event) -> bool) {
    while !happened.recv().await.is_none_or(|event| what(&event)) {}
}

fn busy(public: SocketAddr) -> Opener {
    Arc::new(move || {
        Box::pin(async move {
            let never =
                service_fn(|_: Request<Incoming>| pending::<Result<Response<Body>, Infallible>>());
            let (events, mut happened) = unbounded_channel();
            let options = client::Options {
                url: format!("ws://{public}/tunnel/busy"),
                first_backoff: Duration::from_secs(1),
                max_backoff: Duration::from_secs(1),
                connect_timeout: Duration::from_secs(10),
                ping_every: Duration::from_secs(20),
            };
            let running = client::run(options, never, events, CancellationToken::new());
            let tunnel = Ended(tokio::spawn(running).abort_handle());
            let user = Ended(tokio::spawn(ask(public)).abort_handle());
            until(&mut happened, |event| *event == Event::RequestStarted).await;
            Ok::<_, NotOpened>(Session::new(async move {
                let _both = (user, tunnel);
                // Closed, it would come back: that is its end here.
                until(&mut happened, |event| {
                    matches!(event, Event::Reconnecting { .. })
                })
                .await;
            }))
        })
    })
}

/// Tunnels with the keys of this file, or none.
fn start(keys: Option<&'static str>) -> Start {
    Arc::new(move |public, private, state| {
        Box::pin(async move {
            let options = Options {
                instance: INSTANCE.to_owned(),
                listen: public,
                sessions: private,
                peers: state.with_extension("peers"),
                keys: keys.map(|_| state.with_extension("keys")),
                state,
                take_unsigned: false,
                idle_after: Duration::from_millis(300),
                ping_every: Duration::from_secs(20),
                hold_for: Duration::from_secs(10),
            };
            if let (Some(file), Some(text)) = (&options.keys, keys) {
                std::fs::write(file, text).unwrap();
            }
            // The process before lets go of its addresses at its own pace.
            let _server = loop {
                match Server::start(options.clone()).await {
                    Ok(server) => break server,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            pending::<()>().await;
        })
    })
}

async fn verdict(text: Option<&'static str>) -> Verdict {
    let process = Process::new(start(text));
    up(&process).await;
    let mut subject = process.subject("/tunnel/{number}", None);
    subject.hands.busy = Some(busy(process.public()));
    if text.is_some() {
        subject.keys = read_keys(&process.keys()).unwrap();
    }
    try_server(subject).await.unwrap()
}

#[tokio::test]
async fn the_tunnel() {
    assert_right(&verdict(None).await, &OF_KEYS);
}

#[tokio::test]
async fn the_tunnel_with_keys() {
    const FILE: &str = "\
        b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2\n\
        a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\n";
    assert_right(&verdict(Some(FILE)).await, &[]);
}
