//! A measurement on a local cloud of its own, which is gone afterwards whatever happens.

use std::process::ExitCode;
use std::time::Duration;

use ebbtide_local_cloud::{Error, LocalCloud, Options, Progress, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Starts a cloud, measures on it, and lets `tell` judge. Ends early at Ctrl-C or SIGTERM.
///
/// # Errors
/// If the cloud does not start, the measurement fails, or both take longer than `longest`.
pub(crate) async fn on_a_cloud<T>(
    longest: Duration,
    measure: impl AsyncFnOnce(&LocalCloud) -> Result<T>,
    tell: impl FnOnce(T) -> ExitCode,
) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| Error::Io {
        what: "cannot listen for signals".to_owned(),
        source,
    })?;
    let options = Options {
        // Thousands of pings would be most of the work.
        tunnel_arguments: vec!["--ping-every".to_owned(), "5m".to_owned()],
        progress: Progress::new(|line| println!("{line}")),
        ..Options::default()
    };
    let measuring = async {
        let cloud = Box::pin(LocalCloud::start(options)).await?;
        let measured = measure(&cloud).await;
        cloud.stop().await;
        measured
    };
    tokio::select! {
        measured = tokio::time::timeout(longest, measuring) => match measured {
            Ok(measured) => measured.map(tell),
            Err(_) => Err(Error::TimedOut {
                what: "the measurement to end".to_owned(),
                waited: longest,
                last: "it had not".to_owned(),
            }),
        },
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
    }
}
