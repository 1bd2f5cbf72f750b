//! The forward action, held against the record: who may be named, and who may have weight.
//!
//! The record is read before the action and after it. A group must be answered for by one of the two readings, because
//! the action follows the record when a group comes and precedes it when one goes; what drains in both readings drained
//! in between, and must have no weight.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ebbtide_rules::Environment;
use ebbtide_rules::record::{Phase, Record};
use ebbtide_rules::shape::group_name;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::ledger::Ledger;
use crate::observation;

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(250);

/// What all the looks came to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// What must never be, in sentences.
    pub(super) wrong: BTreeSet<String>,
    /// How many there were.
    pub(super) looks: usize,
}

/// Looks at action and record.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) clients: Clients,
    pub(super) listener_arn: String,
    pub(super) ledger: Ledger,
}

impl Judge {
    /// Looks until it is stopped. A look that fails is dropped: faults strike the emulators, too.
    pub(super) async fn until(self, stop: CancellationToken) -> Judged {
        let mut judged = Judged::default();
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let looked = self.look().await;
            if let Ok((before, action, after)) = looked {
                judged.looks += 1;
                judged.wrong.extend(wrong(&before, &action, &after));
            }
        }
        judged
    }

    async fn look(&self) -> crate::Result<(Record, BTreeMap<String, u32>, Record)> {
        let before = self.ledger.record().await?;
        let action = observation::action(&self.clients, &self.listener_arn).await?;
        Ok((before, action, self.ledger.record().await?))
    }
}

/// What is wrong with an action between two readings of the record.
fn wrong(before: &Record, action: &BTreeMap<String, u32>, after: &Record) -> Vec<String> {
    let mut wrong = Vec::new();
    let front = moves(before) || moves(after);
    let pairs: Vec<&Environment> = pair(before).into_iter().chain(pair(after)).collect();
    for (arn, weight) in action {
        let name = group_name(arn);
        let is = |environment: &&Environment| environment.has(arn);
        let of_front = pairs.iter().any(is);
        let retires = |record: &Record| {
            let mut entries = record.retiring.iter();
            entries.any(|entry| is(&&entry.environment))
        };
        let serves = *weight > 0 && !front;
        if !of_front && !serves && !retires(before) && !retires(after) {
            wrong.push(format!(
                "{name} is named at {weight}, and nobody answers for it"
            ));
        }
        let drains = |record: &Record| record.draining().any(|environment| is(&environment));
        if *weight > 0 && drains(before) && drains(after) {
            wrong.push(format!("{name} drains, and has weight {weight}"));
        }
    }
    if action.values().all(|weight| *weight == 0) {
        wrong.push("no group has weight".to_owned());
    }
    let weighted = action.values().filter(|weight| **weight > 0).count();
    if !front && weighted > 1 {
        wrong.push(format!(
            "{weighted} groups have weight, and nobody moves it"
        ));
    }
    wrong
}

/// Whether somebody may move weight: a front that only detaches leaves it as it is.
fn moves(record: &Record) -> bool {
    let front = record.front.as_ref();
    front.is_some_and(|front| !matches!(front.phase, Phase::Detaching { .. }))
}

/// The environments that the front's holder answers for; none where nobody moves weight.
fn pair(record: &Record) -> Vec<&Environment> {
    let Some(front) = record.front.as_ref().filter(|_| moves(record)) else {
        return Vec::new();
    };
    let own = [&front.plan.blue.environment, &front.plan.green.environment];
    match &front.phase {
        Phase::Superseding { clearing } => [own, [&clearing.blue, &clearing.green]].concat(),
        _ => own.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebbtide_rules::examples;

    fn of(name: &str) -> Environment {
        examples::environment(name)
    }

    fn action(weights: &[(&str, u32)]) -> BTreeMap<String, u32> {
        let weights = weights.iter();
        weights
            .map(|(name, weight)| (of(name).target_group_arns.remove(0), *weight))
            .collect()
    }

    /// `a` retires for another deployment.
    fn a_drains() -> Record {
        let plan = examples::recorded(&of("a"), &of("b"), &[]);
        Record {
            retiring: vec![examples::entry(&of("a"), examples::another(), plan)],
            ..Record::default()
        }
    }

    #[test]
    fn what_drains_has_no_weight_and_everybody_named_is_answered_for() {
        let (drains, free) = (a_drains(), Record::default());
        let at = |weights: &[(&str, u32)]| wrong(&drains, &action(weights), &drains);
        assert_eq!(at(&[("a", 0), ("b", 100)]), Vec::<String>::new());
        assert_eq!(
            at(&[("a", 1), ("b", 100)]).len(),
            2,
            "drains, and two have weight"
        );
        assert_eq!(at(&[("b", 100), ("c", 0)]).len(), 1, "nobody answers for c");
        assert_eq!(at(&[("a", 0)]).len(), 1, "nobody serves");
        // What went between the two readings was answered for by the first.
        let left = wrong(&drains, &action(&[("a", 0), ("b", 100)]), &free);
        assert_eq!(left, Vec::<String>::new());
    }
}
