//! What a step does to the world.

use ebbtide_rules::plan;
use tunnel::admission::{Event, Mode};

use crate::action::Action;
use crate::calls::{self, Mishap};
use crate::model::Deployments;
use crate::properties::Rule;
use crate::server::{Life, Order, Sent, Server};
use crate::shipped;
use crate::variants::Variant;
use crate::workflow;
use crate::world::{At, Stage, Status, World};

impl Deployments {
    /// Takes a step; false if it leads nowhere.
    pub(crate) fn take(&self, world: &mut World, action: Action) -> bool {
        if action.is_fault() {
            world.faults -= 1;
        }
        match action {
            Action::Arrive(number) => return Self::arrive(world, number, true),
            Action::Straggle(number) => return Self::arrive(world, number, false),
            Action::Rest(number) => {
                let server = &mut world.servers[number];
                (server.busy, server.idle) = (server.busy - 1, server.idle + 1);
            }
            Action::Use(number) => {
                let server = &mut world.servers[number];
                (server.busy, server.idle) = (server.busy + 1, server.idle - 1);
            }
            Action::Leave(number) => {
                world.servers[number].busy -= 1;
                world.servers[number].leave();
            }
            Action::Close(number) => {
                world.servers[number].idle -= 1;
                world.servers[number].leave();
            }
            Action::Carry(number) => {
                let uncounted = self.variant == Variant::CarriedNotCounted;
                let server = &mut world.servers[number];
                let open = !matches!(server.admission.mode, Mode::Sealing | Mode::Sealed);
                if !(if uncounted {
                    open
                } else {
                    server.enter(Event::EnterRequest)
                }) {
                    return false;
                }
                server.carried += 1;
            }
            Action::Carried(number) => {
                world.servers[number].carried -= 1;
                if self.variant != Variant::CarriedNotCounted {
                    world.servers[number].leave();
                }
            }
            Action::Settle => world.stale = [false, false],
            Action::Tick => Self::tick(world),
            Action::Write(number) => world.servers[number].write(self.variant),
            Action::Crash(number) => world.servers[number].crash(),
            Action::Start(number) => world.servers[number].start(self.variant),
            Action::Deliver(number) => {
                if let Some(sent) = world.servers[number].late.take() {
                    world.servers[number].take(sent, shipped::instance(number), self.variant);
                }
            }
            Action::OpenByHand(number) => self.by_hand(world, number),
            Action::Lose(number) => {
                let group = usize::from(world.servers[number].group);
                world.lost[group] += 1;
                world.servers[number].end();
            }
            Action::Launch(number) => {
                world.servers[number] = Server::new(0, Life::Up);
                world.servers[number].served = world.weights[0] > 0;
            }
            Action::Wish => return self.wish(world),
            Action::Alarm(number) => world.executions[number].at = At::RollBack,
            Action::Reject(number) => {
                world.executions[number].rejected = true;
                world.executions[number].at = At::RejectGreen;
            }
            Action::Go(number, mishap) => return workflow::go(self, world, number, mishap),
            Action::Abandon(number) => self.abandon(world, number),
            Action::Redrive(number) => world.executions[number].status = Status::Running,
            Action::Begin(number, roll_back) => return self.begin(world, number, roll_back),
            Action::Stray(number) => return self.stray(world, number),
        }
        true
    }

    fn arrive(world: &mut World, number: usize, expected: bool) -> bool {
        let (epoch, stage) = (world.record.epoch, world.record.stage);
        let server = &mut world.servers[number];
        if server.enter(Event::EnterSession) {
            server.busy += 1;
            return true;
        }
        // A rollback gives weight back when the minimum is open; those that could not be reached are asked again.
        let missed = server.epoch < epoch || stage == Stage::Released;
        if expected && !missed {
            world.break_rule(Rule::NobodyTurnedAway);
            return true;
        }
        false
    }

    fn by_hand(&self, world: &mut World, number: usize) {
        let sent = Sent {
            order: Order::Resume,
            deployment: world.record.owner.unwrap_or(0),
            epoch: world.record.epoch.max(world.servers[number].epoch),
        };
        world.servers[number].take(sent, shipped::instance(number), self.variant);
    }

    fn wish(&self, world: &mut World) -> bool {
        let Some(owner) = world.record.owner else {
            return false;
        };
        let running =
            world.executions[usize::from(world.record.execution)].status == Status::Running;
        let wished = plan::roll_back(&world.shipped_record(), shipped::deployment(owner)).is_ok();
        // The condition of AskToRollBack.
        let in_time = matches!(
            world.record.stage,
            Stage::Claimed | Stage::Switching | Stage::Baking
        );
        let fresh = self.wishes && running && wished && in_time && !world.record.wish;
        world.record.wish |= fresh;
        fresh
    }

    fn abandon(&self, world: &mut World, number: usize) {
        let under_way = world.executions[number].call.take();
        if let Some(stray) = under_way.or_else(|| workflow::call(self, world, number)) {
            world.strays.push(stray);
            world.strays.sort_unstable();
        }
        world.executions[number].status = Status::Stopped;
    }

    fn stray(&self, world: &mut World, number: usize) -> bool {
        let call = world.strays.remove(number);
        match calls::step(self, world, call, Mishap::None) {
            calls::Reply::Waits => false,
            calls::Reply::Under(call) => {
                world.strays.push(call);
                world.strays.sort_unstable();
                true
            }
            _ => true,
        }
    }

    fn tick(world: &mut World) {
        for execution in &mut world.executions {
            if execution.switched.is_some() {
                execution.age = (execution.age + 1).min(2);
                if let Some(call) = &mut execution.call {
                    call.age = (call.age + 1).min(2);
                }
            }
        }
        for stray in &mut world.strays {
            stray.age = (stray.age + 1).min(2);
        }
        world.strays.sort_unstable();
    }
}
