//! A program that prints a whole number: the busy hook's command.
//!
//! Owns the process and whatever it starts, one process group, which is killed when its time is over.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// Whoever prints more says no number.
const LONGEST: u64 = 1024;

/// What the program prints. Its errors go to the agent's log.
///
/// # Errors
/// When it does not run, fails, takes longer, or prints something else.
pub(crate) async fn number(command: &[String], within: Duration) -> Result<u64, String> {
    let (program, arguments) = command.split_first().ok_or("no program")?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{program} does not run: {error}"))?;
    let mut group = Group(child);
    tokio::time::timeout(within, group.says())
        .await
        .unwrap_or_else(|_| Err(format!("it took longer than {} ms", within.as_millis())))
        .map_err(|error| format!("{program}: {error}"))
}

/// A process and what it has started.
struct Group(Child);

impl Group {
    async fn says(&mut self) -> Result<u64, String> {
        let output = self.0.stdout.take().ok_or("no output")?;
        let mut said = String::new();
        output
            .take(LONGEST)
            .read_to_string(&mut said)
            .await
            .map_err(|error| error.to_string())?;
        let status = self.0.wait().await.map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(status.to_string());
        }
        let number = said.trim().parse();
        number.map_err(|_| format!("it prints no whole number, but {said:?}"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Until it is waited for, its number is no other process's.
        let number = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(number) = number
            && let Err(error) = kill_process_group(number, Signal::KILL)
        {
            tracing::warn!(%error, "the busy command is not killed");
        }
    }
}
