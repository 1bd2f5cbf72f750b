//! Those outside: clients that hold tunnels, and users who send requests through them.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use ebbtide_endpoint::races::Open;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use shuttle::future::{JoinHandle, spawn, yield_now};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use super::super::body::Outbox;
use super::super::forward::forward;
use super::super::open::Arriving;
use super::world::Server;
use crate::close;
use crate::link::{Event, Link, websocket_config};
use crate::sync::Executor;

/// A server's end of a connection: as long as it is there, somebody would miss it.
struct Socket {
    io: DuplexStream,
    _open: Open,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A client with a tunnel.
pub(super) struct Client {
    leave: CancellationToken,
    connection: JoinHandle<Option<u16>>,
}

impl Client {
    /// Opens a tunnel, unless the server refuses.
    pub(super) fn connect(server: &Server, name: &str) -> Option<Self> {
        let arriving = Arriving::enter(&server.shared).ok()?;
        let open = server.truth.session();
        let (ours, theirs) = tokio::io::duplex(4096);
        let socket = Socket {
            io: ours,
            _open: open,
        };
        let upgraded = async {
            yield_now().await;
            Ok::<_, Infallible>(socket)
        };
        drop(spawn(arriving.become_tunnel(
            server.shared.clone(),
            name.to_owned(),
            upgraded,
        )));
        let leave = CancellationToken::new();
        let connection = spawn(hold(theirs, leave.clone()));
        Some(Self { leave, connection })
    }

    /// A handshake that comes to nothing.
    pub(super) fn give_up(server: &Server) -> bool {
        let Ok(arriving) = Arriving::enter(&server.shared) else {
            return false;
        };
        let open = server.truth.session();
        let upgraded = async move {
            yield_now().await;
            drop(open);
            Err::<DuplexStream, _>("the client went away")
        };
        drop(spawn(arriving.become_tunnel(
            server.shared.clone(),
            "nobody".to_owned(),
            upgraded,
        )));
        true
    }

    /// Closes the tunnel and waits for its end: the code of the server's Close frame, if it sent one.
    pub(super) async fn leave(self) -> Option<u16> {
        self.leave.cancel();
        self.connection.await.unwrap()
    }

    /// Waits for the server to close the tunnel.
    pub(super) async fn closed(self) -> Option<u16> {
        self.connection.await.unwrap()
    }
}

/// Opens so many tunnels and waits until they serve.
pub(super) async fn tunnels(server: &Server, names: &[&str]) -> Vec<Client> {
    let connect = |name: &&str| Client::connect(server, name).unwrap();
    let clients = names.iter().map(connect).collect();
    while server.serving() < names.len() || server.shared.carrying.count().0 > 0 {
        yield_now().await;
    }
    clients
}

/// The client's end of a tunnel, with an application that answers.
async fn hold(io: DuplexStream, leave: CancellationToken) -> Option<u16> {
    let socket = WebSocketStream::from_raw_socket(io, Role::Client, Some(websocket_config())).await;
    let mut link = Link::new(socket);
    let (mut leaving, mut closed) = (false, None);
    loop {
        tokio::select! {
            biased;
            event = poll_fn(|cx| link.poll_event(cx)) => match event {
                Event::Unattached => {
                    let (ours, links) = Link::<DuplexStream>::pipe();
                    drop(spawn(answer(ours)));
                    link.attach(links);
                }
                Event::PeerClosed { code, .. } => closed = Some(code),
                Event::Ended(_) => return closed,
                Event::Spoke | Event::PipeEnded => {}
            },
            () = leave.cancelled(), if !leaving => {
                leaving = true;
                link.close(close::NORMAL, "");
            }
        }
    }
}

const QUESTION: &[u8] = b"a question";
const ANSWER: &[u8] = b"an answer";

async fn answer(io: DuplexStream) {
    let app = service_fn(|request: Request<Incoming>| async {
        // Cut only when the tunnel closes first.
        if let Ok(question) = request.into_body().collect().await {
            assert_eq!(question.to_bytes(), QUESTION, "not what was asked");
        }
        yield_now().await;
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(ANSWER))))
    });
    // It ends in an error when the tunnel closes first.
    let _ = http2::Builder::new(Executor::new())
        .serve_connection(TokioIo::new(io), app)
        .await;
}

/// Sends a request through the tunnel and reads all of the answer, as a connection of the public port does.
pub(super) async fn ask(server: &Server, name: &str) -> StatusCode {
    ask_then(server, name, || ()).await.0
}

/// The same, and what `then` says in the last moment in which the request is in use.
pub(super) async fn ask_then<T>(
    server: &Server,
    name: &str,
    then: impl FnOnce() -> T,
) -> (StatusCode, T) {
    let outbox = Outbox::default();
    let mut request = Request::new(Full::new(Bytes::from_static(QUESTION)));
    request.extensions_mut().insert(outbox.clone());
    let response = forward(&server.shared, name, "/", request).await;
    let (parts, body) = response.into_parts();
    let status = parts.status;
    let body = body.collect().await.map(|body| body.to_bytes());
    if status == StatusCode::OK {
        assert_eq!(body.unwrap(), ANSWER, "an answer was cut");
    }
    // Until here the last bytes may be in this process.
    let refused = status == StatusCode::SERVICE_UNAVAILABLE;
    assert!(
        refused || !server.truth.acknowledged(),
        "a sealed server carried a request: {status}"
    );
    let last = then();
    outbox.clear();
    (status, last)
}
