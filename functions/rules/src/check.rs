//! When a retiring environment is drained: who holds what, whom to seal, who has sealed, what is being waited for.
//!
//! Owns the answer of `check-drained`, which is what TerminateBlue's licence is made of. It counts as sealed only what
//! was acknowledged in this very pass, for this deployment's epoch; it refuses to take a count of zero for a seal, and
//! Unknown for anything but a reason to wait. Called by `check-drained`, and by the model checker.

mod counts;
mod deadline;
mod forecast;
mod memory;
mod outlook;
mod standing;
mod waiting_for;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use counts::{Counts, ServerLoad, Unheard};
pub(crate) use deadline::STANDSTILL;
pub use deadline::{Deadline, DeadlineExceeded, Granted, LastPass};
pub use forecast::{Forecast, Measured, Seen, forecast};
pub use memory::{Memory, Since};
pub use outlook::Outlook;
pub use standing::{Standing, standing, whom_to_seal};

use crate::report::NewerEpoch;
use crate::service::Service;
use crate::wait::Stage;
use crate::weights::Repairs;
use crate::{ErrorName, Failure, Fence, Retiring};

/// How long after the deadline servers that have sealed, or are shutting down, may take to end.
const TIME_TO_END: SignedDuration = SignedDuration::from_hours(2);

/// The answer of `check-drained`; the next check gets it as `previous`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// When the servers had answered.
    pub at: Timestamp,
    /// Instances that acknowledged their seal in this pass, for this deployment's epoch: the licence to end them.
    pub sealed: Vec<String>,
    /// What the servers hold.
    pub counts: Counts,
    /// What comes next.
    pub outlook: Outlook,
    /// What the next check needs.
    pub memory: Memory,
}

/// A server that the last TerminateBlue would not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldBack {
    /// The instance's id.
    pub instance: String,
    /// Why.
    pub reason: String,
}

/// What a check depends on besides the servers.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub fence: &'a Fence,
    /// The environment's instances, as just listed.
    pub retiring: &'a Retiring,
    /// When the load balancer stops sending new sessions; none while that is not known.
    pub settled_at: Option<Timestamp>,
    /// When the bake ends; none while that is not known.
    pub baked_at: Option<Timestamp>,
    /// When this step of traffic began, if it is one.
    pub step_began_at: Option<Timestamp>,
    /// When this step of traffic ends, if it is one.
    pub step_ends_at: Option<Timestamp>,
    /// Whether the record says that the bake has ended; until then nobody is asked to seal, whatever clocks say.
    pub may_seal: bool,
    /// When the drain has to be over.
    pub deadline: Deadline,
    /// The longest wait between passes while baking.
    pub poll_seconds: u64,
    /// The check before this one.
    pub previous: Option<&'a Check>,
    /// What the last TerminateBlue would not end, if there was one.
    pub refused: &'a [HeldBack],
    /// How often somebody else moved the weights that are being watched.
    pub repairs: Option<&'a Repairs>,
    /// What the user's checks say through the load balancer, while anything follows from it.
    pub service: Option<&'a Service>,
}

impl<'a> Question<'a> {
    /// Where the deployment stands.
    pub fn stage(&self, now: Timestamp) -> Stage {
        Stage::at(now, self.settled_at, self.baked_at, self.may_seal)
    }

    /// What the pass before this one left; before the first check the list of servers is all there is to go by.
    fn last_pass(&self) -> LastPass {
        let Some(check) = self.previous else {
            return LastPass {
                due_at: self.retiring.listed_at,
                deadline_at: None,
                redrives: 0,
            };
        };
        let wait = i64::try_from(check.outlook.wait_seconds).unwrap_or(i64::MAX);
        let due_at = check.at.checked_add(SignedDuration::from_secs(wait));
        LastPass {
            due_at: due_at.unwrap_or(Timestamp::MAX),
            deadline_at: check.memory.deadline_at,
            redrives: check.memory.redrives,
        }
    }

    /// Servers that had sealed and that TerminateBlue would not end all the same: without a person they stay for ever.
    pub fn held_back(&self) -> impl Iterator<Item = &'a HeldBack> {
        let sealed = self.previous.map_or(&[][..], |check| &check.sealed);
        self.refused
            .iter()
            .filter(move |refused| sealed.contains(&refused.instance))
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckRefused {
    /// NewerEpoch is when a server belongs to a newer deployment or rollback.
    #[error(transparent)]
    NewerEpoch(#[from] NewerEpoch),
    /// DeadlineExceeded is when something else than a termination still blocks after the deadline.
    #[error(transparent)]
    DeadlineExceeded(#[from] DeadlineExceeded),
}

impl Failure for CheckRefused {
    fn name(&self) -> ErrorName {
        match self {
            Self::NewerEpoch(newer) => newer.name(),
            Self::DeadlineExceeded(_) => ErrorName::DrainDeadlineExceeded,
        }
    }
}

/// Sums up where every server stands; `standings` has one entry for each listed server.
///
/// # Errors
/// When a server has taken a higher epoch, and when the deadline is over and a server has not sealed: nothing is cut
/// by that, an operator is called.
pub fn conclude(
    standings: &[(String, Standing)],
    question: &Question<'_>,
    now: Timestamp,
) -> Result<Check, CheckRefused> {
    let reports = standings
        .iter()
        .filter_map(|(_, standing)| standing.report());
    NewerEpoch::refuse(question.fence, reports)?;
    let granted = question.deadline.granted(&question.last_pass(), now);
    let check = concluded(standings, question, &granted, now);
    let waiting_for = &check.outlook.waiting_for;
    let blocked = standings
        .iter()
        .any(|(_, standing)| !matches!(standing, Standing::Sealed(_)));
    if blocked || question.held_back().next().is_some() {
        granted.refuse(now, waiting_for)?;
    } else if check.counts.servers > 0 || !question.retiring.waiting_to_end.is_empty() {
        // Nothing holds a session any more; an end that does not come needs a person all the same.
        let patient = now.checked_sub(TIME_TO_END).unwrap_or(now);
        granted.refuse(patient, waiting_for)?;
    }
    Ok(check)
}

fn concluded(
    standings: &[(String, Standing)],
    question: &Question<'_>,
    granted: &Granted,
    now: Timestamp,
) -> Check {
    let previous = question.previous;
    let unknown_since = memory::unknown_since(standings, previous, now);
    let (closed, closed_before) = memory::closed(standings, previous);
    let mut counts = Counts::of(standings, question, &unknown_since, now);
    let closed_now = closed.values().copied();
    counts.closed = closed_now.fold(closed_before, u64::saturating_add);
    let sealed = sealed(standings);
    let (forecast, measured) = foresee(&counts, question, now);
    let memory = Memory {
        changed_at: memory::changed_at(&counts, &sealed, &unknown_since, previous, now),
        unknown_since,
        deadline_at: granted.ends_at,
        redrives: granted.redrives,
        closed,
        closed_before,
        measured: Some(measured),
    };
    let stage = question.stage(now);
    let outlook = Outlook {
        baking: stage.baking,
        settled: stage.settled,
        wait_seconds: outlook::wait_seconds(&memory, question, now),
        waiting_for: waiting_for::sentence(&counts, &forecast, standings, question, now),
        forecast,
    };
    Check {
        at: now,
        sealed,
        counts,
        outlook,
        memory,
    }
}

fn sealed(standings: &[(String, Standing)]) -> Vec<String> {
    standings
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Sealed(_)))
        .map(|(instance, _)| instance.clone())
        .collect()
}

fn foresee(counts: &Counts, question: &Question<'_>, now: Timestamp) -> (Forecast, Measured) {
    let seen = Seen {
        environment: &question.retiring.environment.name,
        left: counts.busy.saturating_add(counts.idle),
        unknown: counts.unknown,
        baked_at: question.baked_at,
    };
    let before = question.previous.and_then(|it| it.memory.measured.as_ref());
    forecast(&seen, before, now)
}

#[cfg(test)]
mod tests;
