//! The state file: where a server keeps its epoch and its seal.
//!
//! Refuses a file of another instance, and one that it cannot read: a server that does not know whether it is sealed
//! must not start. Control writes it, before it acknowledges anything.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::kept::{Keeper, Kept, Unreadable, VERSION, WriteFailed};

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
        // Not without its directory: the first order would find out, in the middle of a deployment.
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory(path).is_dir() => {
            return Ok(Kept::new(instance));
        }
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

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
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
    let directory = directory(path);
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
    fn a_server_without_a_directory_for_its_file_does_not_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing/state.json");
        assert!(matches!(read(&path, "i-1"), Err(Unreadable::Io { .. })));
    }

    #[test]
    fn a_write_that_cannot_begin_says_that_nothing_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let failed = write(&directory.path().join("missing/state.json"), &kept("i-1")).unwrap_err();
        assert!(!failed.maybe_written);
    }
}
