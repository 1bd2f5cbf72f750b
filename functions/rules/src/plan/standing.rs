//! What the record says of who may plan: whether another holds the front, and the plan that is gone on with.

use super::Recorded;
use crate::observed::Forward;
use crate::record::{Phase, Record, Refused, not_owner};
use crate::shape::Environment;

/// Who holds the front, as seen by one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody, or a drain that only detaches, or this very execution before its switch.
    Free,
    /// Another execution.
    Another,
    /// This very execution, after its switch: a name used again, which must not be planned a second time.
    Switched,
}

/// Who holds the front.
pub fn holder(record: &Record, execution: &str) -> Holder {
    let Some(front) = &record.front else {
        return Holder::Free;
    };
    let own = front.owner.execution == execution;
    match (&front.phase, own) {
        (Phase::Detaching { .. }, _) | (Phase::Claimed | Phase::Superseding { .. }, true) => {
            Holder::Free
        }
        (_, true) => Holder::Switched,
        (_, false) => Holder::Another,
    }
}

/// The plan of a deployment that is taken over.
///
/// # Errors
/// [`Refused::TakeOver`] where the record does not name the deployment.
pub fn recorded(record: &Record, deployment: &str) -> Result<Recorded, Refused> {
    let front = record.front_of(deployment).map(|front| &front.plan);
    let plan = front.or(record.entry_of(deployment).map(|entry| &entry.plan));
    plan.cloned()
        .ok_or_else(|| Refused::TakeOver(not_owner(record, deployment)))
}

/// Green's share of the pair's weight, in percent, rounded down; 0 when neither has any. Where a change was made at some of
/// the plan's listeners and not at others, the highest: users came to green by it.
pub fn green_percent(forwards: &[Forward], plan: &Recorded) -> u32 {
    let at = |(place, forward): (usize, &Forward)| {
        let weight = |of: &Environment| {
            let group = of.target_group(place);
            group.map_or(0, |group| u64::from(forward.weight(group)))
        };
        let (blue, green) = (
            weight(&plan.blue.environment),
            weight(&plan.green.environment),
        );
        let percent = (green * 100).checked_div(blue + green).unwrap_or_default();
        u32::try_from(percent).unwrap_or(100)
    };
    forwards
        .iter()
        .enumerate()
        .map(at)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
