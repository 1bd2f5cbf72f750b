//! The process in the background that holds the kept cloud, until it is told to end.

use std::process::ExitCode;

use ebbtide_local_cloud::kept::{CloudFile, Hold, Kept};
use ebbtide_local_cloud::{Error, LocalCloud, Options, Progress, Result, places};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Starts the cloud, writes `cloud.json`, and ends the cloud at SIGTERM or SIGINT. Its terminal may close before.
pub(crate) async fn serve() -> Result<ExitCode> {
    let kept = Kept::of(&places::repository()?)?;
    let Some(hold) = kept.hold()? else {
        return Err(Error::Input(
            "another process holds the local cloud".to_owned(),
        ));
    };
    kept.write_pid(&hold)?;
    let mut ends = [
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    ];
    let _hangup = listen(SignalKind::hangup())?;
    let served = keep(&kept, &hold, &mut ends).await;
    kept.clean(&hold);
    served.map(|()| ExitCode::SUCCESS)
}

async fn keep(kept: &Kept, hold: &Hold, ends: &mut [Signal; 2]) -> Result<()> {
    let options = Options {
        directory: Some(kept.directory().to_owned()),
        // `up` reads this as it comes.
        progress: Progress::new(|line| println!("{line}")),
        ..Options::default()
    };
    let cloud = tokio::select! {
        cloud = LocalCloud::start(options) => cloud?,
        () = end(ends) => return Ok(()),
    };
    kept.write(&CloudFile::of(&cloud)?, hold)?;
    end(ends).await;
    cloud.stop().await;
    Ok(())
}

async fn end([one, other]: &mut [Signal; 2]) {
    tokio::select! {
        _ = one.recv() => (),
        _ = other.recv() => (),
    }
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|source| Error::Io {
        what: "cannot listen for signals".to_owned(),
        source,
    })
}
