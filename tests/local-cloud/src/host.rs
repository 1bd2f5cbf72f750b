//! The host: one real server process per running instance, on that instance's loopback address.
//!
//! A process is started once, as on a machine of its own: one that dies by itself leaves an instance that runs and
//! answers nothing, unless somebody has it restarted. When EC2 no longer says `pending` or `running`, it is killed with SIGKILL.
//! Refuses to decide anything else: what runs and what is terminated is EC2's word, seen by [`crate::observation`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::Child;

use crate::error::{Error, Result};
use crate::faults::SessionFaults;
use crate::machines::Machine;
use crate::observation::Instance;
use crate::program::Program;
use crate::signing::SigningSecret;
use crate::warden::signal;

mod keeping;
mod replacing;
mod server_program;
pub(crate) use keeping::keep;
pub use server_program::{NewServer, ServerProgram};

/// How long a killed process may take to be gone: the kernel needs milliseconds.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// What every server process gets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cloud's private directory; the servers' state files, the peers file and their logs go below it.
    pub directory: PathBuf,
    /// Port of the public side, the same on every server.
    pub service_port: u16,
    /// Port on which every server listens for calls of its session endpoint.
    pub session_port: u16,
    /// What stands before the session endpoints, if anything does.
    pub proxies: Option<SessionFaults>,
    /// The tunnel server.
    pub tunnel_server: PathBuf,
    /// Of which secret every tunnel server has its keys.
    pub signing: Option<SigningSecret>,
    /// Arguments for every tunnel server besides those that say who and where it is.
    pub tunnel_arguments: Vec<String>,
    /// Runs the stand-in server.
    pub python: PathBuf,
    /// Where the stand-in server is.
    pub scripts: PathBuf,
    /// Where machines boot from.
    pub machines: PathBuf,
}

/// Runs the servers' processes.
#[derive(Debug)]
pub struct Host {
    settings: Settings,
    servers: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    instance: Instance,
    program: ServerProgram,
    /// How often a process was started for it.
    starts: u32,
    pid: u32,
    process: Child,
    killed: bool,
}

/// A server process, and the instance that it runs for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The instance's id.
    pub instance: String,
    /// The instance's address.
    pub ip: Ipv4Addr,
    /// The environment that the instance is tagged for.
    pub environment: Option<String>,
    /// The process's id; meaningful only while it runs.
    pub pid: u32,
    /// What became of the process.
    pub process: ProcessState,
}

/// What became of a server's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// Running is a process that has not ended; it may be stopped by a signal.
    Running,
    /// Died is one that ended while EC2 still had its instance running.
    Died,
    /// Ended is one whose instance was terminated.
    Ended,
}

impl Host {
    /// A host without servers. Writes an empty peers file, which servers expect to find.
    ///
    /// # Errors
    /// If the private directory cannot be written.
    pub fn new(settings: Settings) -> Result<Self> {
        let states = settings.directory.join("servers");
        std::fs::create_dir_all(&states).map_err(Error::io("cannot make", &states))?;
        let host = Self {
            settings,
            servers: Mutex::default(),
        };
        host.write_peers(&[])?;
        Ok(host)
    }

    /// The instances that run and have never had a process here.
    pub fn unknown<'a>(&self, instances: &'a [Instance]) -> Vec<&'a Instance> {
        let servers = self.lock();
        instances
            .iter()
            .filter(|instance| instance.is_up() && !servers.contains_key(&instance.id))
            .collect()
    }

    /// Starts the process of one instance.
    ///
    /// # Errors
    /// If it cannot be started; the instance then stays without one, and may be tried again.
    pub fn launch(&self, instance: &Instance, program: &ServerProgram) -> Result<()> {
        if let Some(proxies) = &self.settings.proxies {
            proxies.stand_before(&instance.id, instance.ip)?;
        }
        self.start_named(instance, &instance.id, program, 1)
    }

    /// Kills the processes of instances that EC2 no longer runs, waits until they are gone, and brings the peers file
    /// up to date.
    ///
    /// # Errors
    /// If the peers file cannot be written.
    pub async fn follow(&self, instances: &[Instance]) -> Result<()> {
        self.write_peers(instances)?;
        let ended: Vec<String> = {
            let mut servers = self.lock();
            let over = servers
                .iter_mut()
                .filter(|(id, entry)| !entry.killed && !is_alive(instances, id));
            over.map(|(id, entry)| {
                entry.killed = true;
                entry.kill();
                tracing::info!(
                    instance = id,
                    pid = entry.pid,
                    "instance terminated, server killed"
                );
                id.clone()
            })
            .collect()
        };
        for (id, entry) in self.lock().iter_mut() {
            if let Some(instance) = instances.iter().find(|instance| instance.id == *id) {
                entry.instance.tags.clone_from(&instance.tags);
            }
        }
        self.until_gone(&ended).await;
        if let Some(proxies) = &self.settings.proxies {
            for id in &ended {
                proxies.leave(id).await;
            }
        }
        Ok(())
    }

    /// Addresses are given out again: the next process at this one must find it free.
    async fn until_gone(&self, ids: &[String]) {
        let deadline = tokio::time::Instant::now() + KILL_LIMIT;
        while tokio::time::Instant::now() < deadline {
            let left = {
                let mut servers = self.lock();
                ids.iter()
                    .filter(|id| {
                        servers
                            .get_mut(*id)
                            .is_some_and(|entry| runs(&mut entry.process))
                    })
                    .count()
            };
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All servers ever started, in the order of their instances' ids.
    pub fn servers(&self) -> Vec<Server> {
        let mut servers = self.lock();
        servers.values_mut().map(Entry::server).collect()
    }

    /// SIGKILL for a server's process, behind EC2's back: the instance stays as it is. When this returns, nothing of the
    /// process runs any more.
    ///
    /// # Errors
    /// [`Error::Missing`] if the instance has no running process.
    pub fn kill(&self, instance: &str) -> Result<()> {
        self.signal(instance, Signal::KILL)
    }

    /// SIGSTOP: the process hangs; its connections stay open and nothing is answered from here on.
    ///
    /// # Errors
    /// [`Error::Missing`] if the instance has no running process.
    pub fn stop(&self, instance: &str) -> Result<()> {
        self.signal(instance, Signal::STOP)
    }

    /// SIGCONT: ends what [`Host::stop`] began.
    ///
    /// # Errors
    /// [`Error::Missing`] if the instance has no running process.
    pub fn resume(&self, instance: &str) -> Result<()> {
        self.signal(instance, Signal::CONT)
    }

    /// Kills every process.
    pub async fn end(&self) {
        let ids: Vec<String> = self.lock().keys().cloned().collect();
        for entry in self.lock().values_mut() {
            entry.killed = true;
            entry.kill();
        }
        self.until_gone(&ids).await;
    }

    fn signal(&self, instance: &str, which: Signal) -> Result<()> {
        let mut servers = self.lock();
        let running = servers
            .get_mut(instance)
            .is_some_and(|entry| runs(&mut entry.process) && signal_and_wait(entry.pid, which));
        running
            .then_some(())
            .ok_or_else(|| Error::Missing(format!("{instance} has no running server process")))
    }

    /// Written as a whole and renamed into place: a server may read it at any moment.
    fn write_peers(&self, instances: &[Instance]) -> Result<()> {
        let up = instances.iter().filter(|instance| instance.is_up());
        let peers: String = up
            .map(|instance| format!("{}:{}\n", instance.ip, self.settings.session_port))
            .collect();
        let path = self.peers();
        if std::fs::read_to_string(&path).is_ok_and(|written| written == peers) {
            return Ok(());
        }
        let new = path.with_extension("new");
        std::fs::write(&new, peers).map_err(Error::io("cannot write", &new))?;
        std::fs::rename(&new, &path).map_err(Error::io("cannot replace", &path))
    }

    fn peers(&self) -> PathBuf {
        self.settings.directory.join("peers")
    }

    /// The arguments that give a server its keys, which are in a file by now.
    fn keys(&self, named: &str) -> Vec<OsString> {
        let Some(signing) = &self.settings.signing else {
            return Vec::new();
        };
        let servers = self.settings.directory.join("servers");
        let file = servers.join(format!("{named}.keys"));
        // A server without the file says so itself, in its log.
        if let Err(error) = std::fs::write(&file, signing.written_keys_of(named).join("\n")) {
            tracing::error!(%error, "no keys for {named}");
        }
        vec!["--keys".into(), file.into()]
    }

    fn program(
        &self,
        log: &str,
        instance: &Instance,
        named: &str,
        program: &ServerProgram,
    ) -> Result<Program> {
        let settings = &self.settings;
        let new = |executable: &Path| Program::new(log, executable, &settings.directory);
        let listen = format!("{}:{}", instance.ip, settings.service_port);
        let sessions = format!("{}:{}", instance.ip, settings.session_port);
        Ok(match program {
            ServerProgram::Tunnel(arguments) => new(&settings.tunnel_server)
                .args([
                    "--instance",
                    named,
                    "--listen",
                    &listen,
                    "--sessions",
                    &sessions,
                    "--state",
                ])
                .arg(settings.directory.join("servers").join(named))
                .arg("--peers")
                .arg(self.peers())
                .args(self.keys(named))
                .args(&settings.tunnel_arguments)
                .args(arguments),
            ServerProgram::StandIn(arguments) => new(&settings.python)
                .arg(settings.scripts.join("stand_in_server.py"))
                .args(["--listen", &listen, "--sessions", &sessions])
                .args(arguments),
            ServerProgram::Command(executable, arguments) => new(executable).args(arguments),
            ServerProgram::Machine(user_data) => {
                return self.machine(instance).program(log, user_data);
            }
        })
    }

    fn machine<'a>(&'a self, instance: &'a Instance) -> Machine<'a> {
        let settings = &self.settings;
        Machine {
            cloud: &settings.directory,
            own: settings.directory.join("servers").join(&instance.id),
            instance: &instance.id,
            ip: instance.ip,
            ports: (settings.service_port, settings.session_port),
            machines: &settings.machines,
            programs: settings.tunnel_server.parent().unwrap_or(Path::new("")),
        }
    }

    /// A panic elsewhere leaves the map itself whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// With all that it has started: a machine has several processes.
    fn kill(&mut self) {
        let group = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if runs(&mut self.process)
            && let Some(group) = group
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn server(&mut self) -> Server {
        let process = match (runs(&mut self.process), self.killed) {
            (_, true) => ProcessState::Ended,
            (true, false) => ProcessState::Running,
            (false, false) => ProcessState::Died,
        };
        Server {
            instance: self.instance.id.clone(),
            ip: self.instance.ip,
            environment: self.instance.environment().map(ToOwned::to_owned),
            pid: self.pid,
            process,
        }
    }
}

fn is_alive(instances: &[Instance], id: &str) -> bool {
    let instance = instances.iter().find(|instance| instance.id == id);
    instance.is_some_and(|instance| matches!(instance.state.as_str(), "pending" | "running"))
}

/// Sends a signal and waits until the kernel says that it has taken effect: `kill` returns earlier than that, and a
/// process of several threads still answers on those that have not come to it.
fn signal_and_wait(process: u32, which: Signal) -> bool {
    let effect = match which {
        Signal::STOP => WaitIdOptions::STOPPED | WaitIdOptions::EXITED,
        Signal::KILL => WaitIdOptions::EXITED,
        _ => return signal(process, which),
    };
    // NOWAIT leaves the state for tokio, which reaps the process.
    let child = i32::try_from(process).ok().and_then(Pid::from_raw);
    signal(process, which)
        && child.is_some_and(|pid| waitid(WaitId::Pid(pid), effect | WaitIdOptions::NOWAIT).is_ok())
}

fn runs(process: &mut Child) -> bool {
    matches!(process.try_wait(), Ok(None))
}

#[cfg(test)]
mod tests;
