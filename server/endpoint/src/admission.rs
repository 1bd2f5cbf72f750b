//! Admission: what a server does with new work, as one pure compare-and-set state.
//!
//! Owns the mode (open, draining, sealed) and the number of things in use, in one word, so that "nothing is in use"
//! and "never again" are decided at the same instant. Knows no clock, no socket and no task: [`State::apply`] is a
//! pure function that a test or a model checker can call, and [`Admission`] only puts it behind a compare-exchange.
//! Refuses a new session unless open, anything at all once sealing, and a seal while anything is in use.
//! Whatever takes sessions and requests calls it, and so does the session endpoint.

use std::sync::Arc;

use thiserror::Error;

use crate::sync::atomic::{AtomicU64, Ordering};

/// What the server does with new sessions and requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `Open`: sessions and requests are taken.
    Open,
    /// `Draining`: sessions are refused, and requests are still carried.
    Draining,
    /// `Sealing`: everything is refused, and the seal is not yet known to survive a restart.
    Sealing,
    /// `Sealed`: everything is refused for good, and the seal survives a restart.
    Sealed,
}

/// One thing that may happen to a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A handshake begins; what it becomes, a session, keeps the place.
    EnterSession,
    /// Work arrives that a draining server still takes, such as a request for a session that it holds.
    EnterRequest,
    /// A session, a handshake or a request ended.
    Leave,
    /// A drain order.
    Drain,
    /// A resume order.
    Resume,
    /// The first half of a seal, before it is written down.
    BeginSeal,
    /// The second half: it is written down.
    ConfirmSeal,
    /// It certainly was not written down, so it never happened.
    AbandonSeal,
}

/// Why an [`Event`] was refused. The state is then as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refusal {
    /// New sessions are refused while draining.
    #[error("this server is draining and takes no new sessions")]
    Draining,
    /// Sealed, or about to be: nothing is taken, and there is no way back.
    #[error("this server is sealed: it never again takes a session or a request")]
    Sealed,
    /// A seal needs everything to be gone.
    #[error("{0} sessions, handshakes and requests are in use")]
    InUse(u64),
    /// The event makes no sense in this state; a mistake in the caller, without effect.
    #[error("there is nothing to leave, confirm or abandon")]
    Nothing,
}

/// Mode and number of things in use: all there is to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What is done with new work.
    pub mode: Mode,
    /// Sessions, handshakes under way, and requests carried or waiting.
    pub in_use: u64,
}

const MODE_SHIFT: u32 = 62;
const IN_USE: u64 = (1 << MODE_SHIFT) - 1;

impl State {
    /// A server that has just started, sealed if its state file says so.
    pub fn start(sealed: bool) -> Self {
        let mode = if sealed { Mode::Sealed } else { Mode::Open };
        Self { mode, in_use: 0 }
    }

    /// The state after `event`, or why it is refused.
    ///
    /// # Errors
    /// The [`Refusal`]; nothing changes then.
    pub fn apply(self, event: Event) -> Result<Self, Refusal> {
        match event {
            Event::EnterSession => self.enter(Mode::Open),
            Event::EnterRequest => self.enter(Mode::Draining),
            Event::Leave => match self.in_use.checked_sub(1) {
                Some(in_use) => Ok(Self { in_use, ..self }),
                None => Err(Refusal::Nothing),
            },
            Event::Drain => match self.mode {
                // A sealed server has nothing left to drain: already done is success.
                Mode::Sealing | Mode::Sealed => Ok(self),
                Mode::Open | Mode::Draining => Ok(self.with(Mode::Draining)),
            },
            Event::Resume => match self.mode {
                Mode::Sealing | Mode::Sealed => Err(Refusal::Sealed),
                Mode::Open | Mode::Draining => Ok(self.with(Mode::Open)),
            },
            Event::BeginSeal => match (self.mode, self.in_use) {
                (Mode::Sealing | Mode::Sealed, _) => Ok(self),
                (Mode::Open | Mode::Draining, 0) => Ok(self.with(Mode::Sealing)),
                (Mode::Open | Mode::Draining, in_use) => Err(Refusal::InUse(in_use)),
            },
            Event::ConfirmSeal => match self.mode {
                Mode::Sealing | Mode::Sealed => Ok(self.with(Mode::Sealed)),
                Mode::Open | Mode::Draining => Err(Refusal::Nothing),
            },
            Event::AbandonSeal => match self.mode {
                Mode::Sealing => Ok(self.with(Mode::Draining)),
                Mode::Open | Mode::Draining | Mode::Sealed => Err(Refusal::Nothing),
            },
        }
    }

    /// One more in use, if the mode is `last` or more welcoming than that.
    fn enter(self, last: Mode) -> Result<Self, Refusal> {
        let in_use = self.in_use + 1;
        match (self.mode, last) {
            (Mode::Open, _) | (Mode::Draining, Mode::Draining) => Ok(Self { in_use, ..self }),
            (Mode::Draining, _) => Err(Refusal::Draining),
            (Mode::Sealing | Mode::Sealed, _) => Err(Refusal::Sealed),
        }
    }

    fn with(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    fn pack(self) -> u64 {
        let mode = match self.mode {
            Mode::Open => 0,
            Mode::Draining => 1,
            Mode::Sealing => 2,
            Mode::Sealed => 3,
        };
        (mode << MODE_SHIFT) | (self.in_use & IN_USE)
    }

    fn unpack(word: u64) -> Self {
        let mode = match word >> MODE_SHIFT {
            0 => Mode::Open,
            1 => Mode::Draining,
            2 => Mode::Sealing,
            _ => Mode::Sealed,
        };
        Self {
            mode,
            in_use: word & IN_USE,
        }
    }
}

/// The one admission of a server process, shared by everything that takes work.
#[derive(Clone, Debug)]
pub struct Admission(Arc<AtomicU64>);

impl Admission {
    /// Starts in `state`.
    pub fn new(state: State) -> Self {
        Self(Arc::new(AtomicU64::new(state.pack())))
    }

    /// The state at this instant.
    pub fn state(&self) -> State {
        State::unpack(self.0.load(Ordering::SeqCst))
    }

    /// Applies `event` atomically and returns the state that it led to.
    ///
    /// # Errors
    /// The [`Refusal`] of [`State::apply`].
    pub fn apply(&self, event: Event) -> Result<State, Refusal> {
        self.update(|state| state.apply(event))
    }

    /// Makes of the state what `step` says, atomically, and returns that.
    ///
    /// # Errors
    /// The [`Refusal`] of `step`; nothing changes then.
    pub fn update(&self, step: impl Fn(State) -> Result<State, Refusal>) -> Result<State, Refusal> {
        let mut word = self.0.load(Ordering::SeqCst);
        loop {
            let next = step(State::unpack(word))?;
            match self
                .0
                .compare_exchange(word, next.pack(), Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return Ok(next),
                Err(seen) => word = seen,
            }
        }
    }

    /// Takes a place for a handshake and the session that it becomes.
    ///
    /// # Errors
    /// Unless open.
    pub fn enter_session(&self) -> Result<Place, Refusal> {
        self.enter(Event::EnterSession)
    }

    /// Takes a place for work that a draining server still takes, such as a request for a session that it holds.
    ///
    /// # Errors
    /// Once sealing or sealed.
    pub fn enter_request(&self) -> Result<Place, Refusal> {
        self.enter(Event::EnterRequest)
    }

    fn enter(&self, event: Event) -> Result<Place, Refusal> {
        self.apply(event)?;
        Ok(Place(self.clone()))
    }
}

/// One thing in use. Dropping it gives the place back.
#[derive(Debug)]
pub struct Place(Admission);

impl Drop for Place {
    fn drop(&mut self) {
        // Cannot be refused: this place was counted when it was taken.
        let _ = self.0.apply(Event::Leave);
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "admission_tests.rs"]
mod tests;
