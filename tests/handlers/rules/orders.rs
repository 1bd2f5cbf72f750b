//! What servers are ordered: to drain only where new sessions do not go, to seal only once the bake is over on record.

use ebbtide_endpoint::admission::Mode;
use ebbtide_rules::record::State;

use super::{Broken, Rule, Stood, demand};
use crate::aws;
use crate::call::Call;
use crate::world::World;

pub(super) fn judge(world: &World, call: &Call, stood: &Stood) -> Result<(), Broken> {
    for before in &stood.servers {
        let Some(after) = world.server(&before.instance) else {
            continue;
        };
        if before.disk.sealed_for.is_none() && after.disk.sealed_for.is_some() {
            sealed(call, stood, world, &after.instance)?;
        }
        let drains = before.admission.mode == Mode::Open && after.admission.mode == Mode::Draining;
        // A late order goes to whoever has not heard of the way back: nothing is cut by it, and blue is asked again.
        if drains && !world.meddled && !call.is_late {
            let things = world.things();
            let weighted = things.targets.iter().find(|(group, targets)| {
                let registered = |it: &&ebbtide_rules::observed::Target| it.registered;
                let mut own = targets.iter().filter(registered);
                aws::weight(&things, group) > 0 && own.any(|it| it.instance == after.instance)
            });
            demand(weighted.is_none(), Rule::SealedAfterTheBake, || {
                format!(
                    "{} lets {} drain, in a group with weight",
                    call.state, after.instance
                )
            })?;
        }
    }
    Ok(())
}

/// Its environment is an entry of the list, its deployment's, and drains.
fn sealed(call: &Call, stood: &Stood, world: &World, instance: &str) -> Result<(), Broken> {
    let things = world.things();
    let group = things
        .targets
        .iter()
        .find(|(_, targets)| targets.iter().any(|it| it.instance == instance));
    let fence = call.fence();
    let drains = |group: &str| {
        stood.record.retiring.iter().any(|entry| {
            entry.environment.has(group)
                && entry.state == State::Draining
                && fence
                    .as_ref()
                    .is_some_and(|it| it.deployment == entry.owner.deployment)
        })
    };
    // An instance that is registered nowhere any more was listed by its tag.
    let allowed = match group {
        Some((group, _)) => drains(group),
        None => fence
            .as_ref()
            .is_some_and(|it| stood.record.entry_of(&it.deployment).is_some()),
    };
    demand(allowed, Rule::SealedAfterTheBake, || {
        format!(
            "{} sealed {instance} while the record is {:?}",
            call.state, stood.record
        )
    })
}
