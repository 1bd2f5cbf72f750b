//! The Lambda `check-drained`: asks every retiring server what it holds and, after the bake, those with nothing in use
//! for their seal; says what is still being waited for.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::check`, acts by asking for seals, and confirms
//! by believing only what is acknowledged. It calls servers, and until the bake is over the service where its users reach it. What servers do wrong is data (Unknown);
//! it fails only when a newer deployment owns a server, or when the drain's deadline is over.

use std::time::Duration;

use ebbtide_rules::check::{Check, Question, Standing, conclude, standing, whom_to_seal};
use ebbtide_rules::document::{Act, Invocation, WrongAct};
use ebbtide_rules::green_test::Finding;
use ebbtide_rules::report::{NewerEpoch, Reading, Reply};
use ebbtide_rules::wait::Stage;
use ebbtide_rules::{Fence, Server};
use ebbtide_sessions::SessionClient;
use jiff::Timestamp;
use tokio::time::Instant;

pub use ebbtide_runtime::Failed;

/// By when the checks through the load balancer have to be over: the function has 60 s, and what it says has to be said.
const WITHIN: Duration = Duration::from_secs(50);

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
    let until = Instant::now() + WITHIN;
    let (readings, service) = tokio::join!(
        client.read(servers),
        ask_service(client, &fence, &invocation, until)
    );
    NewerEpoch::refuse(&fence, readings.iter().filter_map(Reading::report))?;
    let question = Question {
        service: service.as_ref(),
        ..question
    };
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

/// The user's checks through the load balancer, beside the servers' reports: both take their time, and while the service is
/// asked nobody is asked to seal.
async fn ask_service(
    client: &SessionClient,
    fence: &Fence,
    invocation: &Invocation,
    until: Instant,
) -> Option<Finding> {
    let (pages, url) = invocation.service_to_ask()?;
    // Who waits for it need not carry the buffers of calls and sockets along.
    let asking = Box::pin(client.service(url, &fence.deployment, pages, until));
    Some(asking.await)
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
        service = ?check.service,
        "checked"
    );
}
