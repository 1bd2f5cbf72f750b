//! The state machine: what each state does and what follows it, as `statemachine.asl.json` says.
//!
//! Written by hand after the definition: the conditions of its writes and choices are JSONata, which nothing here can
//! call. Choices are folded into the state before them; waiting costs nothing, because anything may happen meanwhile.

mod record;

use crate::calls::{self, Mishap, Reply};
use crate::model::Deployments;
use crate::world::{At, Call, Execution, Listed, Status, Task, World};
use record::write;

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
