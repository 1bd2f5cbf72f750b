//! Accepts connections and serves HTTP/1.1 on them.
//!
//! Owns the sockets of both ports and the moment at which a response has left: a connection that has flushed empties
//! its [`Outbox`], and so ends the work of the requests whose last bytes were in it. A request may take days; only its
//! head has a time limit.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::body::Outbox;
use crate::net;

/// How long a connection may take for the head of its first request, or of its next one.
///
/// One that never finishes a head would otherwise hold a file descriptor for ever. hyper counts the idle time between
/// two requests as well (`proto/h1/conn.rs`, `try_keep_alive`), so it has to be longer than an ALB keeps an idle
/// connection, 60 s unless set otherwise, else the ALB uses one that is just being closed.
const NEXT_HEAD: Duration = Duration::from_secs(75);
/// A response counts until it is in the kernel's send buffer, so that bounds what termination could still lose.
const UNSENT: usize = 128 * 1024;

/// Serves until `stop`; connections end with it, and idle ones when `sealed` turns true.
pub(crate) async fn serve<H, F>(
    listener: TcpListener,
    handle: H,
    stop: CancellationToken,
    sealed: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                let _ = socket.set_nodelay(true);
                net::keep_alive(&socket);
                net::bound_unsent(&socket, UNSENT);
                tokio::spawn(connection(
                    socket,
                    handle.clone(),
                    stop.clone(),
                    sealed.clone(),
                    NEXT_HEAD,
                ));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others must close before another try makes sense.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection<S, H, F>(
    socket: S,
    handle: H,
    stop: CancellationToken,
    mut sealed: watch::Receiver<bool>,
    next_head: Duration,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let outbox = Outbox::default();
    let io = TokioIo::new(Flushing {
        socket,
        outbox: outbox.clone(),
    });
    let used = Arc::new(AtomicBool::new(false));
    let using = used.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        // A handshake has its connection for itself.
        if !request.headers().contains_key(header::UPGRADE) {
            using.store(true, Ordering::SeqCst);
        }
        request.extensions_mut().insert(outbox.clone());
        let response = handle(request);
        async move { Ok::<Response<Body>, Infallible>(response.await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(next_head)
        .serve_connection(io, service)
        .with_upgrades();
    let mut serving = pin!(serving);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            // One without a request yet is left to it: the answer says that the connection closes.
            () = turned(&mut sealed) => if used.load(Ordering::SeqCst) {
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Waits for the seal.
///
/// A user behind an NLB keeps its connection to this server, so an idle one is closed before the instance ends. Not
/// while the server drains: whoever writes a request at that moment loses it, and a load balancer that is late to follow
/// the weights writes many. The answer to the next request closes the connection then, and none is lost.
async fn turned(sealed: &mut watch::Receiver<bool>) {
    while sealed.changed().await.is_ok() {
        if *sealed.borrow_and_update() {
            return;
        }
    }
    std::future::pending().await
}

/// A socket that empties an outbox whenever hyper has nothing left to write.
///
/// hyper flushes its transport only after its own buffer is empty (`proto/h1/io.rs`, `Buffered::poll_flush`), and
/// always does so after a response body has ended.
struct Flushing<S> {
    socket: S,
    outbox: Outbox,
}

impl<S> Drop for Flushing<S> {
    fn drop(&mut self) {
        self.outbox.clear();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Flushing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flushing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        if flushed.is_ready() {
            self.outbox.clear();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use hyper::body::Frame;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::super::body::{Counted, Work};
    use super::*;
    use ebbtide_endpoint::admission::{Admission, State};

    /// One large piece, and a sender that is dropped with it.
    struct Large(Option<Bytes>, #[allow(dead_code)] UnboundedSender<()>);

    impl hyper::body::Body for Large {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|piece| Ok(Frame::data(piece))))
        }
    }

    #[tokio::test]
    async fn a_head_that_never_ends_and_a_connection_that_idles_are_let_go_but_no_request_is() {
        let limit = Duration::from_millis(100);
        let handle = move |_| async move {
            tokio::time::sleep(limit * 4).await;
            Response::new(Body::empty())
        };
        for (sent, answered) in [
            ("GET / HTTP/1.1\r\nhost:", false),
            ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
        ] {
            let (ours, mut users) = duplex(1024);
            let stop = CancellationToken::new();
            tokio::spawn(connection(
                ours,
                handle,
                stop,
                watch::channel(false).1,
                limit,
            ));
            users.write_all(sent.as_bytes()).await.unwrap();
            let mut received = Vec::new();
            let ended = users.read_to_end(&mut received);
            let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
            ended.expect("an end of the connection").unwrap();
            assert_eq!(received.starts_with(b"HTTP/1.1 200"), answered, "{sent:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_counts_until_its_last_byte_has_left() {
        let admission = Admission::new(State::start(false));
        let place = admission.enter_request().unwrap();
        let work = Work {
            in_flight: None,
            carried: None,
            _place: place,
        };
        let (told, mut dropped) = unbounded_channel();
        let large = Large(Some(vec![b'x'; 100_000].into()), told);
        let answer = Arc::new(Mutex::new(Some((large, work))));
        let handle = move |request: Request<Incoming>| {
            let outbox = request.extensions().get::<Outbox>().unwrap().clone();
            let (large, work) = answer.lock().unwrap().take().unwrap();
            std::future::ready(Response::new(Body::new(Counted::new(large, work, outbox))))
        };
        // Room for 1 KB on the way: the rest of the answer has to wait in hyper's buffer.
        let (ours, mut users) = duplex(1024);
        tokio::spawn(connection(
            ours,
            handle,
            CancellationToken::new(),
            watch::channel(false).1,
            NEXT_HEAD,
        ));
        users
            .write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        assert!(
            dropped.recv().await.is_none(),
            "hyper has taken all of the body"
        );
        assert_eq!(admission.state().in_use, 1);
        let mut received = Vec::new();
        users.read_to_end(&mut received).await.unwrap();
        assert!(received.len() > 100_000);
        assert_eq!(admission.state().in_use, 0);
    }
}
