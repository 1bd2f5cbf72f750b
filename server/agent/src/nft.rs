//! The program `nft`: one transaction or one listing a call.
//!
//! Owns the child process and its end: a call that does not answer in time is killed, and counts as failed. A call costs 6 to
//! 8 ms, less than the barrier of a seal.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::runtime::Handle;

/// How long a call may take. What it orders may be in force all the same, so orders lapse by themselves.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A call that did not do what it was to do.
#[derive(Debug, Error)]
pub enum NftFailed {
    /// The program does not run.
    #[error(
        "{program} does not run ({error}); it comes with the package nftables (apt-get install nftables, dnf install nftables)"
    )]
    NotRun {
        /// The program.
        program: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It took too long, and was killed.
    #[error("nft did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// It refuses.
    #[error("nft: {0}")]
    Refused(String),
}

/// Runs the program; its calls block.
#[derive(Debug, Clone)]
pub struct Nft {
    program: PathBuf,
    runtime: Handle,
}

impl Nft {
    /// The program at this path, or of this name. Called within a tokio runtime.
    pub fn new(program: &Path) -> Self {
        Self {
            program: program.into(),
            runtime: Handle::current(),
        }
    }

    /// Carries out a script as one transaction: all of it, or nothing.
    ///
    /// # Errors
    /// When it was not carried out, or that is not known.
    pub fn run(&self, script: &str) -> Result<(), NftFailed> {
        self.call(&["-f", "-"], script).map(drop)
    }

    /// Lists a table, as JSON.
    ///
    /// # Errors
    /// When there is none, too.
    pub fn list(&self, table: &str) -> Result<Vec<u8>, NftFailed> {
        self.call(&["-j", "list", "table", "inet", table], "")
    }

    fn call(&self, arguments: &[&str], script: &str) -> Result<Vec<u8>, NftFailed> {
        let called = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, self.output(arguments, script)).await
        });
        let output = called
            .map_err(|_| NftFailed::Slow)?
            .map_err(|error| NftFailed::NotRun {
                program: self.program.clone(),
                error,
            })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(NftFailed::Refused(
            said.lines().take(3).collect::<Vec<_>>().join(" "),
        ))
    }

    async fn output(&self, arguments: &[&str], script: &str) -> std::io::Result<Output> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(script.as_bytes()).await?;
        }
        child.wait_with_output().await
    }
}
