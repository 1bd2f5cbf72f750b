//! Machines: instances in a network namespace each, that run their user data as EC2 does.
//!
//! Owns what such a cloud needs of this machine: a network namespace of its own, so that addresses, routes and rules end with
//! the run, and the programs of the servers. Nothing is changed outside of that namespace.

use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

use crate::error::{Error, Result};
use crate::program::Program;

/// Set for a process that runs in the namespace.
const INSIDE: &str = "EBBTIDE_NAMESPACE";

/// Where Debian has what only root is meant to call.
const SBIN: &str = "/usr/sbin:/sbin";

/// The address by which every machine reaches what is outside of it: the first one of the VPC 10.0.0.0/16.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// What the machines of a cloud run, by the name of a server that Debian ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machines {
    /// Their user data, without the part that every machine with an agent begins with.
    user_data: &'static str,
    /// The programs that it calls.
    programs: &'static [&'static str],
    /// Debian's packages that have them.
    packages: &'static str,
}

/// With mosquitto: an MQTT broker, one process.
pub const MOSQUITTO: Machines = Machines {
    user_data: include_str!("../machines/mosquitto.sh"),
    programs: &["mosquitto", "nft", "ip"],
    packages: "mosquitto nftables iproute2",
};

/// With nginx before mosquitto: a proxy with workers.
pub const NGINX: Machines = Machines {
    user_data: include_str!("../machines/nginx.sh"),
    programs: &["nginx", "mosquitto", "nft", "ip"],
    packages: "nginx-light libnginx-mod-stream mosquitto nftables iproute2",
};

impl Machines {
    /// The whole user data, as the launch template has it.
    pub(crate) fn user_data(&self) -> String {
        let agent = include_str!("../machines/agent.sh");
        self.user_data.replace("@agent@\n", agent)
    }

    /// Goes on only in a network namespace that this run has made: elsewhere the process is replaced by itself below
    /// `unshare`, with the same arguments.
    ///
    /// # Errors
    /// [`Error::Missing`] for programs of the servers, and where namespaces are forbidden.
    pub fn enter(&self) -> Result<()> {
        self.find_programs()?;
        if std::env::var_os(INSIDE).is_some() {
            return up();
        }
        let this = std::env::current_exe()
            .map_err(Error::io("cannot find", Path::new("the running program")))?;
        let flags = if geteuid().is_root() { "-n" } else { "-Urn" };
        let failed = Command::new("unshare")
            .arg(flags)
            .arg(this)
            .args(std::env::args_os().skip(1))
            .env(INSIDE, "1")
            .exec();
        Err(Error::Missing(format!("unshare does not run: {failed}")))
    }

    fn find_programs(&self) -> Result<()> {
        let path = std::env::var("PATH").unwrap_or_default();
        let found = |program: &&&str| {
            let mut places = path.split(':').chain(SBIN.split(':'));
            places.any(|place| Path::new(place).join(program).is_file())
        };
        let missing: Vec<&str> = self
            .programs
            .iter()
            .filter(|it| !found(it))
            .copied()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::Missing(format!(
            "{} missing: apt-get install {}",
            missing.join(" and "),
            self.packages
        )))
    }
}

fn up() -> Result<()> {
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .env("PATH", with_sbin())
        .status();
    if up.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let why = "the network namespace cannot be set up: this machine forbids it; run it as root, or allow user namespaces";
    Err(Error::Missing(why.to_owned()))
}

fn with_sbin() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:{SBIN}")
}

/// A machine that is about to boot.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    /// The cloud's private directory, and the machine's own in it.
    pub(crate) cloud: &'a Path,
    pub(crate) own: PathBuf,
    pub(crate) instance: &'a str,
    pub(crate) ip: Ipv4Addr,
    pub(crate) ports: (u16, u16),
    /// Where `boot.sh` is.
    pub(crate) machines: &'a Path,
    /// Where the agent is.
    pub(crate) programs: &'a Path,
}

impl Machine<'_> {
    /// The program that is the machine; whoever kills its group ends it.
    pub(crate) fn program(&self, log: &str, user_data: &str) -> Result<Program> {
        std::fs::create_dir_all(&self.own).map_err(Error::io("cannot make", &self.own))?;
        let script = self.own.join("user-data");
        std::fs::write(&script, user_data).map_err(Error::io("cannot write", &script))?;
        let (service, session) = self.ports;
        // An interface's name has at most 15 characters, and the end of an instance's id is as good as all of it.
        let end = self.instance.len().saturating_sub(12);
        let link = format!("vm{}", &self.instance[end..]);
        Ok(Program::new(log, "unshare", self.cloud)
            .args(["--net", "bash"])
            .arg(self.machines.join("boot.sh"))
            .args([link, self.ip.to_string(), GATEWAY.to_string()])
            .arg(std::process::id().to_string())
            .arg(script)
            .env(
                "PATH",
                format!("{}:{}", self.programs.display(), with_sbin()),
            )
            .env("INSTANCE", self.instance)
            .env("SERVICE_PORT", service.to_string())
            .env("SESSION_PORT", session.to_string())
            .current_dir(&self.own))
    }
}
