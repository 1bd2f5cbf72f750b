//! `ebbtide-local demo`: one blue/green deployment of a service at work, on a local cloud of its own.

use std::process::ExitCode;

use ebbtide_local_cloud::demo::{self, Arguments, Ended};
use ebbtide_local_cloud::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Runs it; Ctrl-C and SIGTERM end everything that it started.
pub(crate) async fn demo(arguments: Arguments) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| Error::Io {
        what: "cannot listen for signals".to_owned(),
        source,
    })?;
    let ended = tokio::select! {
        ended = demo::run(arguments) => ended?,
        _ = tokio::signal::ctrl_c() => return Ok(interrupted()),
        _ = terminate.recv() => return Ok(interrupted()),
    };
    Ok(match ended {
        Ended::AsExpected => ExitCode::SUCCESS,
        Ended::Unmet => ExitCode::FAILURE,
    })
}

fn interrupted() -> ExitCode {
    println!("\ninterrupted: everything that was started is ended");
    ExitCode::from(130)
}
