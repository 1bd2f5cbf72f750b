//! The truth about what is in use, and what was promised.

use std::sync::{Arc, Mutex, PoisonError};

/// What the world outside sees, whatever the server believes.
#[derive(Default)]
pub struct Truth(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    sessions: u64,
    acknowledged: bool,
}

impl Truth {
    /// A handshake was accepted.
    ///
    /// # Panics
    /// When a seal was acknowledged.
    pub fn session(self: &Arc<Self>) -> Open {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!seen.acknowledged, "a sealed server took a session");
        seen.sessions += 1;
        Open(self.clone())
    }

    /// How many are open.
    pub fn sessions(&self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sessions
    }

    /// A seal was acknowledged: the server may be terminated at any moment from now on.
    ///
    /// # Panics
    /// When a session is open.
    pub fn acknowledge(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(seen.sessions, 0, "sessions on a sealed server");
        seen.acknowledged = true;
    }

    /// Whether a seal was acknowledged.
    pub fn acknowledged(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .acknowledged
    }
}

/// A session that somebody would miss.
pub struct Open(Arc<Truth>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sessions -= 1;
    }
}
