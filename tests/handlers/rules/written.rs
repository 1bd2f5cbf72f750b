//! What may be written: one front, one owner of each environment, an epoch that only grows, outcomes that stay.

use std::collections::BTreeSet;

use ebbtide_rules::document::Act;
use ebbtide_rules::observed::{ENVIRONMENT_TAG, Instance, RETIRING_TAG};
use ebbtide_rules::record::{Entry, Front, Outcome, Owner, Phase, Record, State, Wishes};
use ebbtide_rules::shape::Environment;

use super::{Broken, Rule, Stood, demand};
use crate::aws;
use crate::call::Call;
use crate::world::World;

pub(super) fn judge(world: &World, call: &Call, stood: &Stood) -> Result<(), Broken> {
    let (before, after) = (&stood.record, &world.record());
    outcomes(world, call, stood, after)?;
    if before == after {
        return Ok(());
    }
    let sound = |holds: bool, how: &str| {
        demand(holds, Rule::RecordIsSound, || {
            format!("{}: {how}: {before:#?} became {after:#?}", call.state)
        })
    };
    sound(call.function == "KeepRecord", "not its task")?;
    sound(after.revision > before.revision, "the revision")?;
    sound(after.epoch >= before.epoch, "the epoch falls")?;
    for owner in owners(after) {
        let kept =
            owners(before).any(|it| (&it.deployment, it.epoch) == (&owner.deployment, owner.epoch));
        let raised = owner.epoch > before.epoch && owner.epoch == after.epoch;
        sound(
            kept || raised,
            "an owner's epoch is neither kept nor raised",
        )?;
    }
    sound(
        places_are_taken_once(after),
        "an environment has two places",
    )?;
    sound(phases_follow(before, after), "the phase")?;
    sound(wish_is_kept(before, after), "a wish is lost")?;
    sound(
        weight_only_rises(before, after),
        "green's share falls in the steps",
    )?;
    for entry in &before.retiring {
        left(world, entry, after, &sound)?;
    }
    for entry in &after.retiring {
        arrived(world, entry, before, &sound)?;
    }
    others_stay(call, before, after, &sound)
}

fn owners(record: &Record) -> impl Iterator<Item = &Owner> {
    let front = record.front.iter().map(|front| &front.owner);
    front.chain(record.retiring.iter().map(|entry| &entry.owner))
}

/// No environment is in two entries, or in an entry and the front's pair; what is detached is the front's own entry.
fn places_are_taken_once(record: &Record) -> bool {
    let mut taken: Vec<&Environment> = record.retiring.iter().map(|it| &it.environment).collect();
    match record
        .front
        .as_ref()
        .map(|front| (&front.phase, &front.plan))
    {
        None | Some((Phase::Detaching { .. }, _)) => {}
        Some((Phase::Superseding { clearing }, _)) => {
            taken.extend([&clearing.blue, &clearing.green]);
        }
        Some((_, plan)) => taken.extend([&plan.blue.environment, &plan.green.environment]),
    }
    let once: BTreeSet<&str> = taken.iter().map(|it| aws::group(it)).collect();
    once.len() == taken.len()
}

fn phases_follow(before: &Record, after: &Record) -> bool {
    let (Some(was), Some(is)) = (&before.front, &after.front) else {
        // Nobody's front is claimed, superseded into, or taken to detach; left it may be by all.
        let begun = after.front.as_ref().map(|front| &front.phase);
        return matches!(begun, None | Some(Phase::Claimed | Phase::Detaching { .. }));
    };
    let own = was.owner.deployment == is.owner.deployment;
    match (&was.phase, &is.phase) {
        (Phase::Superseding { .. }, Phase::Claimed) => own,
        (Phase::Claimed | Phase::Superseding { .. }, Phase::Superseding { .. }) => true,
        (Phase::Claimed, Phase::Claimed | Phase::Switched)
        | (Phase::Switched, Phase::Switched | Phase::RollingBack { .. })
        | (Phase::RollingBack { .. }, Phase::RollingBack { .. }) => own,
        (Phase::Detaching { .. }, Phase::Claimed) => !own,
        (Phase::Detaching { .. }, Phase::Detaching { .. }) => own,
        _ => false,
    }
}

fn same<'a>(before: &'a Record, after: &'a Record) -> Option<(&'a Front, &'a Front)> {
    let (was, is) = before.front.as_ref().zip(after.front.as_ref())?;
    (was.owner.deployment == is.owner.deployment).then_some((was, is))
}

fn wish_is_kept(before: &Record, after: &Record) -> bool {
    same(before, after).is_none_or(|(was, is)| {
        let (was, is) = (&was.wishes, &is.wishes);
        let rolls_back = was.roll_back.is_none() || was.roll_back == is.roll_back;
        // It may come again, by force; never again without.
        let forced = |of: &Wishes| of.promote.as_ref().map(|wished| wished.force);
        rolls_back && forced(was) <= forced(is) && is.approved.starts_with(&was.approved)
    })
}

fn weight_only_rises(before: &Record, after: &Record) -> bool {
    same(before, after).is_none_or(|(was, is)| {
        let stepped = was.phase == Phase::Switched && is.phase == Phase::Switched;
        !stepped || is.weights.green >= was.weights.green
    })
}

/// An entry ends gone, and leaves when the action does not name it.
fn left(
    world: &World,
    was: &Entry,
    after: &Record,
    sound: &impl Fn(bool, &str) -> Result<(), Broken>,
) -> Result<(), Broken> {
    match after.entry(&was.environment) {
        None => {
            sound(was.state == State::Gone, "an entry is lost")?;
            let named = world.things().weights;
            let named = named.contains_key(aws::group(&was.environment));
            sound(
                !named,
                "what is gone leaves the list while the action names it",
            )
        }
        Some(is) => {
            sound(
                is.owner.deployment == was.owner.deployment,
                "an environment changes its owner",
            )?;
            sound(is.outcome == was.outcome, "an outcome changes")?;
            if was.state == State::Draining && is.state == State::Gone {
                return sound(is_empty(world, was), "gone is not gone");
            }
            sound(was.state == is.state, "what is gone drains again")
        }
    }
}

fn is_empty(world: &World, entry: &Entry) -> bool {
    let things = world.things();
    let own = |it: &&Instance| {
        it.tag(ENVIRONMENT_TAG) == Some(&entry.environment.name)
            && it.tag(RETIRING_TAG) == Some(&entry.owner.deployment)
    };
    let group = aws::group(&entry.environment);
    let mut targets = things.targets.iter().filter(|(arn, _)| arn == group);
    let registered = targets.any(|(_, targets)| targets.iter().any(|it| it.registered));
    let mut own = things.instances.iter().filter(own);
    !registered && !own.any(Instance::is_live)
}

/// A new entry is the front's blue after its bake, or its green after its rollback, and has no weight.
fn arrived(
    world: &World,
    is: &Entry,
    before: &Record,
    sound: &impl Fn(bool, &str) -> Result<(), Broken>,
) -> Result<(), Broken> {
    if before.entry(&is.environment).is_some() {
        return Ok(());
    }
    let front = before.front.as_ref();
    let from = front.filter(|front| front.owner.deployment == is.owner.deployment);
    let fits = from.is_some_and(|front| match (&front.phase, &is.outcome) {
        (Phase::Switched, Outcome::Promoted) => {
            is.environment == front.plan.blue.environment && is.course.baked_at.is_some()
        }
        (Phase::RollingBack { .. }, Outcome::RolledBack { .. }) => {
            is.environment == front.plan.green.environment && is.course.baked_at.is_none()
        }
        _ => false,
    });
    sound(
        fits && is.state == State::Draining,
        "an entry comes from nowhere",
    )?;
    let weight = aws::weight(&world.things(), aws::group(&is.environment));
    sound(weight == 0 || world.meddled, "what retires has weight")
}

/// Nobody writes what is another's, but for dropping what is gone, taking a front that may be taken, and a wish.
fn others_stay(
    call: &Call,
    before: &Record,
    after: &Record,
    sound: &impl Fn(bool, &str) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let own = call.fence().map_or_else(String::new, |it| it.deployment);
    for entry in &after.retiring {
        let was = before.entry(&entry.environment);
        let untouched = entry.owner.deployment == own || was.is_none_or(|was| was == entry);
        sound(untouched, "another's entry is written")?;
    }
    let (was, is) = (&before.front, &after.front);
    let anothers = was.as_ref().filter(|front| front.owner.deployment != own);
    let Some(front) = anothers.filter(|_| was != is) else {
        return Ok(());
    };
    let mut wished = front.clone();
    if let Some(is) = is {
        wished.wishes = is.wishes.clone();
        wished.waits = is.waits.clone();
    }
    let takes = is
        .as_ref()
        .is_some_and(|front| front.owner.deployment == own);
    sound(
        call.act() == Some(Act::Claim) && (takes || *is == Some(wished)),
        "another's front is written",
    )
}

/// An outcome is written once, with the record that lets its environment go.
fn outcomes(world: &World, call: &Call, stood: &Stood, after: &Record) -> Result<(), Broken> {
    let outcomes = aws::outcomes(&world.fake);
    let sound = |holds: bool, how: &str, deployment: &str| {
        demand(holds, Rule::RecordIsSound, || {
            format!("{}: the outcome of {deployment} {how}", call.state)
        })
    };
    let (kept, new) = outcomes.split_at(stood.outcomes.len());
    sound(kept == stood.outcomes, "changes", "another")?;
    for outcome in new {
        let deployment = &outcome.deployment;
        let own = call.fence().is_some_and(|it| it.deployment == *deployment);
        sound(own, "is another's to write", deployment)?;
        let first = kept.iter().all(|it| it.deployment != *deployment);
        sound(first, "is written again", deployment)?;
        let entry = stood.record.entry_of(deployment);
        let released = match entry {
            Some(_) => after
                .entry_of(deployment)
                .is_none_or(|entry| entry.state == State::Gone),
            None => {
                let held = stood.record.front_of(deployment).is_some();
                held && after.front_of(deployment).is_none()
            }
        };
        sound(released, "comes before its end", deployment)?;
        let expected = entry.map_or("GreenRejected", |entry| entry.outcome.word());
        sound(outcome.outcome == expected, "is another", deployment)?;
    }
    Ok(())
}
