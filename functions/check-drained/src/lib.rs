//! The Lambda `check-drained`: asks every retiring server what it holds and, after the bake, those with nothing in use
//! for their seal; says what is still being waited for.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::check`, acts by asking for seals, and confirms
//! by believing only what is acknowledged. It calls servers alone. What they do wrong is data (Unknown);
//! it fails only when a newer deployment owns a server, or when the drain's deadline is over.

use ebbtide_rules::check::{Check, Standing, conclude, standing, whom_to_seal};
use ebbtide_rules::document::{Act, Invocation, WrongAct};
use ebbtide_rules::report::{NewerEpoch, Reading, Reply};
use ebbtide_rules::wait::Stage;
use ebbtide_rules::{Fence, Server};
use ebbtide_sessions::SessionClient;
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Checks the retiring environment once. `clock` is read when the servers have answered.
///
/// # Errors
/// When a server has taken a higher epoch, when the deadline is over while a server has not sealed, and when the document
/// does not say what to check.
pub async fn handle(
    client: &SessionClient,
    clock: impl Fn() -> Timestamp,
    invocation: Invocation,
) -> Result<Check, Failed> {
    if invocation.act != Act::Check {
        return Err(WrongAct(invocation.act).into());
    }
    let fence = invocation.document.fence()?;
    let question = invocation.check(&fence)?;
    let servers = &question.retiring.servers;
    let readings = client.read(servers).await;
    NewerEpoch::refuse(&fence, readings.iter().filter_map(Reading::report))?;
    let now = clock();
    let seals = ask_for_seals(client, &fence, servers, &readings, question.stage(now)).await;
    let standings: Vec<(String, Standing)> = servers
        .iter()
        .zip(readings)
        .zip(seals)
        .map(|((server, reading), seal)| {
            let standing = standing(reading, seal, &fence);
            (server.instance.clone(), standing)
        })
        .collect();
    let check = conclude(&standings, &question, now)?;
    log(&fence, &check);
    Ok(check)
}

/// The answers of those that were asked, at their servers' places.
async fn ask_for_seals(
    client: &SessionClient,
    fence: &Fence,
    servers: &[Server],
    readings: &[Reading],
    stage: Stage,
) -> Vec<Option<Reply>> {
    let asked: Vec<bool> = readings
        .iter()
        .map(|reading| whom_to_seal(reading, stage))
        .collect();
    let whom: Vec<Server> = servers
        .iter()
        .zip(&asked)
        .filter(|(_, asked)| **asked)
        .map(|(server, _)| server.clone())
        .collect();
    let mut answers = client.seal(fence, &whom).await.into_iter();
    asked
        .into_iter()
        .map(|asked| if asked { answers.next() } else { None })
        .collect()
}

fn log(fence: &Fence, check: &Check) {
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        busy = check.counts.busy,
        idle = check.counts.idle,
        closed = check.counts.closed,
        servers = check.counts.servers,
        sealed = check.sealed.len(),
        gone = check.counts.gone,
        unknown = check.counts.unknown,
        oldest_busy_seconds = check.counts.oldest_busy_seconds,
        worst = ?check.counts.worst,
        unknown_servers = ?check.counts.unknown_servers,
        forecast = check.outlook.forecast.text,
        baking = check.outlook.baking,
        settled = check.outlook.settled,
        wait_seconds = check.outlook.wait_seconds,
        waiting_for = check.outlook.waiting_for,
        "checked"
    );
}
