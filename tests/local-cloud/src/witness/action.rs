//! The forward actions, held against the record: who may be named, and who may have weight.
//!
//! The record is read before the actions and after them. A group must be answered for by one of the two readings, because
//! an action follows the record when a group comes and precedes it when one goes; what drains in both readings drained
//! in between, and must have no weight. Where nobody moves weight in either, all actions give it to the same environment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ebbtide_rules::Environment;
use ebbtide_rules::record::{Phase, Record};
use ebbtide_rules::shape::group_name;
use futures_util::future::try_join_all;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::ledger::Ledger;
use crate::observation;
use crate::world::Forward;

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(500);

/// What all the looks came to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// What must never be, in sentences.
    pub(super) wrong: BTreeSet<String>,
    /// How many there were.
    pub(super) looks: usize,
}

/// The weights of a forward action, by target group.
type Action = BTreeMap<String, u32>;

/// Looks at actions and record.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) clients: Clients,
    pub(super) forwards: Vec<Forward>,
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
            if let Ok((before, actions, after)) = looked {
                judged.looks += 1;
                let wrong = actions.iter().map(|it| wrong(&before, it, &after));
                judged.wrong.extend(wrong.flatten());
                if !moves(&before) && !moves(&after) {
                    judged.wrong.extend(disagreement(&self.forwards, &actions));
                }
            }
        }
        judged
    }

    async fn look(&self) -> crate::Result<(Record, Vec<Action>, Record)> {
        let before = self.ledger.record().await?;
        let forwards = self.forwards.iter();
        let actions = forwards.map(|it| observation::action(&self.clients, &it.arn));
        let actions = try_join_all(actions).await?;
        Ok((before, actions, self.ledger.record().await?))
    }
}

/// Whether the actions give weight to different environments.
fn disagreement(forwards: &[Forward], actions: &[Action]) -> Option<String> {
    let weights = |(forward, action): (&Forward, &Action)| -> Vec<u32> {
        let groups = forward.groups();
        let weights = groups.map(|group| action.get(group).copied().unwrap_or_default());
        weights.collect()
    };
    let weights: Vec<_> = forwards.iter().zip(actions).map(weights).collect();
    let same = weights.windows(2).all(|pair| pair[0] == pair[1]);
    (!same).then(|| format!("nobody moves weight, and the listeners differ: {weights:?}"))
}

/// What is wrong with an action between two readings of the record.
fn wrong(before: &Record, action: &Action, after: &Record) -> Vec<String> {
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
    use crate::world::TargetGroup;
    use ebbtide_rules::examples;

    fn of(name: &str) -> Environment {
        examples::environment(name)
    }

    fn action(weights: &[(&str, u32)]) -> Action {
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

    #[test]
    fn the_same_environment_has_weight_everywhere_once_nobody_moves_it() {
        let forward = |names: [&str; 3]| Forward {
            arn: names.concat(),
            groups: names.map(|name| TargetGroup {
                name: name.to_owned(),
                arn: of(name).target_group_arns.remove(0),
            }),
        };
        let forwards = [forward(["a", "b", "c"]), forward(["a-2", "b-2", "c-2"])];
        let first = action(&[("a", 0), ("b", 100)]);
        let differ =
            |second: &[(&str, u32)]| disagreement(&forwards, &[first.clone(), action(second)]);
        // A group without weight may have left one of them already.
        assert_eq!(differ(&[("b-2", 100)]), None);
        assert!(differ(&[("a-2", 100), ("b-2", 0)]).is_some());
        assert!(differ(&[("a-2", 1), ("b-2", 100)]).is_some());
    }
}
