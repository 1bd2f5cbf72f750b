//! What may happen in a state: every step that somebody may take now.

use tunnel::admission::Mode;

use crate::action::Action;
use crate::calls::Mishap;
use crate::model::{Deployments, Second};
use crate::server::Life;
use crate::world::{At, Execution, Mark, Stage, Status, World};

impl Deployments {
    pub(crate) fn users(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let server = &world.servers[number];
        if server.life != Life::Up {
            return;
        }
        let room = server.busy + server.idle < self.sessions;
        if room && world.is_routed(server) {
            actions.push(Action::Arrive(number));
        } else if room
            && world.faults > 0
            && server.registered
            && server.served
            && server.admission.mode == Mode::Open
        {
            actions.push(Action::Straggle(number));
        }
        if server.busy > 0 {
            actions.push(Action::Rest(number));
            actions.push(Action::Leave(number));
        }
        if server.idle > 0 {
            actions.push(Action::Use(number));
            actions.push(Action::Close(number));
        }
        if server.carried < self.carried && server.served {
            actions.push(Action::Carry(number));
        }
        if server.carried > 0 {
            actions.push(Action::Carried(number));
        }
    }

    pub(crate) fn fate(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let server = &world.servers[number];
        match server.life {
            Life::Up => {
                if server.sealing.is_some() {
                    actions.push(Action::Write(number));
                }
                if server.late.is_some() && !server.is_writing() {
                    actions.push(Action::Deliver(number));
                }
                if world.faults > 0 {
                    actions.push(Action::Crash(number));
                    if server.admission.mode != Mode::Open && !server.is_writing() {
                        actions.push(Action::OpenByHand(number));
                    }
                }
            }
            Life::Down => {
                actions.push(Action::Start(number));
                let draining = matches!(world.record.stage, Stage::Draining | Stage::RollingBack);
                let retiring =
                    world.record.owner.is_some() && server.retiring == world.record.owner;
                if draining
                    && retiring
                    && !world.is_routed(server)
                    && self.is_drained(world, server.group)
                {
                    actions.push(Action::Lose(number));
                }
            }
            Life::Absent if server.group == 0 && self.launches > 0 => {
                actions.push(Action::Launch(number));
            }
            Life::Absent | Life::Gone => {}
        }
    }

    /// Whether the owner is draining a group now, so that an operator may give up a server of it.
    fn is_drained(&self, world: &World, group: u8) -> bool {
        let execution = &world.executions[usize::from(world.record.execution)];
        // A rollback still needs blue: one that has lost too many waits for an operator to add servers and take it over.
        let back = execution.rolling || execution.at == At::RollBack;
        let needed = back && group == execution.blue;
        execution.retiring.group == group
            && execution.baked
            && execution.switched.is_some()
            && !needed
    }

    fn mishaps(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let execution = &world.executions[number];
        actions.push(Action::Go(number, Mishap::None));
        if world.faults == 0 {
            return;
        }
        let mut each = |servers: u8, mishaps: &[fn(usize) -> Mishap]| {
            for server in world
                .of(servers)
                .filter(|server| world.servers[*server].life == Life::Up)
            {
                let late = world.servers[server].late.is_some();
                for mishap in mishaps {
                    let mishap = mishap(server);
                    if !(late && matches!(mishap, Mishap::Late(_))) {
                        actions.push(Action::Go(number, mishap));
                    }
                }
            }
        };
        let listed = execution.retiring.servers;
        match execution.at {
            At::DrainIdle => each(listed, &[Mishap::Late, Mishap::Unread]),
            At::ResumeBlue => each(listed, &[Mishap::Late, Mishap::Unheard]),
            At::ResumeBlueAgain => each(execution.waiting, &[Mishap::Late]),
            At::CheckDrained => {
                let Some(marks) = execution.call.and_then(|call| call.marks) else {
                    return each(listed, &[Mishap::Unread]);
                };
                // The call's next step concerns one server only.
                let at = |mark| marks.iter().position(|found| *found == mark);
                if let Some(asked) = at(Mark::Asked) {
                    each(1 << asked, &[Mishap::Unheard]);
                } else if let Some(next) = at(Mark::ToAsk) {
                    each(1 << next, &[Mishap::Late]);
                }
            }
            At::TerminateBlue | At::RejectGreen | At::ClearGreen | At::TestGreen => {}
            At::WaitOutOwner | At::WaitOutExecution => {}
            _ => actions.push(Action::Go(number, Mishap::Unanswered)),
        }
    }

    pub(crate) fn execution(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let execution = &world.executions[number];
        match execution.status {
            Status::Running => {
                self.mishaps(world, number, actions);
                if execution.at == At::TestGreen && execution.call.is_none() {
                    actions.push(Action::Reject(number));
                }
                if self.alarms && execution.at == At::ConfirmWeights && execution.call.is_none() {
                    actions.push(Action::Alarm(number));
                }
                if world.faults > 0 && world.strays.len() < usize::from(self.strays) {
                    actions.push(Action::Abandon(number));
                }
            }
            Status::Stopped => actions.push(Action::Redrive(number)),
            Status::Waiting => {
                actions.push(Action::Begin(number, false));
                if self.second == Second::TakesOver {
                    actions.push(Action::Begin(number, true));
                }
            }
            Status::Ended(_) => {}
        }
    }

    /// Whether time may pass: nobody counts as settled before the load balancer is. That is the setting's promise.
    pub(crate) fn may_tick(world: &World) -> bool {
        let waits = |execution: &Execution| {
            execution.switched.is_some()
                && execution.age < 2
                && matches!(execution.status, Status::Running | Status::Stopped)
        };
        world.stale == [false, false] && world.executions.iter().any(waits)
    }
}
