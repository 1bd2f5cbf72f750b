//! The endpoint of one server: the way in for a server's author.
//!
//! Owns the wiring of admission, control, standing order and sessions. Refuses to start when it cannot tell whether the
//! server is sealed.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::admission::{Place, Refusal, State};
use crate::control::Control;
use crate::drain::Drain;
use crate::kept::{Keeper, Unreadable};
use crate::order::{Order, Refused};
use crate::report::{Report, VERSION};
use crate::sessions::Sessions;
use crate::state_file::StateFile;
use crate::sync::now;

/// The session endpoint of one server process; clones are the same endpoint.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    instance: String,
    control: Arc<Control>,
    drain: Arc<Drain>,
    sessions: Arc<dyn Sessions>,
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
        Ok(Self(Arc::new(Inner {
            instance: instance.to_owned(),
            control,
            drain,
            sessions,
        })))
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

    /// The state of this server at this moment.
    pub fn report(&self) -> Report {
        let Inner {
            instance,
            control,
            drain,
            sessions,
        } = &*self.0;
        // Admission first: a report that says sealed then never carries counts from before the seal.
        let admission = control.admission().state().mode.reported();
        let count = sessions.count();
        let now = now();
        Report {
            version: VERSION,
            instance: instance.clone(),
            admission,
            epoch: control.epoch(),
            busy: count.busy,
            idle: count.idle,
            closed: drain.closed(),
            oldest_busy_seconds: count
                .oldest_busy
                .map_or(0, |since| now.saturating_duration_since(since).as_secs()),
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
