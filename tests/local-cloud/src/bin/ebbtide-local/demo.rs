//! `ebbtide-local demo`: one blue/green deployment of a service at work, on a local cloud of its own.

use std::process::ExitCode;

use ebbtide_local_cloud::demo::{self, Arguments, Ended};
use ebbtide_local_cloud::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs it; Ctrl-C and SIGTERM end everything that it started.
pub(crate) async fn demo(arguments: Arguments) -> Result<ExitCode> {
    if let Some(machines) = arguments.server.machines() {
        machines.enter()?;
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| Error::Io {
        what: "cannot listen for signals".to_owned(),
        source,
    })?;
    let interrupt = CancellationToken::new();
    let asked = interrupt.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => (),
            _ = terminate.recv() => (),
        }
        asked.cancel();
    });
    Ok(match demo::run(arguments, interrupt).await? {
        Ended::AsExpected => ExitCode::SUCCESS,
        Ended::Unmet => ExitCode::FAILURE,
        Ended::Interrupted => {
            println!("\ninterrupted: everything that was started is gone");
            ExitCode::from(130)
        }
    })
}
