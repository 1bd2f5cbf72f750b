//! What can be done to a server from outside: open a session, keep one busy, restart the process, begin anew.
//!
//! Owns what a session is to this tool: something that lasts until it is dropped, or until the server ends it. `commands`
//! makes hands of a command line; tests make their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::JoinHandle;

/// Something that is being done.
pub type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Opens a session, or says why the server did not take it.
pub type Opener = Arc<dyn Fn() -> Doing<Result<Session, NotOpened>> + Send + Sync>;

/// Does something to the server's process, or says why that failed. When it returns the process is being started.
pub type Doer = Arc<dyn Fn() -> Doing<Result<(), String>> + Send + Sync>;

/// What can be done to a server; what cannot leaves rules untried.
#[derive(Clone, Default)]
pub struct Hands {
    /// Opens a session that does nothing, so that it is idle at once or after a while.
    pub open: Option<Opener>,
    /// Opens a session that is busy for as long as it lasts.
    pub busy: Option<Opener>,
    /// Ends the process and starts it again, on what it has kept.
    pub restart: Option<Doer>,
    /// Ends the process and starts it again on nothing, as on a new instance.
    pub fresh: Option<Doer>,
}

/// The server did not take a session, in its words or in those of whoever tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotOpened(pub String);

/// A session of the server under trial.
pub struct Session(JoinHandle<()>);

impl Session {
    /// A session that is open for as long as `lasting` goes on: it ends when the server ends the session, and is dropped
    /// to end it from this side.
    pub fn new(lasting: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(lasting))
    }

    /// Whether the server has not ended it.
    pub fn is_open(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.abort();
    }
}
