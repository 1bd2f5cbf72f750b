//! Nothing of a cloud outlives it: finds its processes by their mark and ends them.
//!
//! Two ways out: [`end_marked`] when a cloud is stopped or was left behind, and [`Warden`], a process of its own that
//! does the same when the process that holds the cloud is gone without having stopped it, SIGKILL included.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use crate::error::Result;
use crate::program::{MARK, Program};

/// Holds the pipe whose end makes the warden kill everything that bears the cloud's mark.
#[derive(Debug)]
pub struct Warden {
    process: Child,
}

impl Warden {
    /// Starts the warden of the cloud whose private directory is `directory`.
    ///
    /// # Errors
    /// If Python cannot be started.
    pub fn start(python: &Path, scripts: &Path, directory: &Path) -> Result<Self> {
        let process = Program::new("warden", python, directory)
            // Without the mark it does not find itself, nor does whoever tidies up after a cloud end it too early.
            .unmarked()
            .arg(scripts.join("warden.py"))
            .arg(directory)
            .with_pipe()
            .outliving()
            .start()?;
        Ok(Self { process })
    }

    /// The warden's process id.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Lets it do its work, and waits until it has.
    pub async fn dismiss(mut self) {
        drop(self.process.stdin.take());
        let _ = tokio::time::timeout(Duration::from_secs(5), self.process.wait()).await;
    }
}

/// Process ids with this cloud's mark in their environment, but for those that are dead already.
pub fn marked(directory: &Path) -> Vec<u32> {
    let mut wanted = format!("{MARK}=").into_bytes();
    wanted.extend_from_slice(directory.as_os_str().as_bytes());
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|process| {
            // A zombie's environment reads as empty.
            std::fs::read(format!("/proc/{process}/environ")).is_ok_and(|environment| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == wanted)
            })
        })
        .collect()
}

/// Kills every process with this cloud's mark, and whatever they start meanwhile. Returns those that would not go.
pub fn end_marked(directory: &Path) -> Vec<u32> {
    let started = Instant::now();
    loop {
        let left = marked(directory);
        if left.is_empty() || started.elapsed() > Duration::from_secs(5) {
            return left;
        }
        for process in left {
            signal(process, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends SIGTERM.
pub fn ask_to_end(process: u32) {
    signal(process, Signal::TERM);
}

/// Sends SIGKILL.
pub fn kill(process: u32) {
    signal(process, Signal::KILL);
}

/// Sends a signal; a process that is gone is none of our business.
pub(crate) fn signal(process: u32, signal: Signal) -> bool {
    i32::try_from(process)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| kill_process(pid, signal).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ends_what_a_marked_process_started_and_nothing_else() {
        let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sleeper = |directory: &Path| {
            Program::new("sleeper", "sh", directory)
                .args(["-c", "sleep 60 & sleep 60; true"])
                .start()
                .unwrap()
        };
        let (mut first, mut second) = (sleeper(mine.path()), sleeper(other.path()));
        crate::wait::until(
            "both shells and their children",
            Duration::from_secs(10),
            || async {
                let seen = (marked(mine.path()).len(), marked(other.path()).len());
                Ok(if seen == (3, 3) {
                    crate::wait::Seen::Done(())
                } else {
                    crate::wait::Seen::NotYet(format!("{seen:?}"))
                })
            },
        )
        .await
        .unwrap();
        assert_eq!(end_marked(mine.path()), Vec::<u32>::new());
        assert!(!first.wait().await.unwrap().success());
        assert!(
            second.try_wait().unwrap().is_none(),
            "a stranger was killed"
        );
        end_marked(other.path());
        second.wait().await.unwrap();
    }

    #[tokio::test]
    async fn the_warden_acts_when_its_pipe_closes() {
        let directory = tempfile::tempdir().unwrap();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        let warden = Warden::start(Path::new("python3"), &scripts, directory.path()).unwrap();
        let mut left = Program::new("left-behind", "sleep", directory.path())
            .arg("60")
            .outliving()
            .start()
            .unwrap();
        assert!(left.try_wait().unwrap().is_none());
        // As the kernel does when the process that holds the pipe is killed.
        drop(warden);
        let ended = tokio::time::timeout(Duration::from_secs(10), left.wait()).await;
        assert!(!ended.expect("it lives on").unwrap().success());
    }
}
