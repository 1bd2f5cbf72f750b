//! What a person wants to know of one look: the whole of it, computed once, and drawn by all that draw.
//!
//! Pure: record, executions and the clock go in. Lines, JSON, the terminal and the page show what comes out, and decide
//! nothing. Its JSON is what `--output json` prints and what the page is sent.

mod advice;
mod deployment;
mod events;
mod servers;
mod words;

use ebbtide_rules::record::Outcome;
use jiff::Timestamp;
use serde::Serialize;

use crate::seen::{Counted, Seen};

pub(crate) use deployment::{Acting, Bar, Deployment, Side, Stands};
pub(crate) use events::Event;
pub(crate) use servers::{Emptied, Server};
pub(crate) use words::{clock, span};

/// One look at a service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    /// When.
    pub(crate) at: Timestamp,
    /// The stack.
    pub(crate) stack: String,
    /// Its service.
    pub(crate) service: String,
    /// The highest fencing number ever given.
    pub(crate) epoch: u64,
    /// The deployment that may move weights; none when the next one may start.
    pub(crate) front: Option<Deployment>,
    /// The deployments that empty an environment, each its own.
    pub(crate) retiring: Vec<Deployment>,
    /// How the deployment that ended last did, in a word.
    pub(crate) last: Option<Last>,
    /// What happened last, the oldest first.
    pub(crate) events: Vec<Event>,
    /// The sessions that were counted, the oldest first.
    pub(crate) counted: Vec<Counted>,
}

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Last {
    /// In a word.
    pub(crate) outcome: String,
    /// Why.
    pub(crate) reason: String,
}

impl View {
    /// Of what was seen at `now`.
    pub(crate) fn of(seen: &Seen, now: Timestamp) -> Self {
        let record = &seen.record;
        let front = record.front.as_ref();
        let retiring = record.retiring.iter();
        let last = |outcome: &Outcome| Last {
            outcome: outcome.word().to_owned(),
            reason: outcome.reason(),
        };
        let mut counted: Vec<Counted> = seen
            .executions
            .iter()
            .flat_map(|execution| execution.counted.clone())
            .collect();
        counted.sort_by_key(|it| it.at);
        Self {
            at: now,
            stack: seen.stack.clone(),
            service: seen.service.clone(),
            epoch: record.epoch,
            front: front.map(|front| Deployment::of_front(front, seen, now)),
            retiring: retiring
                .map(|entry| Deployment::of_entry(entry, seen, now))
                .collect(),
            last: record.last.as_ref().map(last),
            events: events::of(seen),
            counted,
        }
    }

    /// Every deployment that is under way, the front's first.
    pub(crate) fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.front.iter().chain(&self.retiring)
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.deployments().next().is_none()
    }
}

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
mod tests;
