//! Who may take the front, and when weight may move.
//!
//! Refuses a claim while another deployment holds the front and goes on by itself, or ended after its switch, and where
//! no environment is free. A holder that ended before its switch is superseded; one that only detaches is overtaken.

use jiff::Timestamp;

use super::decide::{Made, Say};
use super::pass::note_unanswered;
use super::refused::InProgress;
use super::{
    Answered, Ask, Clearing, Course, Doing, Execution, Facts, Front, Halt, LATE_SECONDS, Next,
    Owner, Phase, Record, Refused, Wishes, take_over, wish,
};
use crate::plan::{Asked, Deploy, Gate, Plan, Recorded};
use crate::shape::{Environment, Fence};
use crate::weights::Weights;

/// All the weight is blue's.
const ALL_BLUE: Weights = Weights {
    blue: 100,
    green: 0,
};

pub(super) fn decide(
    record: &Record,
    ask: &Ask,
    facts: &Facts,
    now: Timestamp,
) -> Result<Made, Refused> {
    let plan = ask.document.plan()?;
    refuse_replaced(record, ask, plan)?;
    match &plan.asked {
        Asked::Deploy(deploy) => {
            if let Some(refused) = held(record, ask, facts, deploy.dry_run) {
                return refused.map_or_else(Err, |front| supersede(record, front, ask, now));
            }
            begin(record, ask, plan, deploy, facts, now)
        }
        Asked::Held { dry_run } => match held(record, ask, facts, *dry_run) {
            Some(refused) => refused.map_or_else(Err, |front| supersede(record, front, ask, now)),
            // It was held at the plan and is free now: there is no preflight to go by.
            None => Err(outdated(record, plan)),
        },
        Asked::TakeOver { .. } => take_over::decide(record, ask, facts, now),
        Asked::Wish { wish } => wish::decide(record, ask, wish, facts, now),
    }
}

/// An execution that has claimed before and whose place was taken begins nothing again: a redrive would deploy a second
/// time under the name of a deployment that another execution goes on with, or has ended.
fn refuse_replaced(record: &Record, ask: &Ask, plan: &Plan) -> Result<(), Refused> {
    let begins = matches!(plan.asked, Asked::Deploy(_) | Asked::Held { .. });
    let front = record.front.as_ref();
    let own = front.is_some_and(|front| front.owner.execution == ask.execution);
    if !begins || own {
        return Ok(());
    }
    refuse_name(record, plan)?;
    // One that had ended is another execution: AWS gives a name again after 90 days.
    let acted = |told: &&Answered| !matches!(told.answer.doing, Doing::Ended(_));
    match record.answered(&ask.execution).filter(acted) {
        None => Ok(()),
        Some(told) => Err(Refused::Superseded(
            record.superseded(&fence(plan, told.answer.epoch)),
        )),
    }
}

fn outdated(record: &Record, plan: &Plan) -> Refused {
    Refused::PlanOutdated {
        planned: plan.epoch,
        epoch: record.epoch,
    }
}

/// Another's front that is in the way: to be superseded, or a refusal. None where the front may be taken.
fn held<'a>(
    record: &'a Record,
    ask: &Ask,
    facts: &Facts,
    dry_run: bool,
) -> Option<Result<&'a Front, Refused>> {
    let front = record.front.as_ref()?;
    let detaches = matches!(front.phase, Phase::Detaching { .. });
    if detaches || front.owner.execution == ask.execution {
        return None;
    }
    let holder = facts.holder.clone().unwrap_or(Execution {
        running: true,
        status: "not known".to_owned(),
    });
    let before_switch = matches!(front.phase, Phase::Claimed | Phase::Superseding { .. });
    if before_switch && !holder.running && !dry_run {
        return Some(Ok(front));
    }
    let advice = match (holder.running, before_switch) {
        (true, _) => "Start this deployment again when its bake is over".to_owned(),
        (false, true) => {
            "It ended before any weight moved: a deployment that is no dry run supersedes it"
                .to_owned()
        }
        (false, false) => format!(
            "It ended after weights may have moved: redrive it, or take it over with the input \
             {{\"takeOver\": {{\"deployment\": \"{}\", \"then\": \"continue\"}}}}",
            front.owner.deployment
        ),
    };
    Some(Err(in_progress(front, &holder, advice)))
}

pub(super) fn in_progress(front: &Front, holder: &Execution, advice: String) -> Refused {
    let progress = front.course.progress.as_ref();
    Refused::InProgress(Box::new(InProgress {
        deployment: front.owner.deployment.clone(),
        epoch: front.owner.epoch,
        execution: front.owner.execution.clone(),
        status: holder.status.clone(),
        phase: front.phase.word(),
        waiting_for: progress.map(|progress| progress.waiting_for.clone()),
        advice,
    }))
}

/// Takes the place of one that ended before its switch: its green is ended first, then everything is planned again.
fn supersede(record: &Record, front: &Front, ask: &Ask, now: Timestamp) -> Result<Made, Refused> {
    let plan = ask.document.plan()?;
    let clearing = match &front.phase {
        Phase::Superseding { clearing } => clearing.clone(),
        _ => Clearing {
            deployment: front.owner.deployment.clone(),
            blue: front.plan.blue.environment.clone(),
            green: front.plan.green.environment.clone(),
            green_version: front.plan.green.version_before().map(str::to_owned),
            listeners: front.plan.listeners.clone(),
        },
    };
    let epoch = record.epoch + 1;
    let next = Record {
        epoch,
        front: Some(Front {
            owner: owner(plan, epoch),
            phase: Phase::Superseding {
                clearing: clearing.clone(),
            },
            plan: front.plan.clone(),
            weights: ALL_BLUE,
            course: Course::begun(now),
            wishes: Wishes::default(),
            waits: None,
        }),
        ..record.clone()
    };
    let reason = format!(
        "deployment {} ended before its switch; its green is ended, then this deployment is planned",
        front.owner.deployment
    );
    Ok(
        wait_out(Say::new(Next::WaitOut, Doing::Clearing(clearing), reason)).made(
            next,
            &fence(plan, epoch),
            ask,
            now,
        ),
    )
}

/// Whoever takes another's place waits until none of its calls can arrive any more.
pub(super) fn wait_out(say: Say) -> Say {
    say.after(u64::try_from(LATE_SECONDS).unwrap_or(u64::MAX))
}

fn begin(
    record: &Record,
    ask: &Ask,
    plan: &Plan,
    deploy: &Deploy,
    facts: &Facts,
    now: Timestamp,
) -> Result<Made, Refused> {
    if plan.epoch != record.epoch {
        return Err(outdated(record, plan));
    }
    if let Some(against) = facts.alarms.as_ref().and_then(|alarms| alarms.against()) {
        return Err(Refused::Preflight(against));
    }
    refuse_occupied(record, &deploy.recorded)?;
    if deploy.dry_run {
        let say = Say::new(Next::Show, Doing::Nothing, "a dry run: nothing was touched");
        return Ok(say.made(record.clone(), &fence(plan, record.epoch), ask, now));
    }
    let own = record
        .front
        .as_ref()
        .filter(|front| front.owner.execution == ask.execution);
    // A claim that comes late, after the intent to move weight is on record, must not take that back.
    if own.is_some_and(|front| !matches!(front.phase, Phase::Superseding { .. })) {
        return Err(outdated(record, plan));
    }
    // A deployment that superseded another keeps the epoch that it superseded it with.
    let epoch = own.map_or(record.epoch + 1, |front| front.owner.epoch);
    let overtakes = record.front.is_some() && own.is_none();
    let mut course = own.map_or_else(|| Course::begun(now), |front| front.course.clone());
    course.alarms_seen_at = facts.alarms.as_ref().map(|alarms| alarms.at);
    let next = Record {
        epoch,
        front: Some(Front {
            owner: owner(plan, epoch),
            phase: Phase::Claimed,
            plan: deploy.recorded.clone(),
            weights: ALL_BLUE,
            course,
            wishes: own.map_or_else(Wishes::default, |front| front.wishes.clone()),
            waits: own.and_then(|front| front.waits.clone()),
        }),
        ..record.clone()
    };
    let given_up = own.and_then(Front::given_up);
    let say = if let Some(reason) = given_up {
        Say::new(Next::WaitOut, Doing::Rejecting, reason)
    } else if overtakes {
        let reason = "the front only detached; its last call is waited out";
        wait_out(Say::new(Next::WaitOut, Doing::Launching, reason))
    } else {
        Say::new(Next::Launch, Doing::Launching, "the front was free")
    };
    Ok(say.made(next, &fence(plan, epoch), ask, now))
}

/// A name stands for one deployment: one whose drain goes on cannot begin once more.
fn refuse_name(record: &Record, plan: &Plan) -> Result<(), Refused> {
    match record.entry_of(&plan.deployment) {
        None => Ok(()),
        Some(entry) => Err(Refused::Preflight(format!(
            "deployment {} still empties {}: start this one under another name",
            entry.owner.deployment, entry.environment.name
        ))),
    }
}

/// Neither environment of the plan may retire, or be gone while the forward action still names it.
fn refuse_occupied(record: &Record, recorded: &Recorded) -> Result<(), Refused> {
    let taken = |environment: &Environment| record.entry(environment);
    let pair = [&recorded.blue.environment, &recorded.green.environment];
    match pair.into_iter().find_map(taken) {
        None => Ok(()),
        Some(entry) => Err(Refused::Preflight(format!(
            "{} still retires for deployment {}",
            entry.environment.name, entry.owner.deployment
        ))),
    }
}

/// Writes the intent to move weight, before the first weight.
pub(super) fn switch(
    record: &Record,
    ask: &Ask,
    facts: &Facts,
    now: Timestamp,
) -> Result<Made, Refused> {
    let fence = ask.document.fence()?;
    let front = own_front(record, &fence, ask)?;
    if front.phase != Phase::Claimed {
        return Err(Refused::Misplaced(format!(
            "asked to switch while {}",
            front.phase.word()
        )));
    }
    let alarms = facts.alarms.as_ref();
    let against = alarms.filter(|_| front.heeds_alarms());
    let against = against.and_then(|alarms| alarms.against());
    let against = against.map(|against| format!("{against}, before the switch"));
    if let Some(reason) = front.given_up().or(against) {
        let mut next = record.clone();
        if let Some(front) = next.front.as_mut() {
            front.waits = None;
        }
        let say = Say::new(Next::Reject, Doing::Rejecting, reason);
        return Ok(say.made(next, &fence, ask, now));
    }
    if let Some(halt) = front.halt(Some(Gate::Switch)) {
        return stand(record, front, halt, ask, &fence, now);
    }
    let steps = &front.plan.policy.steps;
    let first = steps.first().filter(|_| front.wishes.promote.is_none());
    let first = first.copied().unwrap_or(100);
    let weights = Weights {
        blue: 100_u32.saturating_sub(first),
        green: first,
    };
    let mut next = record.clone();
    if let Some(front) = next.front.as_mut() {
        front.phase = Phase::Switched;
        front.weights = weights;
        front.waits = None;
        front.course.switched_at = Some(now);
        front.course.alarms_seen_at = alarms.map(|alarms| alarms.at);
        note_unanswered(&mut front.course, ask, now);
    }
    let say = Say::new(
        Next::Pass,
        Doing::Watching { weights },
        "green is fit, and the intent to move weight is on record",
    );
    Ok(say.made(next, &fence, ask, now))
}

/// Stands before the switch; green is looked at again each time, since nobody keeps it healthy meanwhile.
fn stand(
    record: &Record,
    front: &Front,
    halt: Halt,
    ask: &Ask,
    fence: &Fence,
    now: Timestamp,
) -> Result<Made, Refused> {
    let mut stands = front.clone();
    note_unanswered(&mut stands.course, ask, now);
    let (wait, reason) = stands.stand(halt, ask, &front.course, now)?;
    let next = Record {
        front: Some(stands),
        ..record.clone()
    };
    let say = Say::new(Next::Wait, Doing::Launching, reason).after(wait);
    Ok(say.made(next, fence, ask, now))
}

/// The front, if it is the asking execution's.
pub(super) fn own_front<'a>(
    record: &'a Record,
    fence: &Fence,
    ask: &Ask,
) -> Result<&'a Front, Refused> {
    record
        .front
        .as_ref()
        .filter(|front| front.owner.is(fence) && front.owner.execution == ask.execution)
        .ok_or_else(|| Refused::Superseded(record.superseded(fence)))
}

/// An execution's name, the last part of its ARN.
pub(super) fn name_of(execution: &str) -> &str {
    execution.rsplit(':').next().unwrap_or(execution)
}

pub(super) fn owner(plan: &Plan, epoch: u64) -> Owner {
    Owner {
        deployment: plan.deployment.clone(),
        execution: plan.execution.clone(),
        epoch,
    }
}

pub(super) fn fence(plan: &Plan, epoch: u64) -> Fence {
    Fence {
        deployment: plan.deployment.clone(),
        epoch,
    }
}
