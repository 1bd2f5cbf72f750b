//! The Lambda `resume-blue`: before a rollback's weights move back, opens blue's servers again under the new epoch.
//!
//! Observes through `ebbtide-sessions`, acts by `resume`, whose repeat changes nothing, and decides by
//! `ebbtide_rules::resume`, which counts as open only what was acknowledged here. It calls servers and nothing
//! else. What servers do wrong is data, until too few of them are open; it also fails when a newer deployment owns one.

use ebbtide_rules::report::{NewerEpoch, Reading};
use ebbtide_rules::resume::{ResumeRefused, Resumed, conclude};
use ebbtide_rules::{ErrorName, Fence, Server};
use ebbtide_runtime::Failure;
use ebbtide_sessions::SessionClient;
use jiff::Timestamp;
use serde::Deserialize;

/// What the state machine passes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks: the epoch is the rollback's.
    pub fence: Fence,
    /// Blue's servers.
    pub servers: Vec<Server>,
    /// How many of them have to be open; 0 when the weights have moved already.
    pub minimum: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ResumeBlueError(#[from] ResumeRefused);

impl From<NewerEpoch> for ResumeBlueError {
    fn from(newer: NewerEpoch) -> Self {
        Self(newer.into())
    }
}

impl Failure for ResumeBlueError {
    fn name(&self) -> ErrorName {
        match self.0 {
            ResumeRefused::NewerEpoch(_) => ErrorName::Superseded,
            ResumeRefused::BlueNotOpen(_) => ErrorName::BlueNotOpen,
        }
    }
}

/// Opens blue once. `clock` is read when the servers have answered.
///
/// All are read before any is opened, so that a late rollback opens nothing under a newer deployment; those that could
/// not be read are asked all the same, because asking an open server changes nothing.
///
/// # Errors
/// When a server has taken a higher epoch, and when fewer than the minimum are open.
pub async fn resume_blue(
    client: &SessionClient,
    clock: impl Fn() -> Timestamp,
    payload: Payload,
) -> Result<Resumed, ResumeBlueError> {
    let Payload {
        fence,
        servers,
        minimum,
    } = payload;
    let readings = client.read(&servers).await;
    NewerEpoch::refuse(&fence, readings.iter().filter_map(Reading::report))?;
    let answers = client.resume(&fence, &servers).await;
    let resumed = conclude(&servers, &answers, minimum, &fence, clock())?;
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
