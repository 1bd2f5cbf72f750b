//! A cloud's private directory: who may remove what of it, and when.
//!
//! Logs outlive a cloud that did not end in order, because messages name them; the rest of it, some 200 MB, never does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::warden;

/// When the logs of a cloud that did not end in order are forgotten.
const LOGS_KEPT: Duration = Duration::from_secs(24 * 3600);
/// A directory younger than this may belong to a cloud that is just being started.
const STARTING: Duration = Duration::from_secs(600);

/// The private directory of a running cloud. Dropping it ends every process that bears its mark.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    fresh: bool,
    ended_in_order: bool,
}

impl Directory {
    /// One that belongs to somebody else, who also tidies it.
    pub(crate) fn lent(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            fresh: false,
            ended_in_order: false,
        }
    }

    /// One for a single cloud, in `parent`; tidies up after earlier ones there that were killed.
    pub(crate) fn fresh(parent: &Path) -> Result<Self> {
        std::fs::create_dir_all(parent).map_err(Error::io("cannot make", parent))?;
        forget_the_dead(parent);
        let made = tempfile::Builder::new().prefix("cloud-").tempdir_in(parent);
        let made = made.map_err(Error::io("cannot make a directory in", parent))?;
        Ok(Self {
            path: made.keep(),
            fresh: true,
            ended_in_order: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its cloud was stopped: nobody needs the logs any more.
    pub(crate) fn ended_in_order(&mut self) {
        self.ended_in_order = true;
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        warden::end_marked(&self.path);
        if self.fresh && self.ended_in_order {
            let _ = std::fs::remove_dir_all(&self.path);
        } else if self.fresh {
            remove_all_but_logs(&self.path);
        }
    }
}

/// Removes what a cloud wrote into its directory, except for its logs.
pub(crate) fn remove_all_but_logs(directory: &Path) {
    for name in ["ministack", "servers", "sam"] {
        let _ = std::fs::remove_dir_all(directory.join(name));
    }
    let _ = std::fs::remove_file(directory.join("peers"));
}

fn forget_the_dead(parent: &Path) {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let changed = entry.metadata().and_then(|data| data.modified()).ok();
        let Some(age) = changed.and_then(|changed| changed.elapsed().ok()) else {
            continue;
        };
        if age < STARTING || !warden::marked(&entry.path()).is_empty() {
            continue;
        }
        if age > LOGS_KEPT {
            let _ = std::fs::remove_dir_all(entry.path());
        } else {
            remove_all_but_logs(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(parent: &Path) -> Directory {
        let directory = Directory::fresh(parent).unwrap();
        for name in ["logs", "ministack", "sam"] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
        }
        directory
    }

    #[test]
    fn logs_outlive_a_cloud_that_did_not_end_in_order() {
        let parent = tempfile::tempdir().unwrap();
        let directory = filled(parent.path());
        let path = directory.path().to_owned();
        drop(directory);
        assert!(path.join("logs").exists() && !path.join("ministack").exists());
    }

    #[test]
    fn nothing_is_left_of_one_that_did() {
        let parent = tempfile::tempdir().unwrap();
        let mut directory = filled(parent.path());
        directory.ended_in_order();
        let path = directory.path().to_owned();
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn a_killed_clouds_directory_is_tidied_but_not_a_starting_ones() {
        let parent = tempfile::tempdir().unwrap();
        let (killed, starting) = (filled(parent.path()), filled(parent.path()));
        let long_ago = std::time::SystemTime::now() - 2 * STARTING;
        let file = std::fs::File::open(killed.path()).unwrap();
        file.set_modified(long_ago).unwrap();
        forget_the_dead(parent.path());
        assert!(!killed.path().join("ministack").exists() && killed.path().join("logs").exists());
        assert!(starting.path().join("ministack").exists());
    }
}
