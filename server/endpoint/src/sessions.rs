//! What a server's author implements: the sessions of a server, as the endpoint sees them.
//!
//! Owns nothing. The report counts by it, and the standing order closes by it.

use std::time::Instant;

/// Tells one session of a server from all others it holds; a number of the server's own.
pub type SessionNumber = u64;

/// The sessions of one server process. None of these may block: they are called in asynchronous tasks, and the second
/// and third while the standing order is locked, so they must give no order themselves.
pub trait Sessions: Send + Sync + 'static {
    /// How many sessions there are at this moment. A session that is in the middle of its close still counts, and so
    /// does whatever else termination would cut: as busy.
    fn count(&self) -> Count;

    /// The sessions that are idle at this moment, longest idle first. Those that are being closed are not among them.
    fn idle(&self) -> Vec<SessionNumber>;

    /// Begins to close this session if it is idle *now*; false if it is busy, closing, or gone.
    ///
    /// Look and begin under one lock, the one that a session takes to become busy: else the session that becomes busy
    /// in between is cut. From then on it takes no work. Closing may take its time; tell the client to reconnect at
    /// once (WebSocket close code 1012).
    fn close_if_idle(&self, session: SessionNumber) -> bool;
}

/// Busy and idle sessions of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Sessions in use, and whatever else termination would cut.
    pub busy: u64,
    /// Sessions open but unused.
    pub idle: u64,
    /// Since when the longest busy of `busy` has been busy.
    pub oldest_busy: Option<Instant>,
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
pub(crate) mod tests {
    use super::*;

    /// A server that never has any.
    pub(crate) struct NoSessions;

    impl Sessions for NoSessions {
        fn count(&self) -> Count {
            Count::default()
        }

        fn idle(&self) -> Vec<SessionNumber> {
            Vec::new()
        }

        fn close_if_idle(&self, _: SessionNumber) -> bool {
            false
        }
    }

    /// Sessions that are idle until they are closed, and then are over.
    pub(crate) struct AllIdle(pub(crate) std::sync::Mutex<Vec<SessionNumber>>);

    impl Sessions for AllIdle {
        fn count(&self) -> Count {
            Count {
                idle: self.0.lock().unwrap().len() as u64,
                ..Count::default()
            }
        }

        fn idle(&self) -> Vec<SessionNumber> {
            self.0.lock().unwrap().clone()
        }

        fn close_if_idle(&self, session: SessionNumber) -> bool {
            let mut sessions = self.0.lock().unwrap();
            let before = sessions.len();
            sessions.retain(|held| *held != session);
            sessions.len() < before
        }
    }
}
