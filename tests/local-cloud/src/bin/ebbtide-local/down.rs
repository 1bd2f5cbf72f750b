//! `ebbtide-local down`: ends the kept cloud and whatever is left of it.

use std::process::ExitCode;
use std::time::Duration;

use ebbtide_local_cloud::kept::{Hold, Kept};
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_local_cloud::{Result, places, warden};

const POLITE_LIMIT: Duration = Duration::from_secs(20);
const KILL_LIMIT: Duration = Duration::from_secs(5);

pub(crate) async fn down() -> Result<ExitCode> {
    let kept = Kept::of(&places::repository()?)?;
    if let Some(hold) = kept.hold()? {
        let left = kept.clean(&hold);
        println!(
            "The local cloud is not up{}.",
            if left {
                "; what a crash had left is gone"
            } else {
                ""
            }
        );
        return Ok(ExitCode::SUCCESS);
    }
    end(&kept).await?;
    println!("The local cloud is gone.");
    Ok(ExitCode::SUCCESS)
}

/// Asks the holder to end, and kills it if it does not.
pub(crate) async fn end(kept: &Kept) -> Result<()> {
    if let Some(pid) = kept.pid() {
        warden::ask_to_end(pid);
    }
    let hold = match freed(kept, POLITE_LIMIT).await {
        Ok(hold) => hold,
        Err(_) => {
            // The lock is still held, so the id is still its holder's.
            if let Some(pid) = kept.pid() {
                warden::kill(pid);
            }
            freed(kept, KILL_LIMIT).await?
        }
    };
    kept.clean(&hold);
    Ok(())
}

async fn freed(kept: &Kept, limit: Duration) -> Result<Hold> {
    until("the local cloud to end", limit, || async {
        Ok(match kept.hold()? {
            Some(hold) => Seen::Done(hold),
            None => Seen::NotYet(format!("process {:?} holds it", kept.pid())),
        })
    })
    .await
}
