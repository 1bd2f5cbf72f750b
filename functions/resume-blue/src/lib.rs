//! The Lambda `resume-blue`: before a rollback's weights move back, opens blue's servers again under the new epoch.
//!
//! Observes through `ebbtide-sessions`, acts by `resume`, whose repeat changes nothing, and decides by
//! `ebbtide_rules::resume`, which counts as open only what was acknowledged here. It calls servers and nothing
//! else. What servers do wrong is data, until too few of them are open; it also fails when a newer deployment owns one.

use ebbtide_rules::document::{Act, Invocation, WrongAct};
use ebbtide_rules::report::{NewerEpoch, Reading, Reply};
use ebbtide_rules::resume::{ResumeRefused, Resumed, conclude, not_newer};
use ebbtide_rules::{Fence, Server};
use ebbtide_sessions::SessionClient;
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Opens blue once, or with the act `resumeAgain` those of its servers that have not opened. `clock` is read when the
/// servers have answered.
///
/// All are read before any is opened, so that a late rollback opens nothing under a newer deployment; those that could
/// not be read are asked all the same, because asking an open server changes nothing.
///
/// # Errors
/// When a server has taken a higher epoch, when fewer than the minimum are open, and when the document does not say whom
/// to open.
pub async fn handle(
    client: &SessionClient,
    clock: impl Fn() -> Timestamp,
    invocation: Invocation,
) -> Result<Resumed, Failed> {
    let document = &invocation.document;
    let fence = document.fence()?;
    let resumed = match invocation.act {
        Act::Resume => {
            let (servers, minimum) = (document.blue_servers()?, document.minimum_open()?);
            let minimum = usize::try_from(minimum).unwrap_or(usize::MAX);
            let readings = client.read(servers).await;
            NewerEpoch::refuse(&fence, readings.iter().filter_map(Reading::report))?;
            let answers = client.resume(&fence, servers).await;
            conclude(servers, &answers, minimum, &fence, clock())?
        }
        Act::ResumeAgain => again(client, document.unopened()?, &fence, &clock).await?,
        other => return Err(WrongAct(other).into()),
    };
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        open = resumed.open,
        waiting = resumed.waiting.len(),
        sealed = resumed.sealed.len(),
        reason = resumed.reason,
        "resumed"
    );
    Ok(resumed)
}

/// Asks those again that have not opened; the weights have moved already, so none has to.
///
/// Green is being emptied meanwhile, and the next deployment may have claimed and be draining these very servers: one
/// that has taken its epoch is its own by now, and no reason to stop.
async fn again(
    client: &SessionClient,
    servers: &[Server],
    fence: &Fence,
    clock: impl Fn() -> Timestamp,
) -> Result<Resumed, ResumeRefused> {
    let readings = client.read(servers).await;
    let servers = not_newer(servers, readings.iter().map(Reading::report), fence);
    let answers = client.resume(fence, &servers).await;
    let ours = not_newer(&servers, answers.iter().map(Reply::report), fence);
    let answers: Vec<Reply> = servers
        .iter()
        .zip(answers)
        .filter(|(server, _)| ours.contains(server))
        .map(|(_, answer)| answer)
        .collect();
    conclude(&ours, &answers, 0, fence, clock())
}
