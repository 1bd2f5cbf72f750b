//! Who is at the other end of a connection on this machine: the process, and the Lambda function that it runs.
//!
//! Goes by the kernel's tables of sockets (proc(5)), so that whoever is killed is the one that made the call, and only
//! among the processes of one cloud.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use procfs::process::{FDTarget, Process};

use crate::cloud::LocalCloud;
use crate::error::{Error, Result};
use crate::warden;

/// The kernel's table can be read while it changes, and then lacks a socket that is there: one look proves nothing.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The process that holds the socket at `local`, among those of the cloud whose private directory is `directory`.
///
/// # Errors
/// [`Error::Missing`] if there is none: it ended, or it hung up.
pub(super) async fn process_at(local: SocketAddr, directory: &Path) -> Result<u32> {
    for _ in 0..LOOKS {
        if let Some(pid) = look(local, directory) {
            return Ok(pid);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Err(Error::Missing(format!(
        "no process of this cloud is at {local}"
    )))
}

fn look(local: SocketAddr, directory: &Path) -> Option<u32> {
    let mut sockets = procfs::net::tcp().ok()?.into_iter();
    // A socket that was closed here is nobody's: its inode is 0.
    let socket = sockets.find(|it| it.local_address == local && it.inode != 0)?;
    let mut marked = warden::marked(directory).into_iter();
    marked.find(|pid| holds(*pid, socket.inode))
}

impl LocalCloud {
    /// Kills every process that runs this function, by a part of its name such as `drain-idle`; the invocation that one of
    /// them works for fails, the others start anew when they are needed.
    ///
    /// # Errors
    /// [`Error::Missing`] if no process runs it.
    pub fn kill_function(&self, name: &str) -> Result<Vec<u32>> {
        let mut processes = warden::marked(self.directory());
        processes.retain(|pid| function_of(*pid).is_some_and(|function| function.contains(name)));
        if processes.is_empty() {
            return Err(Error::Missing(format!("no process runs {name}")));
        }
        for process in &processes {
            warden::kill(*process);
        }
        Ok(processes)
    }
}

/// The name of the Lambda function that a process runs.
pub fn function_of(pid: u32) -> Option<String> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let environment = process.environ().ok()?;
    let name = environment.get(PathBuf::from("AWS_LAMBDA_FUNCTION_NAME").as_os_str())?;
    Some(name.to_string_lossy().into_owned())
}

fn holds(pid: u32, inode: u64) -> bool {
    let Some(process) = i32::try_from(pid)
        .ok()
        .and_then(|pid| Process::new(pid).ok())
    else {
        return false;
    };
    let open = process.fd().into_iter().flatten().flatten();
    open.into_iter()
        .any(|fd| matches!(fd.target, FDTarget::Socket(held) if held == inode))
}
