//! The forward action: who is named, and who is given weight.

use std::collections::BTreeSet;

use ebbtide_aws::fake::{Noted, Things};
use ebbtide_rules::document::Act;
use ebbtide_rules::record::Record;

use super::{Broken, Rule, demand};
use crate::aws;
use crate::call::Call;
use crate::world::World;

pub(super) fn judge(world: &World, call: &Call, noted: &Noted) -> Result<(), Broken> {
    let (before, after) = (&noted.before.weights, &noted.after.weights);
    if before == after {
        return Ok(());
    }
    let how = |what: &str| format!("{} made {after:?} of {before:?}: {what}", call.state);
    let Some(record) = aws::read(noted) else {
        return demand(false, Rule::OneOwner, || how("without the record"));
    };
    demand(
        call.function == "SwitchTargetGroup",
        Rule::ActionIsTheFronts,
        || how("not its task"),
    )?;
    names(call, noted, &record, &how)?;
    carries(world, call, noted, &record, &how)
}

/// Its pair and what drains, the latter at 0; a group that leaves is empty.
fn names(
    call: &Call,
    noted: &Noted,
    record: &Record,
    how: &impl Fn(&str) -> String,
) -> Result<(), Broken> {
    let groups = &noted.after.weights;
    let named: BTreeSet<&str> = groups.keys().map(String::as_str).collect();
    let draining: BTreeSet<&str> = record.draining().map(aws::group).collect();
    let mut wanted = draining.clone();
    let Some(front) = &record.front else {
        return demand(false, Rule::OneOwner, || how("nobody holds the front"));
    };
    if call.act() == Some(Act::Detach) {
        let serving = groups.iter().filter(|(_, weight)| **weight > 0);
        wanted.extend(serving.map(|(group, _)| group.as_str()));
    } else {
        wanted.insert(aws::group(&front.plan.blue.environment));
        wanted.insert(aws::group(&front.plan.green.environment));
    }
    demand(named == wanted, Rule::ActionIsTheFronts, || {
        how(&format!("{wanted:?} are to be named"))
    })?;
    let mut weighted = groups.iter().filter(|(_, weight)| **weight > 0);
    let retires = weighted.find(|(group, _)| draining.contains(group.as_str()));
    // Whoever has weight keeps it when a group leaves: a stranger may have given it.
    let fine = retires.is_none() || call.act() == Some(Act::Detach);
    demand(fine, Rule::ActionIsTheFronts, || {
        how("what retires has weight")
    })?;
    for (group, targets) in &noted.before.targets {
        let registered = targets.iter().any(|target| target.registered);
        let leaves = noted.before.weights.contains_key(group) && !named.contains(group.as_str());
        demand(!(registered && leaves), Rule::ActionIsTheFronts, || {
            how(&format!("{group} has targets"))
        })?;
    }
    Ok(())
}

fn carries(
    world: &World,
    call: &Call,
    noted: &Noted,
    record: &Record,
    how: &impl Fn(&str) -> String,
) -> Result<(), Broken> {
    let Some(front) = &record.front else {
        return Ok(());
    };
    let policy = &front.plan.policy;
    let blue = aws::group(&front.plan.blue.environment);
    // Whoever only takes out what is gone gives nobody anything; a stranger's weight that goes with it makes the rest's share
    // larger all the same.
    let only_takes = call.act() == Some(Act::Detach)
        && noted
            .after
            .weights
            .iter()
            .all(|(group, weight)| *weight <= aws::weight(&noted.before, group));
    for (group, targets) in &noted.after.targets {
        if only_takes || !gains(noted, group) {
            continue;
        }
        let healthy = targets.iter().filter(|it| it.registered && it.healthy);
        // Whether green takes sessions was tested before; blue must have been opened again, and nothing that was asked to
        // drain gets weight by a call that comes late.
        let must_be_open = group == blue || call.is_late;
        let count = healthy
            .filter(|target| {
                let server = world.server(&target.instance);
                !must_be_open || server.is_some_and(|it| it.is_open())
            })
            .count();
        let minimum = if group == blue {
            policy.minimum_of_blue()
        } else {
            policy.minimum_healthy
        };
        demand(count >= minimum as usize, Rule::WeightIsCarried, || {
            how(&format!(
                "{group} has {count} servers for a minimum of {minimum}"
            ))
        })?;
        let by_rollback = group != blue || call.act() == Some(Act::WeighBack);
        demand(by_rollback, Rule::WeightIsCarried, || {
            how("blue gains without a rollback")
        })?;
    }
    Ok(())
}

/// Whether a group's share of new sessions is larger after a call: weights are relative.
fn gains(noted: &Noted, group: &str) -> bool {
    let total = |things: &Things| {
        things
            .weights
            .values()
            .map(|it| i64::from(*it))
            .sum::<i64>()
    };
    let weight = |things: &Things| i64::from(aws::weight(things, group));
    let (before, after) = (&noted.before, &noted.after);
    if total(before) == 0 {
        return weight(after) > 0;
    }
    weight(after) * total(before) > weight(before) * total(after)
}
