//! The report: every answer of the session endpoint.
//!
//! Owns its JSON shape (docs/session-endpoint.yaml) and what counts as busy: busy sessions, and whatever else
//! termination would cut. Endpoint and metrics call it.

use serde::Serialize;

use super::Shared;
use crate::admission::Mode;
use crate::sync::now;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    version: u32,
    instance: String,
    admission: &'static str,
    pub(crate) epoch: u64,
    pub(crate) busy: u64,
    pub(crate) idle: u64,
    pub(crate) closed: u64,
    oldest_busy_seconds: u64,
}

/// The state at this moment.
pub(crate) fn report(shared: &Shared) -> Report {
    let now = now();
    // Admission first: a report that says sealed then never carries counts from before the seal.
    let mode = shared.control.admission().state().mode;
    let begun = shared.carrying.begun();
    let (carried, carried_since) = shared.carrying.count();
    let sessions = shared.registry.count(now);
    // A request whose tunnel dies is carried again. One that did so between the two looks would be in neither, so what
    // began meanwhile is added: too many for a moment, never too few.
    let begun_since = shared.carrying.begun().saturating_sub(begun);
    let oldest = [carried_since, sessions.oldest_busy]
        .into_iter()
        .flatten()
        .min();
    Report {
        version: 1,
        instance: shared.instance.clone(),
        admission: name(mode),
        epoch: shared.control.epoch(),
        busy: sessions.busy + carried + begun_since,
        idle: sessions.idle,
        closed: shared.drain.closed(),
        oldest_busy_seconds: oldest
            .map_or(0, |since| now.saturating_duration_since(since).as_secs()),
    }
}

/// A seal is reported once it would survive a restart, not before.
pub(crate) fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Open => "open",
        Mode::Draining | Mode::Sealing => "draining",
        Mode::Sealed => "sealed",
    }
}
