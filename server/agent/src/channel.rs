//! A pair of sockets between two processes of one machine: whole messages, and an end that is seen.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use serde::Serialize;

/// Larger than any message: a socket of this kind takes no larger one by default (net.core.wmem_default).
const LARGEST_MESSAGE: usize = 256 * 1024;

/// One end.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// Both ends.
    ///
    /// # Errors
    /// When the system has no sockets left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(one), Self(other)))
    }

    /// Sends a message, as JSON.
    ///
    /// # Errors
    /// [`Errno::AGAIN`] when the other end takes none for [`crate::orders::PATIENCE`], [`Errno::PIPE`] when it is gone.
    pub fn send(&self, message: &impl Serialize) -> io::Result<()> {
        set_socket_timeout(&self.0, Timeout::Send, Some(crate::orders::PATIENCE))?;
        let message = serde_json::to_vec(message)?;
        retry_on_intr(|| send(&self.0, &message, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// The next message, or None when the other end is gone. Waits for good if no time is given.
    ///
    /// # Errors
    /// [`Errno::AGAIN`] when none comes within that time.
    pub fn receive(&self, within: Option<Duration>) -> io::Result<Option<Vec<u8>>> {
        let until = within.map(|within| Instant::now() + within);
        let mut message = vec![0; LARGEST_MESSAGE];
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Errno::AGAIN.into());
            }
            set_socket_timeout(&self.0, Timeout::Recv, left)?;
            match recv(&self.0, &mut message, RecvFlags::TRUNC) {
                // A signal, or a stop that is over.
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok((_, 0)) => return Ok(None),
                Ok((_, length)) if length > message.len() => {
                    return Err(io::Error::other("a message was cut short"));
                }
                Ok((_, length)) => {
                    message.truncate(length);
                    return Ok(Some(message));
                }
            }
        }
    }
}

impl From<OwnedFd> for Channel {
    fn from(end: OwnedFd) -> Self {
        Self(end)
    }
}

impl From<Channel> for OwnedFd {
    fn from(end: Channel) -> Self {
        end.0
    }
}
