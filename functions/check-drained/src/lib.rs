//! The Lambda `check-drained`: asks every retiring server what it holds and, after the bake, those with nothing in use
//! for their seal; says what is still being waited for.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::check`, acts by asking for seals, and confirms
//! by believing only what is acknowledged. It calls servers and nothing else. What servers do wrong is data (Unknown);
//! it fails only when a newer deployment owns a server, or when the drain's deadline is over.

use ebbtide_rules::check::{
    Check, CheckRefused, Deadline, Question, Refused, Standing, conclude, standing, whom_to_seal,
};
use ebbtide_rules::report::{Answer, NewerEpoch, Reading};
use ebbtide_rules::wait::Phase;
use ebbtide_rules::{ErrorName, Fence, Retiring, Server};
use ebbtide_runtime::Failure;
use ebbtide_sessions::SessionClient;
use jiff::Timestamp;
use serde::Deserialize;

/// What the state machine passes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks.
    pub fence: Fence,
    /// The retiring environment, as just listed.
    pub retiring: Retiring,
    /// When the bake ends; null in a step of traffic.
    #[serde(default)]
    pub baked_at: Option<Timestamp>,
    /// When the load balancer stops sending new sessions; null in a step of traffic.
    #[serde(default)]
    pub settled_at: Option<Timestamp>,
    /// When the drain has to be over; null in a step of traffic.
    #[serde(default)]
    pub deadline_at: Option<Timestamp>,
    /// When this step of traffic ends; null when it is none.
    #[serde(default)]
    pub step_ends_at: Option<Timestamp>,
    /// When it began.
    #[serde(default)]
    pub step_began_at: Option<Timestamp>,
    /// Whether the record says that the bake has ended. Demanded: a drain that is not told would wait for ever.
    pub may_seal: bool,
    /// Seconds from the switch to the deadline: what a redrive grants once more.
    pub deadline_seconds: u64,
    /// The longest wait between passes while baking.
    pub poll_seconds: u64,
    /// How often the execution was redriven.
    #[serde(default)]
    pub redrive_count: u64,
    /// The check before this one.
    #[serde(default)]
    pub previous: Option<Check>,
    /// What the last TerminateBlue would not end.
    #[serde(default)]
    pub refused: Vec<Refused>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CheckDrainedError(#[from] CheckRefused);

impl From<NewerEpoch> for CheckDrainedError {
    fn from(newer: NewerEpoch) -> Self {
        Self(newer.into())
    }
}

impl Failure for CheckDrainedError {
    fn name(&self) -> ErrorName {
        match self.0 {
            CheckRefused::NewerEpoch(_) => ErrorName::Superseded,
            CheckRefused::DeadlineExceeded(_) => ErrorName::DrainDeadlineExceeded,
        }
    }
}

/// Checks the retiring environment once. `clock` is read when the servers have answered.
///
/// # Errors
/// When a server has taken a higher epoch, and when the deadline is over while a server has not sealed.
pub async fn check_drained(
    client: &SessionClient,
    clock: impl Fn() -> Timestamp,
    payload: Payload,
) -> Result<Check, CheckDrainedError> {
    let servers = &payload.retiring.servers;
    let readings = client.read(servers).await;
    NewerEpoch::refuse(&payload.fence, readings.iter().filter_map(Reading::report))?;
    let now = clock();
    let phase = question(&payload).phase(now);
    let seals = ask_for_seals(client, &payload.fence, servers, &readings, phase).await;
    let standings: Vec<(String, Standing)> = servers
        .iter()
        .zip(readings)
        .zip(seals)
        .map(|((server, reading), seal)| {
            let standing = standing(reading, seal, &payload.fence);
            (server.instance.clone(), standing)
        })
        .collect();
    let check = conclude(&standings, &question(&payload), now)?;
    log(&payload.fence, &check);
    Ok(check)
}

/// The answers of those that were asked, at their servers' places.
async fn ask_for_seals(
    client: &SessionClient,
    fence: &Fence,
    servers: &[Server],
    readings: &[Reading],
    phase: Phase,
) -> Vec<Option<Answer>> {
    let asked: Vec<bool> = readings
        .iter()
        .map(|reading| whom_to_seal(reading, phase))
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

fn question(payload: &Payload) -> Question<'_> {
    Question {
        fence: &payload.fence,
        retiring: &payload.retiring,
        settled_at: payload.settled_at,
        baked_at: payload.baked_at,
        step_began_at: payload.step_began_at,
        step_ends_at: payload.step_ends_at,
        may_seal: payload.may_seal,
        deadline: Deadline {
            at: payload.deadline_at,
            term_seconds: payload.deadline_seconds,
            redrives: payload.redrive_count,
        },
        poll_seconds: payload.poll_seconds,
        previous: payload.previous.as_ref(),
        refused: &payload.refused,
    }
}

fn log(fence: &Fence, check: &Check) {
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
        busy = check.busy,
        idle = check.idle,
        closed = check.closed,
        servers = check.servers,
        sealed = check.sealed.len(),
        gone = check.gone,
        unknown = check.unknown_count,
        oldest_busy_seconds = check.oldest_busy_seconds,
        worst = ?check.worst,
        unknown_servers = ?check.unknown,
        forecast = check.forecast.text,
        baking = check.baking,
        settled = check.settled,
        wait_seconds = check.wait_seconds,
        waiting_for = check.waiting_for,
        "checked"
    );
}
