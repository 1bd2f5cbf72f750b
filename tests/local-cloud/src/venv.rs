//! The Python programs that the local cloud stands on, in a virtual environment of the repository's own.
//!
//! `target/venv`, made once from the lock `tests/local-cloud/requirements.txt` and again when the lock changes. The
//! Makefile has the same rule; whoever comes first does it.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::program::Program;

/// An installed virtual environment.
#[derive(Clone, Debug)]
pub struct Venv {
    directory: PathBuf,
}

impl Venv {
    /// The repository's virtual environment, made if it is missing or older than its lock.
    ///
    /// # Errors
    /// If Python 3 with venv is missing, or the packages cannot be installed.
    pub async fn ensure(
        repository: &Path,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self> {
        let target = repository.join("target");
        std::fs::create_dir_all(&target).map_err(Error::io("cannot make", &target))?;
        let guard = target.join("venv.lock");
        let file = File::create(&guard).map_err(Error::io("cannot write", &guard))?;
        file.lock().map_err(Error::io("cannot lock", &guard))?;
        let venv = Self {
            directory: target.join("venv"),
        };
        let lock = repository.join("tests/local-cloud/requirements.txt");
        if !venv.is_newer_than(&lock) {
            progress(
                "installing the emulators and checkers into target/venv (the first time, about a minute)",
            );
            venv.install(&target, &lock).await?;
        }
        Ok(venv)
    }

    /// A program of the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }

    fn stamp(&self) -> PathBuf {
        self.directory.join("installed")
    }

    fn is_newer_than(&self, lock: &Path) -> bool {
        let changed = |path: &Path| {
            std::fs::metadata(path)
                .and_then(|data| data.modified())
                .ok()
        };
        match (changed(&self.stamp()), changed(lock)) {
            (Some(installed), Some(locked)) => installed >= locked,
            _ => false,
        }
    }

    async fn install(&self, target: &Path, lock: &Path) -> Result<()> {
        if self.directory.exists() {
            std::fs::remove_dir_all(&self.directory)
                .map_err(Error::io("cannot remove", &self.directory))?;
        }
        Program::new("venv", "python3", target)
            .args(["-m", "venv"])
            .arg(&self.directory)
            .run()
            .await?;
        Program::new("pip", self.program("pip"), target)
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--require-hashes",
                "--requirement",
            ])
            .arg(lock)
            .run()
            .await?;
        File::create(self.stamp()).map_err(Error::io("cannot write", &self.stamp()))?;
        Ok(())
    }
}
