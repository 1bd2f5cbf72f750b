//! Who holds a connection: the process and its descriptor, and a duplicate of it.
//!
//! Reads every process's descriptor table, so it needs no name of the server and finds workers too. Needs CAP_SYS_PTRACE and
//! CAP_DAC_READ_SEARCH for another user's processes, and Linux 5.6. What it duplicates is checked: a descriptor may have been
//! closed and used again meanwhile.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::fstat;
use rustix::process::{ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// Where each socket was when the tables were read.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    places: HashMap<u32, (i32, ForeignRawFd)>,
    /// Processes whose table could not be read.
    hidden: usize,
}

impl Holders {
    /// A duplicate of the socket with this inode.
    ///
    /// # Errors
    /// When nobody who can be seen holds it, or it cannot be duplicated.
    pub(crate) fn duplicate(&mut self, inode: u32) -> io::Result<OwnedFd> {
        if let Some(socket) = self.known(inode) {
            return Ok(socket);
        }
        self.read()?;
        self.known(inode).ok_or_else(|| {
            io::Error::other(format!(
                "no process holds socket {inode}; {} processes could not be looked into (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)",
                self.hidden
            ))
        })
    }

    fn known(&self, inode: u32) -> Option<OwnedFd> {
        let (process, descriptor) = *self.places.get(&inode)?;
        let process = pidfd_open(Pid::from_raw(process)?, PidfdFlags::empty()).ok()?;
        let socket = pidfd_getfd(process, descriptor, PidfdGetfdFlags::empty()).ok()?;
        (fstat(&socket).ok()?.st_ino == u64::from(inode)).then_some(socket)
    }

    fn read(&mut self) -> io::Result<()> {
        *self = Self::default();
        for process in fs::read_dir("/proc")?.flatten() {
            let Some(number) = process
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            match fs::read_dir(process.path().join("fd")) {
                Ok(table) => self.note(number, table),
                // It has ended.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => self.hidden += 1,
            }
        }
        Ok(())
    }

    fn note(&mut self, process: i32, table: fs::ReadDir) {
        for descriptor in table.flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else {
                continue;
            };
            let inode = target.to_str().and_then(|target| {
                target
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .parse()
                    .ok()
            });
            let number = descriptor
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let (Some(inode), Some(number)) = (inode, number) {
                self.places.insert(inode, (process, number));
            }
        }
    }
}
