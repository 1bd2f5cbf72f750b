//! What happened last, in all executions that act.

use jiff::Timestamp;
use serde::Serialize;

use crate::seen::{Execution, Seen, What};

/// How many events are shown.
const MOST: usize = 8;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// When.
    pub(crate) at: Timestamp,
    /// In which execution.
    pub(crate) execution: String,
    /// In which state; empty of what no state did.
    pub(crate) state: String,
    /// What, in a sentence.
    pub(crate) text: String,
    /// Whether it went wrong.
    pub(crate) bad: bool,
}

/// The last events, the oldest first: decisions, failed attempts, redrives, ends.
pub(super) fn of(seen: &Seen) -> Vec<Event> {
    let mut events: Vec<Event> = seen.executions.iter().flat_map(of_one).collect();
    events.sort_by_key(|event| event.at);
    let surplus = events.len().saturating_sub(MOST);
    events.split_off(surplus)
}

fn of_one(execution: &Execution) -> Vec<Event> {
    let told = execution.events.iter().filter_map(|event| {
        let (state, text, bad) = match &event.what {
            What::Entered { .. } => return None,
            What::Left { state, decided } => (state.clone(), decided.clone()?, false),
            What::Failed {
                state,
                error,
                cause,
            } => (state.clone(), format!("{error}: {cause}"), true),
            What::Redriven => (String::new(), "redriven".to_owned(), false),
        };
        Some(Event {
            at: event.at,
            execution: execution.name().to_owned(),
            state,
            text,
            bad,
        })
    });
    told.chain(end(execution)).collect()
}

fn end(execution: &Execution) -> Option<Event> {
    let status = execution.status.to_lowercase().replace('_', " ");
    let error = execution.error.as_ref();
    Some(Event {
        at: execution.stopped_at.filter(|_| !execution.runs())?,
        execution: execution.name().to_owned(),
        state: String::new(),
        text: error.map_or(status.clone(), |error| format!("{status}: {error}")),
        bad: execution.status != "SUCCEEDED",
    })
}
