//! What may happen in a state: every step that somebody may take now.

use ebbtide_endpoint::admission::Mode;
use ebbtide_rules::document::{Act, Document};
use ebbtide_rules::record::Kind;

use crate::action::Action;
use crate::calls::{Mishap, kind};
use crate::definition::DEFINITION;
use crate::model::{Deployments, Mishaps};
use crate::server::{Life, Server};
use crate::world::{Execution, Mark, Role, Status, World};

impl Deployments {
    pub(crate) fn users(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let server = &world.servers[number];
        if !server.serves() {
            return;
        }
        let room = server.busy + server.idle < self.sessions;
        if room && world.is_routed(server) {
            actions.push(Action::Arrive(number));
        } else if room
            && world.faults > 0
            && server.registered
            && server.served
            && (server.admission.mode == Mode::Open || server.has_agent())
        {
            actions.push(Action::Straggle(number));
        }
        if server.has_agent() && server.knocking == 0 && world.is_routed(server) {
            actions.push(Action::Knock(number));
        }
        if server.knocking > 0 {
            actions.push(Action::GoAway(number));
            if room {
                actions.push(Action::ComeIn(number));
            }
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
                if server.has_written() {
                    actions.push(Action::Enforce(number));
                    if world.faults > 0 {
                        actions.push(Action::Falter(number));
                    }
                } else if server.sealing.is_some() {
                    actions.push(Action::Write(number));
                }
                if server.late.is_some() && !server.is_writing() {
                    actions.push(Action::Deliver(number));
                }
                if world.faults > 0 && self.mishaps == Mishaps::All {
                    actions.push(Action::Crash(number));
                    if server.admission.mode != Mode::Open && !server.is_writing() {
                        actions.push(Action::OpenByHand(number));
                    }
                }
            }
            Life::Down => {
                actions.push(Action::Start(number));
                if server.has_agent() && server.kept_seal && !server.barred {
                    actions.push(Action::StartInUse(number));
                }
                if world.retires(server.group)
                    && server.retiring.is_some()
                    && !world.is_routed(server)
                {
                    actions.push(Action::Lose(number));
                }
            }
            Life::Absent if server.group == 0 && self.launches > 0 && has_scaling(world) => {
                actions.push(Action::Launch(number));
            }
            Life::Absent | Life::Gone => {}
        }
    }

    fn mishaps(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let execution = &world.executions[number];
        actions.push(Action::Go(number, Mishap::None));
        let Some(act) = DEFINITION.act(execution.at) else {
            return;
        };
        if world.faults == 0 {
            return;
        }
        if changes(act) && execution.call.is_none() {
            actions.push(Action::Go(number, Mishap::Unanswered));
            if self.mishaps == Mishaps::Calls && world.strays.len() < usize::from(self.strays) {
                actions.push(Action::Go(number, Mishap::GivenUp));
                if kind(act).is_none() || self.variant == crate::variants::Variant::LateWriteWins {
                    actions.push(Action::Go(number, Mishap::Decided));
                }
            }
        }
        if self.mishaps == Mishaps::All {
            self.of_servers(world, execution, act, number, actions);
        }
    }

    fn of_servers(
        &self,
        world: &World,
        execution: &Execution,
        act: Act,
        number: usize,
        actions: &mut Vec<Action>,
    ) {
        let mut each = |servers: u8, mishaps: &[fn(usize) -> Mishap]| {
            let up = world
                .of(servers)
                .filter(|server| world.servers[*server].life == Life::Up);
            for server in up {
                let late = world.servers[server].late.is_some();
                for mishap in mishaps {
                    let mishap = mishap(server);
                    if !(late && matches!(mishap, Mishap::Late(_))) {
                        actions.push(Action::Go(number, mishap));
                    }
                }
            }
        };
        let document = execution.document.get();
        let listed = listed(world, document);
        match act {
            Act::Drain => each(listed, &[Mishap::Late, Mishap::Unread]),
            Act::Resume => each(listed, &[Mishap::Late, Mishap::Unheard]),
            Act::ResumeAgain => each(waiting(world, document), &[Mishap::Late]),
            Act::Check => {
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
            _ => {}
        }
    }

    pub(crate) fn execution(&self, world: &World, number: usize, actions: &mut Vec<Action>) {
        let execution = &world.executions[number];
        match execution.status {
            Status::Running if execution.wait > 0 => {}
            Status::Running => {
                self.mishaps(world, number, actions);
                let act = DEFINITION.act(execution.at);
                if self.alarms {
                    let asked = act.and_then(kind);
                    if matches!(asked, Some(Kind::Switch | Kind::Pass)) {
                        actions.push(Action::Alarm(number));
                    }
                    if act == Some(Act::TestGreen) && execution.call.is_none() {
                        actions.push(Action::Reject(number));
                    }
                }
                let calls = act.is_some();
                if calls && world.faults > 0 && world.strays.len() < usize::from(self.strays) {
                    actions.push(Action::Abandon(number));
                }
            }
            Status::Stopped => actions.push(Action::Redrive(number)),
            Status::Waiting if self.may_begin(world, number) => actions.push(Action::Begin(number)),
            Status::Waiting => {}
            Status::Ended => {}
        }
    }

    /// Deployments come in their order: which of them is called the first one makes no difference.
    fn may_begin(&self, world: &World, number: usize) -> bool {
        let earlier = &world.executions[..number];
        let deploys = |it: &&Execution| it.role == Role::Deploys;
        world.executions[number].role != Role::Deploys
            || earlier
                .iter()
                .filter(deploys)
                .all(|it| it.status != Status::Waiting)
    }

    /// Whether time may pass: nobody counts as settled before the load balancer is. That is the setting's promise.
    pub(crate) fn may_tick(world: &World) -> bool {
        world.stale == [false; 3]
    }
}

/// Whether Auto Scaling may launch for A: holding suspends it, and what it had begun before shows while A is emptied. What
/// it launches once nothing is left there is no deployment's.
fn has_scaling(world: &World) -> bool {
    let of_group = |server: &Server| server.group == 0 && server.is_live();
    world.weight(0) > 0 || world.servers.iter().any(of_group)
}

/// Whether a repeat of the act may find that the first call has changed something.
fn changes(act: Act) -> bool {
    !matches!(
        act,
        Act::Drain
            | Act::Check
            | Act::TestBlue
            | Act::TestGreen
            | Act::AskBlue
            | Act::AskGreen
            | Act::AskService
    )
}

fn listed(world: &World, document: &Document) -> u8 {
    let retiring = document.retiring.as_ref();
    let servers = retiring.iter().flat_map(|it| &it.servers);
    world.set_of(servers.map(|server| &server.instance))
}

fn waiting(world: &World, document: &Document) -> u8 {
    let resumed = document.resume.as_ref();
    let servers = resumed.iter().flat_map(|it| &it.waiting);
    world.set_of(servers.map(|server| &server.instance))
}
