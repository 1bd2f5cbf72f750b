//! The servers of which nothing is known: the worst told with their reasons, all remembered with the moment it began.
//!
//! Five hundred reasons would not fit into the execution's document, and an operator reads none of them; but how long
//! each server has been silent has to survive from pass to pass, so that memory is complete and small.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Check, MOST_TOLD, Standing};
use crate::report::brief;

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

/// Since when each server is unknown, in whole seconds since 1970: a moment in words takes twice the room.
pub type Since = BTreeMap<String, i64>;

/// A server that was unknown in the check before keeps its moment: an operator wants to know how long, not how often.
pub(super) fn since(
    standings: &[(String, Standing)],
    previous: Option<&Check>,
    now: Timestamp,
) -> Since {
    let before = previous.map(remembered).unwrap_or_default();
    standings
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Unknown(_)))
        .map(|(instance, _)| {
            let since = before.get(instance).copied();
            (instance.clone(), since.unwrap_or(now.as_second()))
        })
        .collect()
}

/// The memory of a check, also of one that was made before checks had it and told every unknown server.
pub(super) fn remembered(check: &Check) -> Since {
    let mut since: Since = check
        .unknown
        .iter()
        .map(|unheard| (unheard.instance.clone(), unheard.since.as_second()))
        .collect();
    since.extend(check.unknown_since.clone());
    since
}

/// Those that have been silent for longest, with their reasons.
pub(super) fn told(
    standings: &[(String, Standing)],
    since: &Since,
    now: Timestamp,
) -> Vec<Unheard> {
    let moment = |instance: &str| {
        let second = since.get(instance).copied();
        second
            .and_then(|second| Timestamp::from_second(second).ok())
            .unwrap_or(now)
    };
    let mut unheard: Vec<(Timestamp, &String, &Standing)> = standings
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Unknown(_)))
        .map(|(instance, standing)| (moment(instance), instance, standing))
        .collect();
    unheard.sort_by_key(|(since, instance, _)| (*since, *instance));
    unheard
        .into_iter()
        .take(MOST_TOLD)
        .filter_map(|(since, instance, standing)| match standing {
            Standing::Unknown(reason) => Some(Unheard {
                instance: instance.clone(),
                reason: brief(&reason.to_string()),
                since,
            }),
            Standing::Sealed(_) | Standing::Held(_) => None,
        })
        .collect()
}
