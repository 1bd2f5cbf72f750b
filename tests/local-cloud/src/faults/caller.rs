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

/// A connection to a proxy. Only both ends name it: a machine with many connections uses one port of its own towards several
/// addresses at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connection {
    /// The caller's address.
    pub(super) from: SocketAddr,
    /// The proxy's.
    pub(super) to: SocketAddr,
}

/// The process that holds the caller's end, among those of the cloud whose private directory is `directory`.
///
/// # Errors
/// [`Error::Missing`] if there is none: it ended, or it hung up.
pub(super) async fn process_at(connection: Connection, directory: &Path) -> Result<u32> {
    for _ in 0..LOOKS {
        if let Some(pid) = look(connection, directory) {
            return Ok(pid);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let from = connection.from;
    Err(Error::Missing(format!(
        "no process of this cloud is at {from}"
    )))
}

fn look(connection: Connection, directory: &Path) -> Option<u32> {
    let inode = callers_socket(connection)?;
    let mut marked = warden::marked(directory).into_iter();
    marked.find(|pid| holds(*pid, inode))
}

fn callers_socket(connection: Connection) -> Option<u64> {
    let mut sockets = procfs::net::tcp().ok()?.into_iter();
    // A socket that was closed here is nobody's: its inode is 0.
    let socket = sockets.find(|it| {
        let ends = (it.local_address, it.remote_address);
        ends == (connection.from, connection.to) && it.inode != 0
    });
    Some(socket?.inode)
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// A connection from this address, which others may have as well.
    fn connect(from: SocketAddr, to: SocketAddr) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&from.into()).unwrap();
        socket.connect(&to.into()).unwrap();
        socket.into()
    }

    fn inode(stream: &TcpStream) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
        let digits = link
            .to_string_lossy()
            .chars()
            .filter(char::is_ascii_digit)
            .collect::<String>();
        digits.parse().unwrap()
    }

    #[test]
    fn a_port_that_two_callers_have_is_told_apart_by_whom_they_call() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [one, other] = listeners.each_ref().map(|it| it.local_addr().unwrap());
        let first = connect("127.0.0.1:0".parse().unwrap(), one);
        let from = first.local_addr().unwrap();
        let second = connect(from, other);
        assert_eq!(second.local_addr().unwrap(), from);
        for (to, stream) in [(one, &first), (other, &second)] {
            assert_eq!(callers_socket(Connection { from, to }), Some(inode(stream)));
        }
    }
}
