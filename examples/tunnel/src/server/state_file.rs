//! What a server must remember over a restart: the highest epoch it has seen, and its seal.
//!
//! Owns the state file. Refuses a file of another instance, and one that it cannot read: a server that does not know
//! whether it is sealed must not start. Control writes it, before it acknowledges anything.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

/// The content of the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) version: u32,
    pub(crate) instance: String,
    /// The highest epoch seen.
    pub(crate) epoch: u64,
    /// The deployment that came with it.
    pub(crate) deployment: Option<String>,
    pub(crate) sealed: bool,
}

const VERSION: u32 = 1;

impl Kept {
    /// What a server that has never been spoken to remembers.
    pub(crate) fn new(instance: &str) -> Self {
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
pub(crate) enum Unreadable {
    #[error("state file {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error(
        "state file {path} is damaged ({error}): it may say that this server is sealed, so it is not overwritten; remove it only if this server may take sessions"
    )]
    Damaged {
        path: PathBuf,
        error: serde_json::Error,
    },
    #[error(
        "state file {path} has version {version}, this program knows version {VERSION}: start the program that wrote it"
    )]
    Version { path: PathBuf, version: u32 },
    #[error(
        "state file {path} belongs to instance {owner}, this is {instance}: give each instance a file of its own (was it copied with a machine image?)"
    )]
    OtherInstance {
        path: PathBuf,
        owner: String,
        instance: String,
    },
}

/// A write that failed.
#[derive(Debug, Error)]
#[error("the state file could not be written: {error}")]
pub(crate) struct WriteFailed {
    /// The new content may be in place all the same.
    pub(crate) maybe_written: bool,
    pub(crate) error: io::Error,
}

impl WriteFailed {
    /// The write ended in an unknown way.
    pub(crate) fn interrupted(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            maybe_written: true,
            error: io::Error::other(error),
        }
    }
}

/// What outlives the process.
pub(crate) trait Keeper: Send + Sync {
    /// What was kept last; a new server's if nothing was.
    fn read(&self, instance: &str) -> Result<Kept, Unreadable>;

    /// Keeps this in place of what was kept before, durably: when this returns, a restart after a power cut reads it.
    fn write(&self, kept: &Kept) -> Result<(), WriteFailed>;
}

/// The file at a path.
pub(crate) struct StateFile(PathBuf);

impl StateFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Keeper for StateFile {
    fn read(&self, instance: &str) -> Result<Kept, Unreadable> {
        read(&self.0, instance)
    }

    fn write(&self, kept: &Kept) -> Result<(), WriteFailed> {
        write(&self.0, kept)
    }
}

/// Reads the file; a missing one is that of a new server.
fn read(path: &Path, instance: &str) -> Result<Kept, Unreadable> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::new(instance)),
        Err(error) => {
            return Err(Unreadable::Io {
                path: path.into(),
                error,
            });
        }
    };
    let kept: Kept = serde_json::from_slice(&text).map_err(|error| Unreadable::Damaged {
        path: path.into(),
        error,
    })?;
    if kept.version != VERSION {
        return Err(Unreadable::Version {
            path: path.into(),
            version: kept.version,
        });
    }
    if kept.instance != instance {
        return Err(Unreadable::OtherInstance {
            path: path.into(),
            owner: kept.instance,
            instance: instance.to_owned(),
        });
    }
    Ok(kept)
}

/// Replaces the file's content and makes that durable.
fn write(path: &Path, kept: &Kept) -> Result<(), WriteFailed> {
    let before = |error| WriteFailed {
        maybe_written: false,
        error,
    };
    let after = |error| WriteFailed {
        maybe_written: true,
        error,
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let text = serde_json::to_vec_pretty(kept).map_err(|error| before(error.into()))?;
    let mut file = NamedTempFile::new_in(directory).map_err(before)?;
    file.write_all(&text).map_err(before)?;
    file.as_file().sync_all().map_err(before)?;
    file.persist(path).map_err(|failed| after(failed.error))?;
    // The rename itself is durable only once the directory is.
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(instance: &str) -> Kept {
        Kept {
            epoch: 7,
            deployment: Some("spring".into()),
            sealed: true,
            ..Kept::new(instance)
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        assert_eq!(read(&path, "i-1").unwrap(), Kept::new("i-1"));
        write(&path, &kept("i-1")).unwrap();
        assert_eq!(read(&path, "i-1").unwrap(), kept("i-1"));
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn another_instances_file_is_refused_by_both_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        write(&path, &kept("i-1")).unwrap();
        let error = read(&path, "i-2").unwrap_err().to_string();
        assert!(error.contains("i-1") && error.contains("i-2"), "{error}");
    }

    #[test]
    fn a_damaged_file_is_refused_not_taken_for_a_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        for text in ["", "{", r#"{"version":1,"instance":"i-1"}"#] {
            fs::write(&path, text).unwrap();
            assert!(
                matches!(read(&path, "i-1"), Err(Unreadable::Damaged { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_write_that_cannot_begin_says_that_nothing_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let failed = write(&directory.path().join("missing/state.json"), &kept("i-1")).unwrap_err();
        assert!(!failed.maybe_written);
    }
}
