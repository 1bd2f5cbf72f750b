//! When a retiring environment is drained: who holds what, whom to seal, who has sealed, what is being waited for.
//!
//! Owns the answer of `check-drained`, which is what TerminateBlue's licence is made of. It counts as sealed only what
//! was acknowledged in this very pass, for this deployment's epoch; it refuses to take a count of zero for a seal, and
//! Unknown for anything but a reason to wait. Called by `check-drained`, and by the model checker.

mod deadline;
mod forecast;
mod standing;
mod unknown;
mod waiting_for;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use deadline::{Deadline, DeadlineExceeded, Granted, LastPass};
pub use forecast::{Forecast, Memory, Seen, forecast};
pub use standing::{Standing, standing, whom_to_seal};
pub use unknown::{Since, Unheard};

use crate::report::{Admission, NewerEpoch, SessionReport};
use crate::wait::{self, Phase};
use crate::{ErrorName, Failure, Fence, Retiring};

/// How long after the deadline servers that have sealed, or are shutting down, may take to end.
const TIME_TO_END: SignedDuration = SignedDuration::from_hours(2);
/// Servers told in `worst` and in `unknown`; the execution's document has no room for five hundred.
const MOST_TOLD: usize = 20;

/// The answer of `check-drained`, and its memory: the next check gets it as `previous`.
///
/// What has a default came later: a deployment that is under way while Ebbtide is updated has checks without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// When the servers had answered.
    pub at: Timestamp,
    /// Busy sessions on all servers that answered.
    pub busy: u64,
    /// Idle sessions on them.
    pub idle: u64,
    /// Sessions that they closed by orders.
    pub closed: u64,
    /// For how long the longest busy session has been busy.
    #[serde(default)]
    pub oldest_busy_seconds: u64,
    /// How many servers were asked.
    pub servers: usize,
    /// Instances that acknowledged their seal in this pass, for this deployment's epoch.
    pub sealed: Vec<String>,
    /// How many instances EC2 calls terminated.
    pub gone: usize,
    /// The servers of which nothing is known, for longest first, 20 at most.
    pub unknown: Vec<Unheard>,
    /// How many there are.
    #[serde(default)]
    pub unknown_count: usize,
    /// Since when each of them has been.
    #[serde(default)]
    pub unknown_since: Since,
    /// The servers with most to lose, 20 at most.
    pub worst: Vec<Holder>,
    /// When any total, the unknown servers, the sealed or the gone last changed.
    pub changed_at: Timestamp,
    /// Whether rollback is still one step away.
    pub baking: bool,
    /// Whether the load balancer has stopped sending new sessions here.
    pub settled: bool,
    /// Seconds to wait until the next pass.
    pub wait_seconds: u64,
    /// When the drain has to be over, redrives included; none in a step of traffic.
    #[serde(default)]
    pub deadline_at: Option<Timestamp>,
    /// How many redrives of the execution were seen.
    #[serde(default)]
    pub redrives: u64,
    /// When no session will be left, as far as that can be told.
    #[serde(default)]
    pub forecast: Forecast,
    /// What is being waited for, in a sentence.
    pub waiting_for: String,
}

/// What one server holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The instance's id.
    pub instance: String,
    /// Its busy sessions.
    pub busy: u64,
    /// Its idle sessions.
    pub idle: u64,
    /// What it does with new sessions.
    pub admission: Admission,
    /// For how long its longest busy session has been busy.
    pub oldest_busy_seconds: u64,
}

/// A server that the last TerminateBlue would not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
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
    pub refused: &'a [Refused],
}

impl<'a> Question<'a> {
    /// Where the deployment stands.
    pub fn phase(&self, now: Timestamp) -> Phase {
        Phase::at(now, self.settled_at, self.baked_at, self.may_seal)
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
        let wait = i64::try_from(check.wait_seconds).unwrap_or(i64::MAX);
        let due_at = check.at.checked_add(SignedDuration::from_secs(wait));
        LastPass {
            due_at: due_at.unwrap_or(Timestamp::MAX),
            deadline_at: check.deadline_at,
            redrives: check.redrives,
        }
    }

    /// Servers that had sealed and that TerminateBlue would not end all the same: without a person they stay for ever.
    pub fn held_back(&self) -> impl Iterator<Item = &'a Refused> {
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
    let mut check = totals(standings, question, now);
    check.deadline_at = granted.ends_at;
    check.redrives = granted.redrives;
    check.forecast = foresee(&check, question, now);
    check.changed_at = changed_at(&check, question.previous, now);
    check.wait_seconds = wait_seconds(&check, question, now);
    check.waiting_for = waiting_for::sentence(&check, standings, question, now);
    let blocked = standings
        .iter()
        .any(|(_, standing)| !matches!(standing, Standing::Sealed(_)));
    if blocked || question.held_back().next().is_some() {
        granted.refuse(now, &check.waiting_for)?;
    } else if check.servers > 0 || !question.retiring.waiting_to_end.is_empty() {
        // Nothing holds a session any more; an end that does not come needs a person all the same.
        let patient = now.checked_sub(TIME_TO_END).unwrap_or(now);
        granted.refuse(patient, &check.waiting_for)?;
    }
    Ok(check)
}

fn totals(standings: &[(String, Standing)], question: &Question<'_>, now: Timestamp) -> Check {
    let phase = question.phase(now);
    let since = unknown::since(standings, question.previous, now);
    let reports = || {
        standings
            .iter()
            .filter_map(|(_, standing)| standing.report())
    };
    let sum = |count: fn(&SessionReport) -> u64| reports().map(count).sum();
    Check {
        at: now,
        busy: sum(|report| report.busy),
        idle: sum(|report| report.idle),
        closed: sum(|report| report.closed),
        oldest_busy_seconds: reports()
            .map(|report| report.oldest_busy_seconds)
            .max()
            .unwrap_or(0),
        servers: standings.len(),
        sealed: sealed(standings),
        gone: question.retiring.gone.len(),
        unknown: unknown::told(standings, &since, now),
        unknown_count: since.len(),
        unknown_since: since,
        worst: worst(reports()),
        changed_at: now,
        baking: phase.baking,
        settled: phase.settled,
        wait_seconds: wait::SHORTEST_SECONDS,
        deadline_at: None,
        redrives: 0,
        forecast: Forecast::default(),
        waiting_for: String::new(),
    }
}

fn sealed(standings: &[(String, Standing)]) -> Vec<String> {
    standings
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Sealed(_)))
        .map(|(instance, _)| instance.clone())
        .collect()
}

fn worst<'a>(reports: impl Iterator<Item = &'a SessionReport>) -> Vec<Holder> {
    let mut holders: Vec<Holder> = reports
        .map(|report| Holder {
            instance: report.instance.clone(),
            busy: report.busy,
            idle: report.idle,
            admission: report.admission,
            oldest_busy_seconds: report.oldest_busy_seconds,
        })
        .collect();
    holders.sort_by(|a, b| (b.busy, b.idle, &a.instance).cmp(&(a.busy, a.idle, &b.instance)));
    holders.truncate(MOST_TOLD);
    holders
}

fn changed_at(check: &Check, previous: Option<&Check>, now: Timestamp) -> Timestamp {
    match previous {
        Some(previous) if what_counts(previous) == what_counts(check) => previous.changed_at,
        _ => now,
    }
}

/// All that makes a pass worth repeating soon when it differs from the last one's.
fn what_counts(check: &Check) -> impl PartialEq + '_ {
    let unknown: BTreeSet<String> = unknown::remembered(check).into_keys().collect();
    let sealed: BTreeSet<&str> = check.sealed.iter().map(String::as_str).collect();
    let sessions = (check.busy, check.idle, check.closed);
    (sessions, check.servers, check.gone, unknown, sealed)
}

fn wait_seconds(check: &Check, question: &Question<'_>, now: Timestamp) -> u64 {
    let wait = wait::seconds(
        now,
        check.changed_at,
        wait::floor_from(
            question.step_ends_at,
            question.step_began_at,
            question.settled_at,
        ),
        check.baking,
        question.poll_seconds,
    );
    [
        question.step_ends_at,
        question.settled_at,
        question.baked_at,
    ]
    .into_iter()
    .fold(wait, |wait, milestone| wait::until(wait, now, milestone))
}

fn foresee(check: &Check, question: &Question<'_>, now: Timestamp) -> Forecast {
    let seen = Seen {
        environment: &question.retiring.environment.name,
        left: check.busy.saturating_add(check.idle),
        unknown: check.unknown_count,
        baked_at: question.baked_at,
    };
    let previous = question.previous.map(|check| &check.forecast);
    forecast(&seen, previous, now)
}

#[cfg(test)]
mod tests;
