//! What one check leaves to the next: nobody else reads it.
//!
//! Five hundred reasons would not fit into the execution's document, and an operator reads none of them; but how long
//! each server has been silent has to survive from pass to pass, so that memory is complete and small.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::forecast::Measured;
use super::{Check, Counts, Standing};

/// Since when each server is unknown, in whole seconds since 1970: a moment in words takes twice the room.
pub type Since = BTreeMap<String, i64>;

/// What the next check needs of this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// When any total, the unknown servers, the sealed or the gone last changed.
    pub changed_at: Timestamp,
    /// Since when each unknown server has been.
    pub unknown_since: Since,
    /// When the drain has to be over, redrives included; none in a step of traffic.
    pub deadline_at: Option<Timestamp>,
    /// How many redrives of the execution were seen.
    pub redrives: u64,
    /// How many sessions each server has closed by orders, as far as it was heard.
    #[serde(default)]
    pub closed: BTreeMap<String, u64>,
    /// How many were closed by servers that are gone, or that count anew.
    #[serde(default)]
    pub closed_before: u64,
    /// At what rate sessions end; none before anything was measured.
    pub measured: Option<Measured>,
}

/// A server that was unknown in the check before keeps its moment: an operator wants to know how long, not how often.
pub(super) fn unknown_since(
    standings: &[(String, Standing)],
    previous: Option<&Check>,
    now: Timestamp,
) -> Since {
    let before = |instance: &String| {
        let memory = &previous?.memory;
        memory.unknown_since.get(instance).copied()
    };
    standings
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Unknown(_)))
        .map(|(instance, _)| {
            let since = before(instance).unwrap_or(now.as_second());
            (instance.clone(), since)
        })
        .collect()
}

/// Sessions closed by orders: each server's own count, and what was counted by those that are not there any more. A
/// server counts from 0 when it restarts, and takes its count with it when it ends. What a server says may be any number.
pub(super) fn closed(
    standings: &[(String, Standing)],
    previous: Option<&Check>,
) -> (BTreeMap<String, u64>, u64) {
    let (mut closed, mut before) = (BTreeMap::new(), 0);
    if let Some(Check { memory, .. }) = previous {
        (closed, before) = (memory.closed.clone(), memory.closed_before);
    }
    for (instance, standing) in standings {
        if let Some(report) = standing.report() {
            let former = closed.insert(instance.clone(), report.closed);
            let lost = former.filter(|former| *former > report.closed);
            before = lost.map_or(before, |lost| before.saturating_add(lost));
        }
    }
    let listed: BTreeSet<&String> = standings.iter().map(|(instance, _)| instance).collect();
    closed.retain(|instance, count| {
        let stays = listed.contains(instance);
        if !stays {
            before = before.saturating_add(*count);
        }
        stays
    });
    (closed, before)
}

/// When anything last changed that makes a pass worth repeating soon.
pub(super) fn changed_at(
    counts: &Counts,
    sealed: &[String],
    unknown: &Since,
    previous: Option<&Check>,
    now: Timestamp,
) -> Timestamp {
    match previous {
        Some(previous)
            if totals(&previous.counts) == totals(counts)
                && names(&previous.sealed) == names(sealed)
                && previous.memory.unknown_since.keys().eq(unknown.keys()) =>
        {
            previous.memory.changed_at
        }
        _ => now,
    }
}

fn totals(counts: &Counts) -> impl PartialEq + use<> {
    let sessions = (counts.busy, counts.idle, counts.closed);
    (sessions, counts.servers, counts.gone)
}

fn names(sealed: &[String]) -> BTreeSet<&str> {
    sealed.iter().map(String::as_str).collect()
}
