//! A server's process is replaced behind EC2's back: by itself, started again, or by another instance's at its address.

use super::{Entry, Host, ServerProgram};
use crate::error::{Error, Result};
use crate::observation::Instance;

impl Host {
    /// Kills a server's process, if it runs, and starts it again with the same program and its state file, as a machine's
    /// supervisor does. Its sessions are gone, its epoch and its seal are not.
    ///
    /// # Errors
    /// [`Error::Missing`] if the instance never had a process here, or was terminated; [`Error::Program`] if it cannot be
    /// started.
    pub async fn restart(&self, instance: &str) -> Result<()> {
        self.replace(instance, instance).await
    }

    /// Kills a server's process, if it runs, and starts one at its address that calls itself `other`, with a state file of
    /// its own: the address was given to another instance while somebody still goes by an old list.
    ///
    /// # Errors
    /// As [`Host::restart`].
    pub async fn reuse_address(&self, instance: &str, other: &str) -> Result<()> {
        self.replace(instance, other).await
    }

    async fn replace(&self, instance: &str, named: &str) -> Result<()> {
        let gone = || Error::Missing(format!("{instance} has no server here"));
        let (at, program, starts) = {
            let mut servers = self.lock();
            let entry = servers.get_mut(instance).filter(|entry| !entry.killed);
            let entry = entry.ok_or_else(gone)?;
            entry.kill();
            (entry.instance.clone(), entry.program.clone(), entry.starts)
        };
        self.until_gone(&[instance.to_owned()]).await;
        self.start_named(&at, named, &program, starts + 1)
    }

    /// Starts a process for `instance` that calls itself `named`; its log's name counts the starts.
    pub(super) fn start_named(
        &self,
        instance: &Instance,
        named: &str,
        program: &ServerProgram,
        starts: u32,
    ) -> Result<()> {
        let log = match starts {
            1 => format!("server-{}", instance.id),
            _ => format!("server-{}-{starts}", instance.id),
        };
        let process = self.program(&log, instance, named, program)?.start()?;
        let pid = process.id().unwrap_or_default();
        tracing::info!(instance = instance.id, named, ip = %instance.ip, pid, "server started");
        let entry = Entry {
            instance: instance.clone(),
            program: program.clone(),
            starts,
            pid,
            process,
            killed: false,
        };
        self.lock().insert(instance.id.clone(), entry);
        Ok(())
    }
}
