//! What the servers of an environment hold that is being emptied, or that will be after the bake.

use ebbtide_rules::check::Counts;
use ebbtide_rules::record::Progress;
use jiff::Timestamp;
use serde::Serialize;

use super::words::seconds_between;
use crate::seen::Execution;

/// An environment's sessions and servers, as the last pass counted them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Emptied {
    /// Which.
    pub(crate) environment: String,
    /// When its servers had answered.
    pub(crate) at: Timestamp,
    /// Busy sessions of those that answered.
    pub(crate) busy: u64,
    /// Their idle sessions.
    pub(crate) idle: u64,
    /// Sessions that were closed by drain orders.
    pub(crate) closed: u64,
    /// For how long the longest busy session has been busy, in seconds.
    pub(crate) oldest_busy_seconds: u64,
    /// How many servers were asked.
    pub(crate) asked: usize,
    /// How many sealed in that pass.
    pub(crate) sealed: usize,
    /// How many did not answer.
    pub(crate) unknown: usize,
    /// How many instances the deployment has ended.
    pub(crate) terminated: usize,
    /// The servers: who does not answer first, then who holds most.
    pub(crate) servers: Vec<Server>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Server {
    /// Its instance's id.
    pub(crate) instance: String,
    /// `open`, `draining`, `sealed`, `unknown`, `ending`.
    pub(crate) is: String,
    /// Its busy sessions.
    pub(crate) busy: u64,
    /// Its idle sessions.
    pub(crate) idle: u64,
    /// For how long its longest busy session has been busy, in seconds.
    pub(crate) oldest_busy_seconds: u64,
    /// Since when it does not answer.
    pub(crate) unknown_since: Option<Timestamp>,
    /// For how long that is, in seconds.
    pub(crate) unknown_seconds: Option<u64>,
    /// Why not.
    pub(crate) reason: Option<String>,
}

impl Server {
    fn named(instance: &str, is: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            is: is.to_owned(),
            busy: 0,
            idle: 0,
            oldest_busy_seconds: 0,
            unknown_since: None,
            unknown_seconds: None,
            reason: None,
        }
    }
}

impl Emptied {
    /// Of an environment: by the execution's newest document, else by what the last pass wrote into the record. Neither of
    /// them may be about the other environment: the check says of which it is, and `recorded` is that of this one or none.
    pub(super) fn of(
        environment: &str,
        recorded: Option<&Progress>,
        acting: Option<&Execution>,
        now: Timestamp,
    ) -> Option<Self> {
        let known = acting.map(|it| &it.document);
        let checked = known.and_then(|it| it.checked());
        if checked.is_some_and(|checked| checked != environment) {
            return None;
        }
        let check = known.and_then(|it| it.check.as_ref());
        let progress = recorded;
        let check = check.filter(|check| progress.is_none_or(|it| check.at >= it.at));
        let listed = known.and_then(|it| it.retiring.as_ref());
        let listed = listed.filter(|it| it.environment.name == environment);
        let (at, counts) = match (check, progress) {
            (Some(check), _) => (check.at, &check.counts),
            (None, Some(progress)) => (progress.at, &progress.counts),
            (None, None) => return None,
        };
        let ending = check.and(listed).map_or(&[][..], |it| &it.waiting_to_end);
        let (servers, more) = servers(counts, ending, now);
        Some(Self {
            environment: environment.to_owned(),
            at,
            busy: counts.busy,
            idle: counts.idle,
            closed: counts.closed.max(progress.map_or(0, |it| it.counts.closed)),
            oldest_busy_seconds: counts.oldest_busy_seconds,
            asked: counts.servers,
            sealed: counts.sealed,
            unknown: counts.unknown,
            terminated: progress.map_or(0, |it| it.terminated),
            servers,
            more,
        })
    }
}

fn servers(counts: &Counts, ending: &[String], now: Timestamp) -> (Vec<Server>, usize) {
    let unknown = counts.unknown_servers.iter().map(|it| Server {
        unknown_since: Some(it.since),
        unknown_seconds: Some(seconds_between(it.since, now)),
        reason: Some(it.reason.clone()),
        ..Server::named(&it.instance, "unknown")
    });
    let answered = counts.worst.iter().map(|it| Server {
        busy: it.busy,
        idle: it.idle,
        oldest_busy_seconds: it.oldest_busy_seconds,
        ..Server::named(&it.instance, &it.admission.to_string())
    });
    let ending = ending.iter().map(|it| Server::named(it, "ending"));
    let asked: Vec<Server> = unknown.chain(answered).collect();
    let more = counts.servers.saturating_sub(asked.len());
    (asked.into_iter().chain(ending).collect(), more)
}
