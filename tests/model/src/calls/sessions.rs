//! The calls that ask servers, but for the check: each server is asked by itself, and may not answer.

use ebbtide_rules::document::Act;
use ebbtide_rules::green_test::{Finding, Subject, conclude, of_reading, of_resume};
use ebbtide_rules::report::{NewerEpoch, Reading, Reply, SessionReport, UnknownReason};
use ebbtide_rules::{ErrorName, Failure as _, Server};
use ebbtide_rules::{drain, resume};

use super::{Calling, Mishap, Returned, Told};
use crate::clock::{NOW, PAST};
use crate::server::{Order, Sent};
use crate::shipped::number_of;
use crate::variants::Variant;
use crate::world::World;

impl Calling<'_> {
    pub(super) fn test(&self, world: &mut World) -> Option<Returned> {
        let servers = self.known(world, self.document.green_servers().ok()?);
        if self.any_writes(world, servers) {
            return Some(Returned::Waits);
        }
        let policy = &self.document.recorded().ok()?.policy;
        let findings: Vec<(String, Finding)> = world
            .of(servers)
            .map(|server| {
                let reading = self.read(world, server);
                let found = match of_reading(&reading, &self.fence, Subject::Green, policy) {
                    Finding::Fit => {
                        let answer = self.send(world, server, Order::Resume);
                        of_resume(&answer, &self.fence, policy)
                    }
                    other => other,
                };
                (world.instance(server), found)
            })
            .collect();
        Some(match conclude(&findings, Subject::Green) {
            Ok(tested) => Returned::Answer(Told::Tested(tested)),
            Err(refused) => Returned::Failed(refused.name()),
        })
    }

    pub(super) fn drain(&self, world: &mut World) -> Option<Returned> {
        let servers = self.known(world, &self.document.retiring().ok()?.servers);
        if self.any_writes(world, servers) {
            return Some(Returned::Waits);
        }
        let mut question = self.document.drain().ok()?;
        if self.variant() == Variant::DrainUnsettled {
            question.settled_at = Some(PAST);
        }
        let drained = Returned::Answer(Told::Drained(drain::Drained::not_settled(None, NOW)));
        if drain::not_settled(&question, NOW).is_some() {
            return Some(drained);
        }
        let readings: Vec<Reading> = world
            .of(servers)
            .map(|server| self.read(world, server))
            .collect();
        let reports: Vec<&SessionReport> = readings.iter().filter_map(Reading::report).collect();
        if NewerEpoch::refuse(&self.fence, reports.iter().copied()).is_err() {
            return Some(Returned::Failed(ErrorName::Superseded));
        }
        let unknown = readings.len() - reports.len();
        let decision = drain::decide(&reports, unknown, &question, NOW);
        if let drain::Decision::Order { orders, .. } = decision {
            let ordered = world.set_of(orders.iter().map(|(instance, _)| instance));
            for server in world.of(ordered) {
                self.send(world, server, Order::Drain);
            }
        }
        Some(drained)
    }

    pub(super) fn resume(&self, world: &mut World) -> Option<Returned> {
        let (asked, minimum) = match self.act {
            Act::Resume => (
                self.document.blue_servers(),
                self.document.minimum_open().ok()?,
            ),
            _ => (self.document.unopened(), 0),
        };
        let servers = self.known(world, asked.ok()?);
        if self.any_writes(world, servers) {
            return Some(Returned::Waits);
        }
        let readings: Vec<Reading> = world
            .of(servers)
            .map(|server| self.read(world, server))
            .collect();
        if NewerEpoch::refuse(&self.fence, readings.iter().filter_map(Reading::report)).is_err() {
            return Some(Returned::Failed(ErrorName::Superseded));
        }
        let asked: Vec<Server> = world
            .of(servers)
            .map(|server| world.listed(server))
            .collect();
        let answers: Vec<Reply> = world
            .of(servers)
            .map(|server| self.send(world, server, Order::Resume))
            .collect();
        let minimum = usize::try_from(minimum).ok()?;
        Some(
            match resume::conclude(&asked, &answers, minimum, &self.fence, NOW) {
                Ok(resumed) => Returned::Answer(Told::Resumed(resumed)),
                Err(refused) => Returned::Failed(refused.name()),
            },
        )
    }

    pub(super) fn send(&self, world: &mut World, number: usize, order: Order) -> Reply {
        let sent = Sent {
            order,
            deployment: number_of(&self.fence.deployment),
            epoch: u8::try_from(self.fence.epoch).unwrap_or(u8::MAX),
        };
        let name = world.instance(number);
        let server = &mut world.servers[number];
        if self.mishap == Mishap::Late(number) {
            server.late = Some(sent);
            return Reply::Unknown(UnknownReason::TimedOut);
        }
        let answer = server.take(sent, &name, self.variant());
        if self.mishap == Mishap::Unheard(number) {
            return Reply::Unknown(UnknownReason::TimedOut);
        }
        answer
    }

    /// The listed servers that there still are; whoever asked the others would not be answered.
    pub(super) fn known(&self, world: &World, listed: &[Server]) -> u8 {
        world.set_of(listed.iter().map(|it| &it.instance))
    }

    pub(super) fn any_writes(&self, world: &World, servers: u8) -> bool {
        let mut servers = world.of(servers);
        servers.any(|server| world.servers[server].is_writing())
    }
}
