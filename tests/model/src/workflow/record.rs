//! The states that write the record, with the conditions of `statemachine.asl.json`, and where they lead.

use crate::model::Deployments;
use crate::world::{At, Execution, Outcome, Stage, Status, World};

/// A write of the state machine's own to the record, with its condition; and the waits.
pub(super) fn write(
    model: &Deployments,
    world: &mut World,
    execution: &mut Execution,
    number: usize,
) {
    let me = u8::try_from(number).unwrap_or(0);
    let record = &mut world.record;
    let mine = record.owner == Some(execution.deployment) && record.epoch == execution.epoch;
    match execution.at {
        At::Claim => claim(world, execution, me),
        At::Supersede => supersede(world, execution, me),
        At::TakeOver => take_over(world, execution, me),
        At::WaitOutOwner | At::WaitOutExecution => {
            // Longer than any function runs: whatever was under way before is over, by success or by its time-out.
            world.strays.retain(|stray| stray.execution == me);
            for (other, execution) in world.executions.iter_mut().enumerate() {
                if other != number {
                    execution.call = None;
                }
            }
            execution.at = match execution.at {
                At::WaitOutOwner => At::ClearGreen,
                _ => taken_over(execution),
            };
        }
        At::RecordSwitch if mine => {
            record.stage = if execution.baked {
                Stage::Draining
            } else {
                Stage::Switching
            };
            record.switched = true;
            execution.at = if execution.baked {
                At::ConfirmSwitch
            } else if record.wish {
                At::RollBack
            } else {
                At::SwitchTargetGroup
            };
        }
        At::RecordProgress if mine => {
            record.stage = if execution.rolling {
                Stage::RollingBack
            } else if execution.baked {
                Stage::Draining
            } else if execution.switched == Some(100) {
                Stage::Baking
            } else {
                Stage::Switching
            };
            execution.at = after_pass(model, execution, record.wish);
        }
        At::EndBake if mine => {
            record.stage = Stage::Draining;
            execution.baked = true;
            execution.at = if record.wish {
                At::RollBack
            } else {
                At::HoldBlueAgain
            };
        }
        At::RollBack => {
            let owner = record.owner == Some(execution.deployment) && record.execution == me;
            let next = model.epoch_after(execution.epoch);
            let fresh = record.epoch == execution.epoch;
            let repeated = record.epoch == next && record.stage == Stage::RollingBack;
            if !(owner && (fresh || repeated)) {
                execution.status = Status::Ended(Outcome::Superseded);
                return;
            }
            record.epoch = next;
            record.stage = Stage::RollingBack;
            execution.epoch = next;
            (execution.rolling, execution.baked) = (true, true);
            execution.at = At::ResumeBlue;
        }
        At::ReleaseService => release(world, execution, mine),
        _ => execution.status = Status::Ended(Outcome::Superseded),
    }
}

/// IsPassDone.
fn after_pass(model: &Deployments, execution: &mut Execution, wish: bool) -> At {
    let switched = execution.switched.unwrap_or(0);
    if !execution.baked && wish {
        At::RollBack
    } else if !execution.baked && switched < 100 && execution.age >= 1 {
        At::SwitchTargetGroup
    } else if !execution.baked && switched == 100 && execution.age >= model.baked_age() {
        At::EndBake
    } else if execution.baked && execution.may_terminate {
        At::TerminateBlue
    } else {
        At::HoldBlueAgain
    }
}

fn claim(world: &mut World, execution: &mut Execution, me: u8) {
    let Some((seen, ..)) = execution.seen else {
        return;
    };
    let record = &mut world.record;
    let free = record.owner.is_none() && record.epoch == seen;
    let repeated = record.owner == Some(execution.deployment)
        && record.execution == me
        && record.epoch == execution.epoch
        && !record.switched;
    if !(free || repeated) {
        return plan_again(execution);
    }
    record.owner = Some(execution.deployment);
    record.execution = me;
    record.epoch = execution.epoch;
    record.stage = Stage::Claimed;
    (record.switched, record.wish, record.clearing) = (false, false, None);
    record.blue = execution.blue;
    execution.seen = None;
    execution.at = At::AttachGreen;
}

fn supersede(world: &mut World, execution: &mut Execution, me: u8) {
    let Some((epoch, _, _, _, clearing)) = execution.seen else {
        return;
    };
    let record = &mut world.record;
    let fresh = record
        .owner
        .is_some_and(|owner| owner != execution.deployment)
        && record.epoch == epoch
        && !record.switched;
    let repeated = record.owner == Some(execution.deployment)
        && record.execution == me
        && record.epoch == epoch + 1
        && record.stage == Stage::Superseding;
    if !(fresh || repeated) {
        return plan_again(execution);
    }
    record.owner = Some(execution.deployment);
    record.execution = me;
    record.epoch = epoch + 1;
    record.stage = Stage::Superseding;
    record.clearing = clearing;
    execution.epoch = epoch + 1;
    execution.at = At::WaitOutOwner;
}

fn take_over(world: &mut World, execution: &mut Execution, me: u8) {
    let Some((epoch, theirs, stage, switched, _)) = execution.seen else {
        return;
    };
    let record = &mut world.record;
    let fresh = record.epoch == epoch && record.execution == theirs && record.stage == stage;
    let repeated = record.epoch == epoch + 1 && record.execution == me;
    if record.owner != Some(execution.deployment) || !(fresh || repeated) {
        return plan_again(execution);
    }
    let rolling = switched && (execution.then_roll_back || stage == Stage::RollingBack);
    record.execution = me;
    record.epoch = epoch + 1;
    record.stage = if switched && execution.then_roll_back {
        Stage::RollingBack
    } else {
        stage
    };
    record.wish = false;
    execution.epoch = epoch + 1;
    execution.rolling = rolling;
    execution.baked = rolling || stage == Stage::Draining;
    execution.at = At::WaitOutExecution;
}

/// IsSwitched.
fn taken_over(execution: &mut Execution) -> At {
    let switched = execution
        .seen
        .take()
        .is_some_and(|(_, _, _, switched, _)| switched);
    match (switched, execution.then_roll_back, execution.rolling) {
        (false, true, _) => {
            execution.rejected = true;
            At::RejectGreen
        }
        (false, false, _) => At::AttachGreen,
        (true, _, true) => At::ListBlue,
        (true, _, false) => At::HoldBlue,
    }
}

fn plan_again(execution: &mut Execution) {
    execution.status = Status::Waiting;
    execution.seen = None;
}

fn release(world: &mut World, execution: &mut Execution, mine: bool) {
    let outcome = if execution.rejected {
        Outcome::Rejected
    } else if execution.rolling {
        Outcome::RolledBack
    } else {
        Outcome::Promoted
    };
    let record = &mut world.record;
    let done = Some((execution.deployment, outcome));
    if mine {
        record.owner = None;
        record.stage = Stage::Released;
        record.wish = false;
        record.last = done;
    }
    let outcome = if record.last == done {
        outcome
    } else {
        Outcome::Superseded
    };
    execution.status = Status::Ended(outcome);
}
