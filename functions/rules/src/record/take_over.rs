//! Going on with a deployment whose execution has ended: as holder of the front, or as owner of a retiring environment.
//!
//! The epoch is raised, so that calls of the former execution are refused, and those under way are waited out. The
//! take-over of an entry does no front work. Wishes survive.

use jiff::{SignedDuration, Timestamp};

use super::claim::{in_progress, name_of, wait_out};
use super::decide::{Made, Say};
use super::{
    Ask, Doing, Entry, Execution, Facts, Front, Next, Owner, Phase, Record, Refused, State,
};
use crate::input::Then;
use crate::plan::Asked;
use crate::shape::Fence;

pub(super) fn decide(
    record: &Record,
    ask: &Ask,
    facts: &Facts,
    now: Timestamp,
) -> Result<Made, Refused> {
    let plan = ask.document.plan()?;
    let deployment = plan.deployment.as_str();
    let Asked::TakeOver {
        then, green_weight, ..
    } = &plan.asked
    else {
        return Err(Refused::Misplaced("no take-over was planned".to_owned()));
    };
    if plan.epoch != record.epoch {
        return Err(Refused::PlanOutdated {
            planned: plan.epoch,
            epoch: record.epoch,
        });
    }
    let holder = facts.holder.clone().unwrap_or(Execution {
        running: true,
        status: "not known".to_owned(),
    });
    let front = record.front_of(deployment);
    let front = front.filter(|front| !matches!(front.phase, Phase::Detaching { .. }));
    if let Some(front) = front {
        if holder.running {
            let advice = "It goes on by itself: only an execution that has ended is taken over";
            return Err(in_progress(front, &holder, advice.to_owned()));
        }
        return of_front(record, front, ask, *then, *green_weight, now);
    }
    let Some(entry) = record.entry_of(deployment) else {
        return Err(Refused::TakeOver(not_owner(record, deployment)));
    };
    if holder.running {
        return Err(Refused::TakeOver(format!(
            "execution {} of deployment {deployment} is {}: it goes on by itself, and only one that has ended is taken over",
            entry.owner.execution, holder.status
        )));
    }
    if *then == Then::RollBack {
        return Err(Refused::TakeOver(draining_on(deployment)));
    }
    of_entry(record, entry, ask, now)
}

/// Why a drain is not rolled back.
fn draining_on(deployment: &str) -> String {
    format!(
        "deployment {deployment} is draining: its bake is over, and what is sealed nothing takes back; take it over with \
         \"then\": \"continue\", and deploy the version you want, it need not wait for the drain"
    )
}

/// That the record does not name a deployment, and whom it does name.
pub fn not_owner(record: &Record, deployment: &str) -> String {
    let front = record.front.as_ref().map(|front| &front.owner.deployment);
    let retiring = record.retiring.iter().map(|entry| &entry.owner.deployment);
    let named: Vec<&str> = front
        .into_iter()
        .chain(retiring)
        .map(String::as_str)
        .collect();
    let named = if named.is_empty() {
        "nobody does".to_owned()
    } else {
        format!("these do: {}", named.join(", "))
    };
    format!(
        "deployment {deployment} neither holds the front nor empties an environment, {named}; look up the deployment's \
         name, or start a deployment"
    )
}

fn of_front(
    record: &Record,
    front: &Front,
    ask: &Ask,
    then: Then,
    green_weight: u32,
    now: Timestamp,
) -> Result<Made, Refused> {
    let deployment = front.owner.deployment.as_str();
    let minimum_open = if green_weight > 0 {
        front.plan.policy.minimum_of_blue()
    } else {
        0
    };
    let asked = format!(
        "its take-over by execution {} asked for it",
        name_of(&ask.execution)
    );
    let (phase, doing, reason) = match (&front.phase, then) {
        (Phase::Superseding { .. } | Phase::Detaching { .. }, _) => {
            return Err(Refused::TakeOver(format!(
                "deployment {deployment} has moved no traffic, it is still clearing another's green away: there is nothing to \
                 go on with or to roll back; redrive its execution, or start a deployment, which supersedes it"
            )));
        }
        (Phase::Claimed, Then::Continue) => {
            let reason = "it had claimed, and goes on with its green";
            (Phase::Claimed, Doing::Launching, reason.to_owned())
        }
        (Phase::Claimed, Then::RollBack) => (Phase::Claimed, Doing::Rejecting, asked),
        (Phase::Switched, Then::Continue) => (
            Phase::Switched,
            Doing::Watching {
                weights: front.weights,
            },
            "it had switched, and goes on watching".to_owned(),
        ),
        (Phase::Switched, Then::RollBack) => (
            Phase::RollingBack {
                reason: asked.clone(),
            },
            Doing::Reopening { minimum_open },
            asked,
        ),
        (Phase::RollingBack { reason }, _) => (
            front.phase.clone(),
            Doing::Reopening { minimum_open },
            reason.clone(),
        ),
    };
    let epoch = record.epoch + 1;
    let mut next = raised(record, epoch);
    if let Some(front) = next.front.as_mut() {
        front.owner = successor(&front.owner, ask, epoch);
        front.phase = phase;
        front.course.next_part();
        front.grant_anew(now);
    }
    Ok(wait_out(Say::new(Next::WaitOut, doing, reason)).made(
        next,
        &fence(deployment, epoch),
        ask,
        now,
    ))
}

fn of_entry(record: &Record, entry: &Entry, ask: &Ask, now: Timestamp) -> Result<Made, Refused> {
    let deployment = entry.owner.deployment.as_str();
    let epoch = record.epoch + 1;
    let mut next = raised(record, epoch);
    // What it was detaching is left to whoever takes the front.
    if next.front_of(deployment).is_some() {
        next.front = None;
    }
    let mut moments = entry.moments;
    let term = SignedDuration::from_secs(i64::from(entry.plan.policy.deadline_seconds));
    moments.deadline_at = Some(now.checked_add(term).unwrap_or(Timestamp::MAX));
    for it in &mut next.retiring {
        if it.owner.deployment == deployment {
            it.owner = successor(&it.owner, ask, epoch);
            it.moments = moments;
            it.course.next_part();
        }
    }
    let doing = match entry.state {
        State::Draining => Doing::Draining {
            environment: entry.environment.clone(),
            moments,
        },
        State::Gone => Doing::Detaching {
            outcome: entry.outcome.clone(),
        },
    };
    let reason = format!("{} retires, and goes on", entry.environment.name);
    Ok(wait_out(Say::new(Next::WaitOut, doing, reason)).made(
        next,
        &fence(deployment, epoch),
        ask,
        now,
    ))
}

fn raised(record: &Record, epoch: u64) -> Record {
    Record {
        epoch,
        ..record.clone()
    }
}

fn successor(owner: &Owner, ask: &Ask, epoch: u64) -> Owner {
    Owner {
        deployment: owner.deployment.clone(),
        execution: ask.execution.clone(),
        epoch,
    }
}

fn fence(deployment: &str, epoch: u64) -> Fence {
    Fence {
        deployment: deployment.to_owned(),
        epoch,
    }
}
