//! The state machine: what each state does and what follows it, as `statemachine.asl.json` says.
//!
//! Written by hand after the definition: the conditions of its writes and choices are JSONata, which nothing here can
//! call. Choices are folded into the state before them; waiting costs nothing, because anything may happen meanwhile.

use crate::calls::{self, Mishap, Reply};
use crate::model::Deployments;
use crate::world::{At, Call, Execution, Listed, Outcome, Stage, Status, Task, World};

/// The call that a state makes, if it is a Lambda's Task.
pub(crate) fn call(model: &Deployments, world: &World, number: usize) -> Option<Call> {
    let execution = &world.executions[number];
    let (blue, green) = (execution.blue, 1 - execution.blue);
    let drained = Task::Terminate {
        listed: execution.retiring,
        sealed: execution.sealed,
        never_served: false,
        of: execution.deployment,
    };
    let never_served = |of| Task::Terminate {
        listed: Listed {
            group: green,
            servers: 0,
        },
        sealed: 0,
        never_served: true,
        of,
    };
    let task = match execution.at {
        At::ClearGreen => {
            let (_, _, _, _, clearing) = execution.seen?;
            never_served(clearing?)
        }
        At::AttachGreen => Task::Switch(0),
        At::LaunchGreen => Task::Launch,
        At::TestGreen => Task::Test(green_servers(world, green)),
        At::RejectGreen => never_served(execution.deployment),
        At::LetBlueBe | At::LetBlueGo => Task::LetGo(blue),
        At::HoldBlue | At::ListBlue => Task::Hold(blue),
        At::HoldGreen => Task::Hold(green),
        At::HoldBlueAgain => Task::Hold(execution.retiring.group),
        At::ConfirmSwitch => Task::Switch(100),
        At::SwitchTargetGroup => {
            let from = execution.switched.unwrap_or(0);
            Task::Switch(model.step_after(from))
        }
        At::ConfirmWeights => Task::Switch(execution.switched?),
        At::SwitchBack => Task::Switch(0),
        At::DrainIdle => Task::Drain(execution.retiring),
        At::CheckDrained => Task::Check(execution.retiring, execution.baked),
        At::TerminateBlue => drained,
        At::ResumeBlue => Task::Resume(execution.retiring.servers, model.minimum),
        At::ResumeBlueAgain => Task::Resume(execution.waiting, 0),
        At::Claim
        | At::Supersede
        | At::WaitOutOwner
        | At::TakeOver
        | At::WaitOutExecution
        | At::RecordSwitch
        | At::RecordProgress
        | At::EndBake
        | At::RollBack
        | At::ReleaseService => return None,
    };
    Some(Call {
        execution: u8::try_from(number).unwrap_or(0),
        deployment: execution.deployment,
        epoch: execution.epoch,
        blue,
        task,
        age: execution.age,
        in_step: execution
            .switched
            .is_some_and(|green| green > 0 && green < 100),
        bakeless: execution.bakeless,
        marks: None,
        ending: None,
    })
}

fn green_servers(world: &World, green: u8) -> u8 {
    let of_green =
        |(_, server): &(usize, &crate::server::Server)| server.group == green && server.is_live();
    let servers = world.servers.iter().enumerate().filter(of_green);
    servers.fold(0, |set, (number, _)| set | 1 << number)
}

/// One step of an execution. False when it has to wait.
pub(crate) fn go(model: &Deployments, world: &mut World, number: usize, mishap: Mishap) -> bool {
    let under_way = world.executions[number].call;
    match under_way.or_else(|| call(model, world, number)) {
        None => {
            let mut execution = world.executions[number].clone();
            let before = execution.clone();
            write(model, world, &mut execution, number);
            // The table has written, and the state is done again because its answer was lost.
            world.executions[number] = if mishap == Mishap::Unanswered {
                before
            } else {
                execution
            };
            true
        }
        Some(call) => match calls::step(model, world, call, mishap) {
            Reply::Waits => false,
            Reply::Under(call) => {
                world.executions[number].call = Some(call);
                true
            }
            reply => {
                world.executions[number].call = None;
                if mishap != Mishap::Unanswered {
                    let mut execution = world.executions[number].clone();
                    answered(model, world, &mut execution, reply);
                    world.executions[number] = execution;
                }
                true
            }
        },
    }
}

/// What follows a Lambda's answer.
fn answered(model: &Deployments, world: &World, execution: &mut Execution, reply: Reply) {
    match (execution.at, reply) {
        (At::SwitchTargetGroup | At::ConfirmWeights, Reply::GreenUnhealthy) => {
            execution.at = At::RollBack
        }
        (_, Reply::Failed | Reply::GreenUnhealthy) => execution.status = Status::Stopped,
        (At::ClearGreen, Reply::Terminated(empty)) => {
            if empty {
                execution.status = Status::Waiting;
                execution.seen = None;
            }
        }
        (At::AttachGreen, Reply::Switched(_)) => execution.at = At::LaunchGreen,
        (At::LaunchGreen, Reply::Done) => execution.at = At::TestGreen,
        (At::TestGreen, Reply::Tested(accepted)) => {
            if accepted {
                execution.at = At::HoldBlue;
            }
        }
        (At::RejectGreen, Reply::Terminated(empty)) => {
            if empty {
                execution.at = At::LetBlueBe;
            }
        }
        (At::LetBlueBe, Reply::Done) => execution.at = At::ReleaseService,
        (At::HoldBlue, Reply::Listed(listed)) => {
            execution.retiring = listed;
            execution.at = At::RecordSwitch;
        }
        (At::ListBlue, Reply::Listed(listed)) => {
            execution.retiring = listed;
            execution.at = At::ResumeBlue;
        }
        (At::HoldGreen, Reply::Listed(listed)) => {
            execution.retiring = listed;
            (execution.sealed, execution.may_terminate) = (0, false);
            execution.at = At::LetBlueGo;
        }
        (At::LetBlueGo, Reply::Done) => execution.at = At::HoldBlueAgain,
        (At::HoldBlueAgain, Reply::Listed(listed)) => {
            if model.variant != crate::variants::Variant::NotListedAgain {
                execution.retiring = listed;
            }
            execution.at = if execution.rolling && execution.waiting != 0 {
                At::ResumeBlueAgain
            } else if execution.baked {
                drain_or_check(model, execution)
            } else {
                At::ConfirmWeights
            };
        }
        (At::ConfirmSwitch, Reply::Switched(_)) => {
            confirmed(execution, 100, true, true);
            execution.at = At::HoldBlueAgain;
        }
        (At::SwitchTargetGroup, Reply::Switched(changed)) => {
            let green = model.step_after(execution.switched.unwrap_or(0));
            confirmed(execution, green, changed, false);
            execution.at = At::HoldBlueAgain;
        }
        (At::ConfirmWeights, Reply::Switched(changed)) => {
            let green = execution.switched.unwrap_or(100);
            confirmed(execution, green, changed, false);
            execution.at = drain_or_check(model, execution);
        }
        (At::SwitchBack, Reply::Switched(_)) => {
            confirmed(execution, 0, true, true);
            execution.at = At::HoldGreen;
        }
        (At::DrainIdle, _) => execution.at = At::CheckDrained,
        (At::CheckDrained, Reply::Checked(sealed, may_terminate)) => {
            (execution.sealed, execution.may_terminate) = (sealed, may_terminate);
            execution.at = At::RecordProgress;
        }
        (At::TerminateBlue, Reply::Terminated(empty)) => {
            execution.at = if empty {
                At::ReleaseService
            } else {
                At::HoldBlueAgain
            };
            (execution.sealed, execution.may_terminate) = (0, false);
        }
        (At::ResumeBlue, Reply::Resumed(waiting)) => {
            execution.waiting = waiting;
            execution.at = At::SwitchBack;
        }
        (At::ResumeBlueAgain, Reply::Resumed(waiting)) => {
            execution.waiting = waiting;
            execution.at = drain_or_check(model, execution);
        }
        (at, reply) => unreachable!(
            "{at:?} was answered {reply:?} with {} servers",
            world.servers.len()
        ),
    }
}

/// Moments count from when the weights were first confirmed; a change, other weights or no answer before begin anew.
fn confirmed(execution: &mut Execution, green: u8, anew: bool, bakeless: bool) {
    if anew || execution.switched != Some(green) {
        execution.age = 0;
    }
    execution.switched = Some(green);
    execution.bakeless = bakeless;
}

/// IsSettled.
fn drain_or_check(model: &Deployments, execution: &Execution) -> At {
    let unsettled = model.variant == crate::variants::Variant::DrainUnsettled;
    let in_step = execution
        .switched
        .is_some_and(|green| green > 0 && green < 100);
    if !in_step && (execution.age > 0 || unsettled) {
        At::DrainIdle
    } else {
        At::CheckDrained
    }
}

/// A write of the state machine's own to the record, with its condition; and the waits.
fn write(model: &Deployments, world: &mut World, execution: &mut Execution, number: usize) {
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
