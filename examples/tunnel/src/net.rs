//! TCP settings of every socket that a request or a tunnel lives on.
//!
//! Owns keepalive: nothing here has a time limit, so a host that dies without a word would otherwise keep what it
//! carried in use, and its peer unsealed, for ever. Refuses nothing. `TCP_USER_TIMEOUT` is left alone on purpose: Linux
//! applies it to a peer that is alive and reads nothing too, and would cut a download that somebody has paused. Data that
//! nobody acknowledges is given up by the kernel's own retransmission limit (`tcp_retries2`, about a quarter of an hour).

use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

const QUIET: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;

/// A peer that is gone is noticed after a minute and a half of silence.
pub(crate) fn keep_alive(socket: &TcpStream) {
    let settings = TcpKeepalive::new()
        .with_time(QUIET)
        .with_interval(BETWEEN)
        .with_retries(TRIES);
    if let Err(error) = SockRef::from(socket).set_tcp_keepalive(&settings) {
        tracing::debug!(%error, "no keepalive on a connection");
    }
}

/// The kernel holds no more than about this much of what we have written and the other end has not received.
pub(crate) fn bound_unsent(socket: &TcpStream, bytes: usize) {
    if let Err(error) = SockRef::from(socket).set_send_buffer_size(bytes) {
        tracing::debug!(%error, "the send buffer of a connection is not bounded");
    }
}

/// A connector whose connections have keepalive.
pub(crate) fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(QUIET));
    connector.set_keepalive_interval(Some(BETWEEN));
    connector.set_keepalive_retries(Some(TRIES));
    connector
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;
    use tower_service::Service;

    fn check(socket: &TcpStream) {
        let socket = SockRef::from(socket);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), QUIET);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), BETWEEN);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), TRIES);
    }

    #[tokio::test]
    async fn both_ends_ask_whether_the_other_still_lives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connected: TokioIo<TcpStream> = connector().call(url.parse().unwrap()).await.unwrap();
        check(connected.inner());
        let (accepted, _) = listener.accept().await.unwrap();
        keep_alive(&accepted);
        check(&accepted);
        bound_unsent(&accepted, 128 * 1024);
        // Linux doubles the number, for its own bookkeeping.
        assert!(SockRef::from(&accepted).send_buffer_size().unwrap() <= 256 * 1024);
    }
}
