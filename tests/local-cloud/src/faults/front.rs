//! An HTTP server whose calls are handed to somebody who decides what becomes of each, down to the TCP connection.
//!
//! Both proxies are made of it: it reads a call as a whole, hands it over, and does with the connection as it is told.
//! It refuses to know what the calls mean.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, request, response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use socket2::Socket;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::caller::Connection;
use crate::error::{Error, Result, chain};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Between two bytes of an answer that comes byte by byte. A report has more than a hundred of them, and a session
/// endpoint's caller waits for three seconds.
const BETWEEN_BYTES: Duration = Duration::from_millis(100);

/// One call, read as a whole.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// How it came.
    pub(super) connection: Connection,
    /// The function that made it, once somebody has looked: a connection is one process's.
    pub(super) function: Arc<OnceCell<String>>,
    /// Method, path and headers.
    pub(super) head: request::Parts,
    /// Its body.
    pub(super) body: Bytes,
}

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is answered.
    Answer(Response<Bytes>),
    /// It is answered, one byte at a time.
    ByteByByte(Response<Bytes>),
    /// Its connection is reset.
    Reset,
    /// Nothing, for as long as the caller waits.
    Silence,
}

/// The answer to a call that was let go late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

impl Told {
    pub(super) fn of(answer: &Response<Bytes>) -> Self {
        Self {
            status: answer.status().as_u16(),
            body: String::from_utf8_lossy(answer.body()).into_owned(),
        }
    }
}

/// Decides what becomes of each call. It is dropped, wherever it is, when the caller hangs up.
pub(super) type Handle = Arc<dyn Fn(Call) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// A port that is listened on until it is closed or dropped.
#[derive(Debug)]
pub(super) struct Front {
    address: SocketAddr,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Front {
    /// Listens from now on.
    pub(super) fn listen(address: SocketAddr, handle: Handle) -> Result<Self> {
        let cannot = |source| Error::Io {
            what: format!("a proxy cannot listen on {address}"),
            source,
        };
        let listener = StdListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let listener = TcpListener::from_std(listener).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let stop = CancellationToken::new();
        Ok(Self {
            address,
            accepting: tokio::spawn(accept(listener, handle, stop.clone())),
            stop,
        })
    }

    /// Where it listens, as `http://ip:port`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the listening and every connection; when it returns, connecting is refused.
    pub(super) async fn close(mut self) {
        self.stop.cancel();
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, handle: Handle, stop: CancellationToken) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, from)) => {
                let serving = serve(stream, from, handle.clone());
                tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
            }
            Err(error) => {
                tracing::warn!(%error, "a proxy cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, handle: Handle) {
    let _ = stream.set_nodelay(true);
    // A second handle of the same socket: hyper owns the first one when the decision to reset falls.
    let Ok(resetting) = stream.as_fd().try_clone_to_owned().map(Socket::from) else {
        return;
    };
    let Ok(to) = stream.local_addr() else {
        return;
    };
    let connection = Connection { from, to };
    let resetting = Arc::new(resetting);
    let function = Arc::new(OnceCell::new());
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (handle, resetting, function) = (handle.clone(), resetting.clone(), function.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let call = Call {
                connection,
                function,
                head,
                body,
            };
            answer(call, &handle, &resetting).await
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to a proxy ended");
    }
}

async fn answer(call: Call, handle: &Handle, resetting: &Socket) -> io::Result<Response<Body>> {
    match handle(call).await {
        Outcome::Answer(response) => Ok(response.map(|body| {
            Full::new(body)
                .map_err(|never| match never {})
                .boxed_unsync()
        })),
        Outcome::ByteByByte(response) => Ok(byte_by_byte(response)),
        Outcome::Reset => {
            // Closing a socket that may not linger sends RST; the error makes hyper close without an answer.
            resetting.set_linger(Some(Duration::ZERO))?;
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Outcome::Silence => std::future::pending().await,
    }
}

fn byte_by_byte(response: Response<Bytes>) -> Response<Body> {
    let length = response.body().len();
    let mut response = response.map(|body| {
        let bytes = stream::unfold(body, |mut left| async move {
            if left.is_empty() {
                return None;
            }
            tokio::time::sleep(BETWEEN_BYTES).await;
            let byte = left.split_to(1);
            Some((Ok(Frame::data(byte)), left))
        });
        StreamBody::new(bytes).boxed_unsync()
    });
    // Its true length, or the client would see chunks and not one slow answer.
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// Passes calls on to who they are meant for.
#[derive(Clone, Debug)]
pub(super) struct Onward(Client<HttpConnector, Full<Bytes>>);

impl Onward {
    /// Keeps no connections: the ones who answer are killed and started as tests like.
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut client = Client::builder(TokioExecutor::new());
        Self(client.pool_max_idle_per_host(0).build(connector))
    }

    /// Makes the call at `authority` and reads the whole answer.
    ///
    /// # Errors
    /// [`Error::Aws`] if there is no whole answer.
    pub(super) async fn pass(&self, call: &Call, authority: &str) -> Result<Response<Bytes>> {
        let failed = |why: String| Error::Aws {
            call: format!("{} {} at {authority}", call.head.method, call.head.uri),
            why,
        };
        let mut parts = call.head.uri.clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(Authority::try_from(authority).map_err(|e| failed(chain(&e)))?);
        let uri = Uri::from_parts(parts).map_err(|error| failed(chain(&error)))?;
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.head.method.clone();
        *request.uri_mut() = uri;
        // The host as it was asked for: a signature covers it.
        *request.headers_mut() = call.head.headers.clone();
        for_next_hop(request.headers_mut());
        let answered = self.0.request(request);
        let answered = answered.await.map_err(|error| failed(chain(&error)))?;
        let (head, body): (response::Parts, Incoming) = answered.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| failed(chain(&error)))?;
        let mut answer = Response::from_parts(head, body.to_bytes());
        for_next_hop(answer.headers_mut());
        Ok(answer)
    }
}

/// The next hop has a length of its own to say, and a connection of its own to keep or close.
fn for_next_hop(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(name);
    }
}
