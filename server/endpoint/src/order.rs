//! Orders, and what carrying one out consists of: pure functions, whoever carries it out.
//!
//! Owns the order of checks and of steps: what is refused, what happens to admission before anything is written, what is
//! written, what happens then. `control` takes the steps with a disk and tasks, the fakes in memory, a model checker as
//! steps of its own. Knows no clock and no disk.

use std::time::Duration;

use thiserror::Error;

use crate::admission::{Event, Refusal, State};
use crate::kept::{Kept, WriteFailed};

/// An order of a deployment to an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The instance that the caller means.
    pub instance: String,
    /// The deployment's name, for logs and messages.
    pub deployment: String,
    /// The deployment's epoch.
    pub epoch: u64,
    /// What is ordered.
    pub what: What,
}

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// Take no new sessions, and close idle ones until the lease ends.
    Drain {
        /// Idle sessions to close per second; above 0.
        per_second: f64,
        /// How long the order stands.
        lease: Duration,
    },
    /// Take sessions again.
    Resume,
    /// Promise never to take a session again.
    Seal,
}

impl What {
    /// Which of the three it is.
    pub fn kind(self) -> Kind {
        match self {
            Self::Drain { .. } => Kind::Drain,
            Self::Resume => Kind::Resume,
            Self::Seal => Kind::Seal,
        }
    }
}

/// One of the three orders, without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `POST /sessions/drain`
    Drain,
    /// `POST /sessions/resume`
    Resume,
    /// `POST /sessions/seal`
    Seal,
}

impl Kind {
    /// The state in which the order is written down. Nothing is let in from a seal's on.
    ///
    /// # Errors
    /// What admission refuses; neither state nor epoch changes then.
    pub fn begin(self, state: State) -> Result<State, Refusal> {
        match self {
            Self::Drain => Ok(state),
            // Asked only: a server that cannot write the epoch is not open for it.
            Self::Resume => state.apply(Event::Resume).map(|_| state),
            Self::Seal => state.apply(Event::BeginSeal),
        }
    }

    /// The state once it is written down: only now is it acknowledged, and a seal reported.
    ///
    /// # Errors
    /// None after [`Kind::begin`].
    pub fn end(self, state: State) -> Result<State, Refusal> {
        state.apply(match self {
            Self::Drain => Event::Drain,
            Self::Resume => Event::Resume,
            Self::Seal => Event::ConfirmSeal,
        })
    }
}

/// Whether an order of epoch `asked` comes late: a newer deployment or a rollback owns the server.
pub fn is_stale(asked: u64, seen: u64) -> bool {
    asked < seen
}

impl Kept {
    /// Whether the order is for this instance and not late; asked before anything else.
    ///
    /// # Errors
    /// [`Refused::WrongInstance`], then [`Refused::StaleEpoch`].
    pub fn admits(&self, order: &Order) -> Result<(), Refused> {
        if order.instance != self.instance {
            return Err(Refused::WrongInstance {
                here: self.instance.clone(),
                asked: order.instance.clone(),
            });
        }
        if is_stale(order.epoch, self.epoch) {
            return Err(Refused::StaleEpoch {
                asked: order.epoch,
                seen: self.epoch,
                deployment: self.deployment.clone().unwrap_or_default(),
            });
        }
        Ok(())
    }

    /// What has to be kept before the order is acknowledged.
    #[must_use]
    pub fn after(&self, order: &Order) -> Self {
        Self {
            epoch: order.epoch,
            deployment: Some(order.deployment.clone()),
            sealed: self.sealed || order.what == What::Seal,
            ..self.clone()
        }
    }
}

/// Why an order was refused.
#[derive(Debug, Error)]
pub enum Refused {
    /// The caller means another instance.
    #[error("this is instance {here}, the order is for {asked}")]
    WrongInstance {
        /// This instance.
        here: String,
        /// The order's.
        asked: String,
    },
    /// The caller is late.
    #[error("epoch {asked} is below {seen}, the highest seen here (deployment {deployment})")]
    StaleEpoch {
        /// The order's epoch.
        asked: u64,
        /// The highest seen.
        seen: u64,
        /// The deployment that came with it.
        deployment: String,
    },
    /// Sealed, or something is in use.
    #[error(transparent)]
    Admission(#[from] Refusal),
    /// It could not be written down, so it is not acknowledged.
    #[error(transparent)]
    NotKept(#[from] WriteFailed),
    /// What is in use, or whether it is kept out, cannot be told.
    #[error("{0}")]
    Unknown(String),
    /// The task that carried it out has died.
    #[error("the order was interrupted: {0}")]
    Interrupted(String),
}
