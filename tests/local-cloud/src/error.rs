//! What can go wrong with the local cloud, in words for the person at the terminal.
//!
//! Owns the error type of the whole library. Every message names the log to read, where there is one.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the local cloud could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a directory could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A program failed, or could not be started.
    #[error("{what} failed: {why} (its output is in {})", log.display())]
    Program {
        /// The program, in words.
        what: String,
        /// Its exit status, and the end of what it said.
        why: String,
        /// Where all of its output is.
        log: PathBuf,
    },
    /// An emulator refused a call, or did not answer.
    #[error("{call}: {why}")]
    Aws {
        /// The API's name of the call.
        call: String,
        /// The error's code and message.
        why: String,
    },
    /// Something did not happen in time.
    #[error("waited {waited:?} for {what}; last seen: {last}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// The last status seen.
        last: String,
    },
    /// The machine, or the repository, lacks something.
    #[error("{0}")]
    Missing(String),
    /// Input that cannot be used.
    #[error("{0}")]
    Input(String),
}

/// A result with the library's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An operating system's error about a path.
    pub fn io(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("{what} {}", path.display());
        move |source| Self::Io { what, source }
    }

    /// An SDK's error about a call: the service's code and message, or what kept the call from being answered.
    pub fn aws<E: std::error::Error>(call: &str) -> impl FnOnce(E) -> Self {
        let call = call.to_owned();
        move |error| Self::Aws {
            call,
            why: chain(&error),
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
