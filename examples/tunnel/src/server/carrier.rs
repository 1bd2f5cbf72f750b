//! Runs a tunnel's WebSocket: one task from the handshake to the end of the close.
//!
//! Owns pings and the closing handshake: a Close frame goes out, and the peer has some seconds to answer it. The
//! session counts until then.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use ebbtide_endpoint::Place;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;

use super::Shared;
use super::tunnel::{Phase, Tunnel};
use crate::close;
use crate::link::{Event, Link};
use crate::sync::{now, select, sleep_until};

/// How long a peer may take to answer a Close frame.
const CLOSING: Duration = Duration::from_secs(5);

/// How a WebSocket ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// `Handshake` is when both sides closed.
    Handshake,
    /// `Lost` is when the connection broke, or the peer was silent for too long.
    Lost,
    /// `Unanswered` is when our Close frame was not answered in time.
    Unanswered,
}

/// Carries the tunnel until its WebSocket is over, then takes it out of the registry and gives its place back.
pub(crate) async fn carry<S>(
    shared: &Shared,
    tunnel: Arc<Tunnel>,
    socket: WebSocketStream<S>,
    place: Place,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let registered = Registered {
        shared,
        tunnel,
        _place: place,
    };
    let tunnel = &registered.tunnel;
    let end = drive(shared, tunnel, Link::new(socket)).await;
    let ordered = matches!(
        tunnel.phase(),
        Phase::Closing {
            code: close::RESTART,
            ..
        }
    );
    let replaced = matches!(
        tunnel.phase(),
        Phase::Closing {
            code: close::REPLACED,
            ..
        }
    );
    if ordered {
        shared.metrics.closed.inc();
    } else if replaced {
        shared.metrics.replaced.inc();
    } else if end == End::Lost {
        shared.metrics.lost.inc();
    }
}

/// A tunnel's stay in the registry, however it ends: a panic too must not leave one there that is in use for ever.
struct Registered<'a> {
    shared: &'a Shared,
    tunnel: Arc<Tunnel>,
    // Dropped last: until then the server counts as in use.
    _place: Place,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.tunnel.over(close::NORMAL, "");
        self.shared.registry.remove(&self.tunnel);
    }
}

async fn drive<S>(shared: &Shared, tunnel: &Tunnel, mut link: Link<S>) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut closing = false;
    let mut due = now() + shared.ping_every;
    // Its answer shows that the client still wants what it asked for.
    link.ping();
    loop {
        select! {
            event = poll_fn(|cx| link.poll_event(cx)) => match event {
                Event::Ended(result) => return if result.is_ok() { End::Handshake } else { End::Lost },
                // Only now: a handshake that its client has given up meanwhile must not end the tunnel that the client
                // has opened elsewhere instead.
                Event::Spoke => shared.announcer.taken(&tunnel.name, tunnel.opened_at),
                // Whoever speaks before it was spoken to is not listened to.
                Event::Unattached => {}
                Event::PeerClosed { .. } => {
                    tunnel.over(close::NORMAL, "");
                    closing = true;
                    due = now() + CLOSING;
                }
                // The peer spoke no HTTP/2. Our own end of it never ends before the tunnel.
                Event::PipeEnded => {
                    tunnel.over(close::PROTOCOL_ERROR, "this is not HTTP/2");
                    tunnel.changed.notify_one();
                }
            },
            () = tunnel.changed.notified(), if !closing => {
                closing = follow(tunnel, &mut link);
                if closing {
                    due = now() + CLOSING;
                }
            }
            () = sleep_until(due) => {
                if closing {
                    return End::Unanswered;
                }
                if !link.ping() {
                    return End::Lost;
                }
                due = now() + shared.ping_every;
            }
        }
    }
}

/// Does what the tunnel's life asks for; true if that is to close.
fn follow<S>(tunnel: &Tunnel, link: &mut Link<S>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(pipe) = tunnel.take_attachment() {
        link.attach(pipe);
    }
    let Phase::Closing { code, reason } = tunnel.phase() else {
        return false;
    };
    link.close(code, &reason);
    true
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "frames_tests.rs"]
mod frames_tests;

#[cfg(test)]
#[cfg(not(feature = "races"))]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::super::parts;
    use super::*;
    use ebbtide_endpoint::Count;

    /// A connection with a mistake in it.
    struct Mistaken;

    impl AsyncRead for Mistaken {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            panic!("as the test wants it");
        }
    }

    impl AsyncWrite for Mistaken {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(data.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_panic_leaves_nothing_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let shared = parts(directory.path(), Duration::ZERO);
        let place = shared.endpoint.enter_session().unwrap();
        let now = std::time::Instant::now();
        let tunnel = shared.registry.open("a", 1, now);
        let socket = WebSocketStream::from_raw_socket(Mistaken, Role::Server, None).await;
        let (its, kept) = (shared.clone(), tunnel.clone());
        let carrying = tokio::spawn(async move { carry(&its, kept, socket, place).await });
        assert!(carrying.await.unwrap_err().is_panic());
        assert_eq!(shared.registry.count(now), Count::default());
        assert!(matches!(tunnel.phase(), Phase::Closing { .. }));
        assert_eq!(shared.endpoint.state().in_use, 0);
    }
}
