//! Who is at the other end of a connection on this machine: the process, and the Lambda function that it runs.
//!
//! Goes by the kernel's tables of sockets (proc(5)), so that whoever is killed is the one that made the call, and only
//! among the processes of one cloud.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use procfs::process::{FDTarget, Process};

use crate::error::{Error, Result};
use crate::warden;

/// The process that holds the socket at `local`, among those of the cloud whose private directory is `directory`.
///
/// # Errors
/// [`Error::Missing`] if there is none: it ended, or it hung up.
pub(super) fn process_at(local: SocketAddr, directory: &Path) -> Result<u32> {
    let none = || Error::Missing(format!("no process of this cloud is at {local}"));
    let sockets = procfs::net::tcp().map_err(|error| Error::Missing(error.to_string()))?;
    let socket = sockets
        .into_iter()
        .find(|socket| socket.local_address == local)
        .ok_or_else(none)?;
    let marked = warden::marked(directory).into_iter();
    marked
        .filter(|pid| *pid != std::process::id())
        .find(|pid| holds(*pid, socket.inode))
        .ok_or_else(none)
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
