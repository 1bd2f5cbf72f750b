//! One program, two processes: the helper, which systemd has started, and below it the one that listens.
//!
//! Owns what they share: the pair of sockets, by which the listening process is first told the configuration, so that both
//! have read the same; and that neither outlives the other.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::set_name;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use crate::channel::Channel;
use crate::config::{BadConfig, Config};
use crate::helper::Helper;
use crate::nft::Nft;
use crate::orders::{Orders, PATIENCE};
use crate::privileges::{self, NotDropped};
use crate::rules::Rules;

/// Why the two do not run.
#[derive(Debug, Error)]
pub enum NotSplit {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// Capabilities that stay.
    #[error(transparent)]
    Privileges(#[from] NotDropped),
    /// Started by somebody else.
    #[error("it is started by ebbtide-agent itself")]
    NoHelper,
    /// The system.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Is the helper of `listener`, a program that calls [`listener`], until that ends; its exit code is this process's. Not
/// within a runtime.
///
/// # Errors
/// When the listening process does not start, or the sockets fail.
pub fn helper(config: &Path, mut listener: Command) -> Result<ExitCode, NotSplit> {
    let text = Config::text(config)?;
    let config = Config::read(&text)?;
    let (own, other) = Channel::pair()?;
    let mut child = listener.stdin(OwnedFd::from(other)).spawn()?;
    // It has this process's copy of the other end.
    drop(listener);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    runtime.spawn(pass_on(Pid::from_child(&child)));
    own.send(&text)?;
    let rules = Rules::new(Nft::new(&config.nft), &config.table, &config.ports);
    let served = Helper::new(rules, config.idle.close).serve(&own);
    if let Err(error) = served {
        tracing::debug!(%error, "the listening process cannot be heard any more");
    }
    Ok(ended(&mut child)?)
}

/// It has closed its end, or might as well have: it is ending, or is made to.
fn ended(listener: &mut Child) -> io::Result<ExitCode> {
    listener.kill()?;
    let status = listener.wait()?;
    if !status.success() {
        tracing::error!(%status, "the listening process has ended");
    }
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whoever ends the helper means the agent: the listening process finishes its answers, and the helper stays until then.
async fn pass_on(listener: Pid) -> io::Result<()> {
    let (mut terminated, mut interrupted) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    loop {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        kill_process(listener, Signal::TERM)?;
    }
}

/// Becomes the listening process: without any capability, and killed when the helper ends. Called before there are threads.
///
/// # Errors
/// When a capability stays, or the helper is not there.
pub fn listener() -> Result<(Config, Orders), NotSplit> {
    privileges::drop_all()?;
    set_name(c"ebbtide-listen").map_err(io::Error::from)?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // Standard input stays, so the helper sees this end close when the process ends, and not before.
    let helper = Channel::from(io::stdin().as_fd().try_clone_to_owned()?);
    // One that has ended before that was said is gone here.
    let told = helper
        .receive(Some(PATIENCE))
        .map_err(|_| NotSplit::NoHelper)?;
    let text: String =
        serde_json::from_slice(&told.ok_or(NotSplit::NoHelper)?).map_err(io::Error::from)?;
    Ok((Config::read(&text)?, Orders::new(helper)))
}
