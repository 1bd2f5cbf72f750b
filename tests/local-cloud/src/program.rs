//! Starts and runs the programs of a local cloud, each with its log and with the cloud's mark in its environment.
//!
//! Refuses to inherit what would make a run depend on its surroundings: AWS settings, proxies for loopback addresses,
//! and what `make` and `cargo` leave for their children. Called by everything here that starts a process.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::error::{Error, Result};

/// The variable that marks every process of a cloud; its value is the cloud's private directory.
pub const MARK: &str = "EBBTIDE_LOCAL_CLOUD";

/// A program that is about to be started for one cloud.
#[derive(Debug)]
pub struct Program {
    what: String,
    command: Command,
    log: PathBuf,
}

impl Program {
    /// `executable`, called `what` in messages, logging to `directory/logs/what.log` and marked as `directory`'s.
    pub fn new(what: &str, executable: impl AsRef<OsStr>, directory: &Path) -> Self {
        let mut command = Command::new(executable);
        for (name, _) in std::env::vars_os() {
            if is_foreign(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command
            .env(MARK, directory)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", crate::REGION)
            .env("AWS_DEFAULT_REGION", crate::REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            // Ctrl-C reaches the whole foreground group; the order in which a cloud ends is its starter's to decide.
            .process_group(0);
        Self {
            what: what.to_owned(),
            command,
            log: directory.join("logs").join(format!("{what}.log")),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it in `directory`.
    pub fn current_dir(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives it a pipe as standard input.
    pub fn with_pipe(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Leaves it without the cloud's mark.
    pub fn unmarked(mut self) -> Self {
        self.command.env_remove(MARK);
        self
    }

    /// Lets it live on when the returned child is dropped.
    pub fn outliving(mut self) -> Self {
        self.command.kill_on_drop(false);
        self
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it. It is killed when the returned child is dropped, unless it is [`Program::outliving`].
    ///
    /// # Errors
    /// [`Error::Program`] if it cannot be started, [`Error::Io`] if its log cannot be made.
    pub fn start(mut self) -> Result<Child> {
        if let Some(parent) = self.log.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io("cannot make", parent))?;
        }
        let output = File::create(&self.log).map_err(Error::io("cannot write", &self.log))?;
        let errors = output
            .try_clone()
            .map_err(Error::io("cannot write", &self.log))?;
        self.command
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|source| Error::Program {
                what: self.what,
                why: source.to_string(),
                log: self.log,
            })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`Error::Program`] with the last lines of its output unless it exits with 0.
    pub async fn run(self) -> Result<()> {
        let (what, log) = (self.what.clone(), self.log.clone());
        let status = self
            .start()?
            .wait()
            .await
            .map_err(Error::io("cannot wait for", &log))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Program {
            what,
            why: format!("{status}; it said: {}", last_lines(&log)),
            log,
        })
    }
}

/// The end of a log, in one line.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(8)..].join(" | ")
}

/// Whether a variable must not reach the cloud's processes.
fn is_foreign(name: &str) -> bool {
    let cargo = name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_BIN_")
        || name.starts_with("CARGO_MANIFEST_");
    name.starts_with("AWS_")
        || cargo
        || matches!(
            name,
            "MAKEFLAGS"
                | "MFLAGS"
                | "MAKELEVEL"
                | "INPUT"
                | "CARGO"
                | "LD_LIBRARY_PATH"
                | "VIRTUAL_ENV"
                | "PYTHONPATH"
                | "PYTHONHOME"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_names_its_log_and_what_was_said() {
        let directory = tempfile::tempdir().unwrap();
        let error = Program::new("failing", "sh", directory.path())
            .args(["-c", "echo so it is; exit 3"])
            .run()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("so it is") && error.contains("logs/failing.log"),
            "{error}"
        );
    }

    #[test]
    fn aws_settings_of_the_user_stay_out() {
        assert!(
            is_foreign("AWS_PROFILE")
                && is_foreign("AWS_ENDPOINT_URL_EC2")
                && is_foreign("MAKEFLAGS")
        );
        assert!(
            !is_foreign("PATH") && !is_foreign("CARGO_TARGET_DIR") && !is_foreign("CARGO_HOME")
        );
    }
}
