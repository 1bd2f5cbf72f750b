//! What a step does to the world.

use ebbtide_endpoint::admission::{Event, Mode};
use ebbtide_rules::input::{Verb, Wish};
use ebbtide_rules::plan::{Asked, Plan};
use ebbtide_rules::record::{Ask, Execution as Holder, Facts, Kind, decide, wants};

use crate::action::Action;
use crate::canonical;
use crate::clock::NOW;
use crate::definition::DEFINITION;
use crate::kept::Keep;
use crate::model::Deployments;
use crate::properties::Rule;
use crate::server::{Life, Order, Sent, Server};
use crate::shipped::{self, SERVICE, deployment};
use crate::variants::Variant;
use crate::workflow;
use crate::world::{Status, World};

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
            Action::Carry(number) => return self.carry(world, number),
            Action::Carried(number) => {
                world.servers[number].carried -= 1;
                if self.variant != Variant::CarriedNotCounted {
                    world.servers[number].leave();
                }
            }
            Action::Settle => world.stale = [false; 3],
            Action::Tick => Self::tick(world),
            Action::Knock(number) => return world.servers[number].knock(),
            Action::ComeIn(number) => return world.servers[number].come_in(),
            Action::GoAway(number) => world.servers[number].knocking -= 1,
            Action::Enforce(number) => world.servers[number].enforce(),
            Action::Falter(number) => world.servers[number].falter(),
            Action::Write(number) => world.servers[number].write(self.variant),
            Action::Crash(number) => world.servers[number].crash(),
            Action::Start(number) => world.servers[number].start(self.variant),
            Action::StartInUse(number) => world.servers[number].rejoin(true),
            Action::Deliver(number) => {
                if let Some(sent) = world.servers[number].late.take() {
                    let name = world.instance(number);
                    world.servers[number].take(sent, &name, self.variant);
                }
            }
            Action::OpenByHand(number) => self.by_hand(world, number),
            Action::Lose(number) => {
                let group = usize::from(world.servers[number].group);
                world.lost[group] += 1;
                world.servers[number].end();
            }
            Action::Launch(number) => {
                world.servers[number] = Server::new(0, Life::Up, self.endpoint);
                world.servers[number].served = world.weight(0) > 0;
            }
            Action::Wish(whose, verb) => return self.wish(world, whose, verb),
            Action::Alarm(number) => {
                return workflow::alarmed(self, world, number);
            }
            Action::Reject(number) => {
                workflow::rejects(self, world, number);
            }
            Action::Go(number, mishap) => return workflow::go(self, world, number, mishap),
            Action::Abandon(number) => self.abandon(world, number),
            Action::Redrive(number) => world.executions[number].status = Status::Running,
            Action::Begin(number) => return self.begin(world, number),
            Action::Stray(number) => return workflow::stray_on(self, world, number),
        }
        true
    }

    fn arrive(world: &mut World, number: usize, expected: bool) -> bool {
        let server = &mut world.servers[number];
        if !expected && server.has_agent() {
            return server.slip_in();
        }
        if server.enter(Event::EnterSession) {
            server.busy += 1;
            return true;
        }
        // A rollback gives weight back when the minimum is open; those that could not be reached are asked again.
        if expected && !server.missed {
            world.break_rule(Rule::NobodyTurnedAway);
            return true;
        }
        false
    }

    fn carry(&self, world: &mut World, number: usize) -> bool {
        let uncounted = self.variant == Variant::CarriedNotCounted;
        let server = &mut world.servers[number];
        let open = !matches!(server.admission.mode, Mode::Sealing | Mode::Sealed);
        let entered = if uncounted {
            open
        } else {
            server.enter(Event::EnterRequest)
        };
        server.carried += u8::from(entered);
        entered
    }

    fn by_hand(&self, world: &mut World, number: usize) {
        let highest = u8::try_from(world.record().epoch).unwrap_or(u8::MAX);
        let sent = Sent {
            order: Order::Resume,
            deployment: 0,
            epoch: highest.max(world.servers[number].epoch),
        };
        let name = world.instance(number);
        world.servers[number].take(sent, &name, self.variant);
    }

    /// An execution of its own tells a deployment something, and ends.
    fn wish(&self, world: &mut World, whose: u8, verb: Verb) -> bool {
        let record = world.record();
        let plan = Plan {
            deployment: "wish".to_owned(),
            execution: shipped::arn("wish"),
            service: SERVICE.to_owned(),
            epoch: record.epoch,
            asked: Asked::Wish {
                wish: Wish::new(verb, deployment(whose)),
            },
        };
        let ask = Ask {
            kind: Kind::Claim,
            execution: shipped::arn("wish"),
            state: "ClaimService".to_owned(),
            redrives: 0,
            document: ebbtide_rules::document::Document {
                plan: Some(plan),
                ..workflow::requested()
            },
        };
        let holder = wants(record, &ask).holder.map(|holder| Holder {
            running: world.runs(holder.keep()),
            status: String::new(),
        });
        let facts = Facts {
            alarms: None,
            holder,
        };
        let Ok(decision) = decide(record, &ask, &facts, NOW) else {
            return false;
        };
        world.record = canonical::record(self.clock, &decision.record).keep();
        true
    }

    fn abandon(&self, world: &mut World, number: usize) {
        let under_way = world.executions[number].call.take();
        let call = under_way.unwrap_or_else(|| workflow::call(world, number));
        if DEFINITION.act(call.at).is_some() {
            workflow::stray(self, world, call);
        }
        let execution = &mut world.executions[number];
        execution.status = Status::Stopped;
        execution.redrives += 1;
        execution.tried = false;
    }

    fn tick(world: &mut World) {
        for execution in &mut world.executions {
            execution.wait = execution.wait.saturating_sub(1);
        }
        world.strays.retain(|stray| stray.left > 1);
        for stray in &mut world.strays {
            stray.left -= 1;
        }
    }
}
