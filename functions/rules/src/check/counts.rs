//! What the servers of an environment hold, all together, and the worst of each kind by name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::memory::Since;
use super::{Question, Standing};
use crate::report::{Admission, SessionReport, brief};

/// Servers told in `worst` and in `unknown_servers`; the execution's document has no room for five hundred.
const MOST_TOLD: usize = 20;

/// The counts of one check. Sessions are those of the servers that answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Busy sessions.
    pub busy: u64,
    /// Idle sessions.
    pub idle: u64,
    /// Sessions that the servers closed by orders, those that are gone among them.
    pub closed: u64,
    /// For how long the longest busy session has been busy.
    pub oldest_busy_seconds: u64,
    /// How many servers were asked.
    pub servers: usize,
    /// How many acknowledged their seal.
    pub sealed: usize,
    /// How many instances EC2 calls terminated.
    pub gone: usize,
    /// Of how many servers nothing is known.
    pub unknown: usize,
    /// The servers with most to lose, 20 at most.
    pub worst: Vec<ServerLoad>,
    /// The servers of which nothing is known, for longest first, 20 at most.
    pub unknown_servers: Vec<Unheard>,
}

/// What one server holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerLoad {
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

/// A server of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unheard {
    /// The instance's id.
    pub instance: String,
    /// Why nothing is known, cut after 120 characters.
    pub reason: String,
    /// Since which check, without interruption.
    pub since: Timestamp,
}

impl Counts {
    pub(super) fn of(
        standings: &[(String, Standing)],
        question: &Question<'_>,
        unknown_since: &Since,
        now: Timestamp,
    ) -> Self {
        let reports: Vec<&SessionReport> = standings
            .iter()
            .filter_map(|(_, standing)| standing.report())
            .collect();
        let sum = |count: fn(&SessionReport) -> u64| reports.iter().map(|it| count(it)).sum();
        let sealed = |standing: &Standing| matches!(standing, Standing::Sealed(_));
        Self {
            busy: sum(|report| report.busy),
            idle: sum(|report| report.idle),
            closed: 0,
            oldest_busy_seconds: reports
                .iter()
                .map(|report| report.oldest_busy_seconds)
                .max()
                .unwrap_or(0),
            servers: standings.len(),
            sealed: standings.iter().filter(|(_, it)| sealed(it)).count(),
            gone: question.retiring.gone.len(),
            unknown: unknown_since.len(),
            worst: worst(&reports),
            unknown_servers: unheard(standings, unknown_since, now),
        }
    }
}

fn worst(reports: &[&SessionReport]) -> Vec<ServerLoad> {
    let mut holders: Vec<ServerLoad> = reports
        .iter()
        .map(|report| ServerLoad {
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

/// Those that have been silent for longest, with their reasons.
fn unheard(standings: &[(String, Standing)], since: &Since, now: Timestamp) -> Vec<Unheard> {
    let moment = |instance: &str| {
        let second = since.get(instance).copied();
        second
            .and_then(|second| Timestamp::from_second(second).ok())
            .unwrap_or(now)
    };
    let unknown = standings.iter().filter_map(|(instance, it)| match it {
        Standing::Unknown(reason) => Some((moment(instance), instance, reason)),
        Standing::Sealed(_) | Standing::Held(_) => None,
    });
    let mut unknown: Vec<_> = unknown.collect();
    unknown.sort_by_key(|(since, instance, _)| (*since, *instance));
    unknown
        .into_iter()
        .take(MOST_TOLD)
        .map(|(since, instance, reason)| Unheard {
            instance: instance.clone(),
            reason: brief(&reason.to_string()),
            since,
        })
        .collect()
}
