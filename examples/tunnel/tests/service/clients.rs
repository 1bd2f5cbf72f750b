//! Both ends of a tunnel for the tests: our client, with an application that the test plays, and clients of another make.

use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::{CancellationToken, DropGuard};
use tunnel::client::{self, Event};

use super::harness::{Body, soon};

pub(crate) type Foreign =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A request at the application, and how to answer it.
pub(crate) struct Arrived {
    pub(crate) request: Request<Incoming>,
    pub(crate) answer: oneshot::Sender<Response<Body>>,
}

impl Arrived {
    pub(crate) fn path(&self) -> &str {
        self.request.uri().path()
    }

    pub(crate) fn answer(self, body: Body) {
        self.answer
            .send(Response::new(body))
            .expect("somebody waits for the answer");
    }
}

/// Echoes what is sent to `/echo`; hands everything else to the test.
#[derive(Clone)]
struct App(mpsc::UnboundedSender<Arrived>);

impl Service<Request<Incoming>> for App {
    type Response = Response<UnsyncBoxBody<Bytes, hyper::Error>>;
    type Error = oneshot::error::RecvError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if request.uri().path().starts_with("/echo") {
            return Box::pin(async { Ok(Response::new(request.into_body().boxed_unsync())) });
        }
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Arrived { request, answer });
        Box::pin(async {
            let response = answered.await?;
            Ok(response.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
        })
    }
}

/// A running client. Dropping it closes the tunnel.
pub(crate) struct Tunnel {
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    pub(crate) arrivals: mpsc::UnboundedReceiver<Arrived>,
    pub(crate) running: tokio::task::JoinHandle<()>,
    _stop: DropGuard,
}

impl Tunnel {
    pub(crate) fn start(server: SocketAddr, name: &str) -> Self {
        let (told, events) = mpsc::unbounded_channel();
        let (arriving, arrivals) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let options = client::Options {
            url: format!("ws://{server}/tunnel/{name}"),
            ..client::Options::default()
        };
        let running = tokio::spawn(client::run(options, App(arriving), told, stop.clone()));
        Self {
            events,
            arrivals,
            running,
            _stop: stop.drop_guard(),
        }
    }

    /// The next event that is not about a request.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            match soon("event", self.events.recv())
                .await
                .expect("a running client")
            {
                Event::RequestStarted | Event::RequestEnded => {}
                event => return event,
            }
        }
    }

    pub(crate) async fn connected(&mut self) -> String {
        match self.event().await {
            Event::Connected { server } => server,
            other => panic!("expected a connection, got {other:?}"),
        }
    }

    pub(crate) async fn closed(&mut self) -> CloseFrame {
        match self.event().await {
            Event::Closed {
                code,
                reason,
                in_flight: 0,
            } => CloseFrame {
                code: code.into(),
                reason: reason.into(),
            },
            other => panic!("expected a close without requests, got {other:?}"),
        }
    }

    pub(crate) async fn arrival(&mut self) -> Arrived {
        soon("request at the application", self.arrivals.recv())
            .await
            .expect("a running client")
    }

    pub(crate) fn nothing_arrived(&mut self) -> bool {
        self.arrivals.try_recv().is_err()
    }
}
