//! `ebbtide-agent check`: what the agent can guarantee on this machine, and what it cannot, in plain words.
//!
//! Tries everything for real and changes nothing: its rules go into a table of their own, with nothing in their sets.

use std::fmt;
use std::path::Path;

use rustix::fs::{Access, access};
use tokio::task::block_in_place;

use crate::barrier;
use crate::config::{Config, Instance};
use crate::health::Health;
use crate::holders::Holders;
use crate::hook::Hook;
use crate::nft::Nft;
use crate::rules::{Begin, Rules};
use crate::serve::instance;
use crate::sockets::{Detail, connections, listeners};

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is for.
    pub what: &'static str,
    /// What was found, or why it cannot be done.
    pub found: Result<String, String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Ok(found) => write!(out, "yes  {}: {found}", self.what),
            Err(why) => write!(out, "NO   {}: {why}", self.what),
        }
    }
}

/// Tries everything that this configuration needs. Within a runtime of several threads.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding {
        what: "know this instance",
        found: who(config).await,
    }];
    findings.extend(block_in_place(|| kernel(config)));
    if config.health.is_some() {
        let health =
            Health::new(&config.ports, config.health.clone()).map_err(|error| error.to_string());
        let found = match health {
            Ok(health) => health
                .unhealthy()
                .await
                .map_or(Ok("it is healthy".into()), Err),
            Err(error) => Err(error),
        };
        findings.push(Finding {
            what: "ask the server's own check",
            found,
        });
    }
    findings
}

async fn who(config: &Config) -> Result<String, String> {
    let id = instance(&config.instance)
        .await
        .map_err(|error| error.to_string())?;
    let how = match &config.instance {
        Instance::Metadata => "from the metadata service",
        Instance::File(_) => "from its file",
        Instance::Id(_) => "from the configuration: it must not be copied to another instance",
    };
    Ok(format!("{id}, {how}"))
}

fn kernel(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        Finding {
            what: "keep epoch and seal",
            found: kept(&config.state_file),
        },
        Finding {
            what: "see the server",
            found: heard(config),
        },
        Finding {
            what: "count its connections",
            found: counted(config),
        },
        Finding {
            what: "refuse and seal",
            found: ruled(config),
        },
        Finding {
            what: "be certain of a seal",
            found: barred(),
        },
    ];
    let closing = if config.idle.close {
        reached(config)
    } else {
        Ok(
            "never: closeIdle is false, so nobody is closed, and no other process is looked into"
                .into(),
        )
    };
    if let Some(busy) = config.busy.clone() {
        let said = Hook::new(busy)
            .map_err(|error| error.to_string())
            .and_then(|hook| hook.in_use());
        let found = said.map(|in_use| format!("{in_use} now"));
        findings.push(Finding {
            what: "ask the server what is in use",
            found,
        });
    }
    findings.push(Finding {
        what: "close idle sessions",
        found: closing,
    });
    findings
}

fn kept(file: &Path) -> Result<String, String> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    access(directory, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(format!(
        "{}; it has to be on a disk that survives a reboot",
        file.display()
    ))
}

fn heard(config: &Config) -> Result<String, String> {
    let mut deaf = Vec::new();
    for port in &config.ports {
        if listeners(*port)
            .map_err(|error| error.to_string())?
            .is_empty()
        {
            deaf.push(port);
        }
    }
    match deaf.as_slice() {
        [] => Ok(format!("somebody listens on {:?}", config.ports)),
        deaf => Err(format!(
            "nobody listens on {deaf:?} in this network namespace: start the server; in a container the agent belongs into the same network namespace"
        )),
    }
}

fn counted(config: &Config) -> Result<String, String> {
    let begun = std::time::Instant::now();
    let held = connections(&config.ports, Detail::Traffic).map_err(|error| error.to_string())?;
    Ok(format!(
        "{} now, in {} ms",
        held.len(),
        begun.elapsed().as_millis()
    ))
}

/// The rules in a table of their own, and gone again.
fn ruled(config: &Config) -> Result<String, String> {
    let rules = Rules::new(
        Nft::new(&config.nft),
        &format!("{}_check", config.table),
        &config.ports,
    );
    let tried = rules
        .install(Begin::Accepting)
        .map_err(|error| format!("{error}; the agent needs CAP_NET_ADMIN"));
    let gone = rules.remove().map_err(|error| error.to_string());
    tried.and(gone)?;
    Ok("nftables takes the rules; they see what comes in to this network namespace, not what is forwarded to a container".into())
}

fn barred() -> Result<String, String> {
    if !barrier::is_offered() {
        return Err("this kernel offers no membarrier (nohz_full processors): no seal would be certain, and the agent does not run".into());
    }
    let begun = std::time::Instant::now();
    barrier::barrier().map_err(|error| error.to_string())?;
    Ok(format!(
        "the barrier between rule and count takes {} ms",
        begun.elapsed().as_millis()
    ))
}

/// A listening socket stands for the sessions: whoever can be looked into for one can be for the others.
fn reached(config: &Config) -> Result<String, String> {
    let mut holders = Holders::default();
    for port in &config.ports {
        let inodes = listeners(*port).map_err(|error| error.to_string())?;
        if inodes.is_empty() {
            return Err(format!("nobody listens on {port}"));
        }
        for inode in inodes {
            holders
                .duplicate(inode)
                .map_err(|error| error.to_string())?;
        }
    }
    Ok("the server's sockets can be reached; it has to close a session when its input ends".into())
}
