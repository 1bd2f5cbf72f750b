//! The endpoint of one server: the way in for a server's author.
//!
//! Owns the wiring of admission, control, standing order and sessions. Refuses to start when it cannot tell whether the
//! server is sealed.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::admission::{Mode, Place, Refusal, State};
use crate::control::{Control, NotStarted};
use crate::drain::Drain;
use crate::gate::{Gate, Unknown};
use crate::kept::{Keeper, Unreadable};
use crate::order::{Order, Refused};
use crate::report::{Report, VERSION};
use crate::sessions::{Count, Sessions};
use crate::state_file::StateFile;
use crate::sync::{now, spawn_blocking};

/// The session endpoint of one server process; clones are the same endpoint.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    instance: String,
    control: Arc<Control>,
    drain: Arc<Drain>,
    sessions: Arc<dyn Sessions>,
    gate: Option<Arc<dyn Gate>>,
}

impl Endpoint {
    /// Reads the state file, or begins one: a server that was sealed before starts sealed.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or is another instance's: do not serve then. Its directory has to be
    /// there, and to be of a disk that survives a reboot.
    pub fn start(
        instance: &str,
        state_file: impl Into<PathBuf>,
        sessions: Arc<dyn Sessions>,
    ) -> Result<Self, Unreadable> {
        let file = StateFile::new(state_file.into());
        Self::keeping(instance, Arc::new(file), sessions)
    }

    /// The same, with something else than a file to remember by.
    ///
    /// # Errors
    /// Those of [`Keeper::read`].
    pub fn keeping(
        instance: &str,
        keeper: Arc<dyn Keeper>,
        sessions: Arc<dyn Sessions>,
    ) -> Result<Self, Unreadable> {
        let drain = Drain::new(sessions.clone());
        let control = Control::start(instance, keeper, drain.clone())?;
        Ok(Self::of(instance, control, drain, sessions, None))
    }

    /// The endpoint of a server that is another process: a gate refuses and counts for it. New sessions are refused again,
    /// if they were refused for good, before this returns; it may block.
    ///
    /// # Errors
    /// [`Unreadable`], as [`Endpoint::start`]; or the gate's, which cannot be set: the server must not start then.
    pub fn behind(
        gate: Arc<dyn Gate>,
        instance: &str,
        state_file: impl Into<PathBuf>,
    ) -> Result<Self, NotStarted> {
        let file = Arc::new(StateFile::new(state_file.into()));
        let drain = Drain::new(gate.clone());
        let control = Control::behind(gate.clone(), instance, file, drain.clone())?;
        Ok(Self::of(instance, control, drain, gate.clone(), Some(gate)))
    }

    fn of(
        instance: &str,
        control: Arc<Control>,
        drain: Arc<Drain>,
        sessions: Arc<dyn Sessions>,
        gate: Option<Arc<dyn Gate>>,
    ) -> Self {
        Self(Arc::new(Inner {
            instance: instance.to_owned(),
            control,
            drain,
            sessions,
            gate,
        }))
    }

    /// The instance that this server runs on.
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// Takes a place for a handshake and the session that it becomes. Take it before the handshake is answered, keep it
    /// until the session is over and out of your own count, and drop it last.
    ///
    /// # Errors
    /// Unless open. As an axum response it is a 503 that asks the client to come back.
    pub fn enter_session(&self) -> Result<Place, Refusal> {
        self.0.control.admission().enter_session()
    }

    /// Takes a place for work that a draining server still takes, such as a request for a session that it holds.
    ///
    /// # Errors
    /// Once sealing or sealed.
    pub fn enter_request(&self) -> Result<Place, Refusal> {
        self.0.control.admission().enter_request()
    }

    /// What is done with new work at this moment, and how many places are taken.
    pub fn state(&self) -> State {
        self.0.control.admission().state()
    }

    /// Turns true when a seal is given: no session comes any more. Serve the health check on; whoever ends the instance does
    /// it soon.
    pub fn sealed(&self) -> watch::Receiver<bool> {
        self.0.control.sealed()
    }

    /// The state of this server at this moment. Behind a gate, [`Endpoint::look`] is the one to ask.
    pub fn report(&self) -> Report {
        // Admission first: a report that says sealed then never carries counts from before the seal.
        let mode = self.state().mode;
        self.saying(mode, self.0.sessions.count())
    }

    /// The same, from the gate if there is one.
    ///
    /// # Errors
    /// When the gate cannot tell, or has found sessions although sealed: a report is true or is not given.
    pub async fn look(&self) -> Result<Report, Unknown> {
        let Some(gate) = self.0.gate.clone() else {
            return Ok(self.report());
        };
        let endpoint = self.clone();
        // The whole of it: what was closed is counted under a lock that is kept while a session is closed.
        let looked = spawn_blocking(move || endpoint.look_behind(&*gate)).await;
        looked.unwrap_or_else(|died| Err(Unknown(died.to_string())))
    }

    fn look_behind(&self, gate: &dyn Gate) -> Result<Report, Unknown> {
        let mode = self.state().mode;
        let count = gate.look()?;
        let held = count.busy + count.idle;
        if mode == Mode::Sealed && held > 0 {
            let message =
                format!("this server is sealed, and {held} sessions came in all the same");
            return Err(Unknown(message));
        }
        Ok(self.saying(mode, count))
    }

    fn saying(&self, mode: Mode, count: Count) -> Report {
        let now = now();
        Report {
            version: VERSION,
            instance: self.0.instance.clone(),
            admission: mode.reported(),
            epoch: self.0.control.epoch(),
            busy: count.busy,
            idle: count.idle,
            closed: self.0.drain.closed(),
            oldest_busy_seconds: count
                .oldest_busy
                .map_or(0, |since| now.saturating_duration_since(since).as_secs()),
            agent: self.0.gate.as_ref().map(|gate| gate.agent()),
        }
    }

    /// Carries out an order, to its end even if the caller hangs up in the middle. [`Endpoint::router`] calls it.
    ///
    /// # Errors
    /// Why it was refused; unless it could not be written down, nothing has changed then.
    pub async fn order(&self, order: Order) -> Result<(), Refused> {
        self.0.control.order(order).await
    }
}
