//! What a server must remember over a restart: the highest epoch it has seen, and its seal.
//!
//! Owns that content and what may go wrong in keeping it. Control keeps it before it acknowledges anything;
//! `state_file` is where.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The content of the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kept {
    /// The version of this form.
    pub version: u32,
    /// Whose it is: an image copies files.
    pub instance: String,
    /// The highest epoch seen.
    pub epoch: u64,
    /// The deployment that came with it.
    pub deployment: Option<String>,
    /// Whether the server has promised never to take a session again.
    pub sealed: bool,
}

/// The version of [`Kept`] that this program writes and reads.
pub(crate) const VERSION: u32 = 1;

impl Kept {
    /// What a server that has never been spoken to remembers.
    pub fn new(instance: &str) -> Self {
        Self {
            version: VERSION,
            instance: instance.to_owned(),
            epoch: 0,
            deployment: None,
            sealed: false,
        }
    }
}

/// Why a server must not start with the state file it was given.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// The system refuses it.
    #[error("state file {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not of the form of [`Kept`].
    #[error(
        "state file {path} is damaged ({error}): it may say that this server is sealed, so it is not overwritten; remove it only if this server may take sessions"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        error: serde_json::Error,
    },
    /// A later program wrote it.
    #[error(
        "state file {path} has version {version}, this program knows version {VERSION}: start the program that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Another instance's promises are not this one's.
    #[error(
        "state file {path} belongs to instance {owner}, this is {instance}: give each instance a file of its own (was it copied with a machine image?)"
    )]
    OtherInstance {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: String,
        /// Who reads it.
        instance: String,
    },
}

/// A write that failed.
#[derive(Debug, Error)]
#[error("the state file could not be written: {error}")]
pub struct WriteFailed {
    /// The new content may be in place all the same.
    pub maybe_written: bool,
    /// What the system says.
    pub error: io::Error,
}

impl WriteFailed {
    /// The write ended in an unknown way.
    pub fn interrupted(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            maybe_written: true,
            error: io::Error::other(error),
        }
    }
}

/// What outlives the process; a file unless you have better ([`crate::Endpoint::keeping`]).
pub trait Keeper: Send + Sync + 'static {
    /// What was kept last; a new server's if nothing was.
    ///
    /// # Errors
    /// When it cannot be told whether this server is sealed: it must not start then.
    fn read(&self, instance: &str) -> Result<Kept, Unreadable>;

    /// Keeps this in place of what was kept before, durably: when this returns, a restart after a power cut reads it.
    ///
    /// # Errors
    /// When that is not certain; it says whether the new content may be there all the same.
    fn write(&self, kept: &Kept) -> Result<(), WriteFailed>;
}
