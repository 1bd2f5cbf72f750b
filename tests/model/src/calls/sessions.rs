//! The calls that ask servers, but for the check: each server is asked by itself, and may not answer.

use super::{Calling, Mishap, Reply, shipped_server};
use crate::server::{Order, Sent};
use crate::shipped;
use crate::shipped::{CONFIRMED, instance, moment};
use crate::variants::Variant;
use crate::world::{Listed, World};
use ebbtide_rules::report::{Answer, NewerEpoch, Reading, SessionReport, UnknownReason};
use ebbtide_rules::{drain, resume};

impl Calling<'_> {
    pub(super) fn test(&self, world: &mut World, servers: u8) -> Reply {
        if self.any_writes(world, servers) {
            return Reply::Waits;
        }
        let fence = self.fence();
        let opened = world.of(servers).all(|server| {
            let answer = self.send(world, server, Order::Resume);
            resume::opening(&answer, &fence) == resume::Opening::Open
        });
        Reply::Tested(opened)
    }

    pub(super) fn drain(&self, world: &mut World, listed: Listed) -> Reply {
        if self.any_writes(world, listed.servers) {
            return Reply::Waits;
        }
        let unsettled = self.variant() == Variant::DrainUnsettled;
        let moments = self.moments();
        let question = drain::Question {
            pace: match drain::Pace::try_from(20.0) {
                Ok(pace) => pace,
                Err(_) => return Reply::Failed,
            },
            settled_at: if unsettled {
                Some(CONFIRMED)
            } else {
                moments.settled_at
            },
            changed_at: None,
            baking: false,
            poll_seconds: 30,
        };
        let now = moment(self.call.age);
        if drain::not_settled(&question, now).is_some() {
            return Reply::Done;
        }
        let readings: Vec<Reading> = world
            .of(listed.servers)
            .map(|server| self.read(world, server))
            .collect();
        let reports: Vec<&SessionReport> = readings.iter().filter_map(Reading::report).collect();
        if NewerEpoch::refuse(&self.fence(), reports.iter().copied()).is_err() {
            return Reply::Failed;
        }
        let unknown = readings.len() - reports.len();
        if let drain::Decision::Order { orders, .. } =
            drain::decide(&reports, unknown, &question, now)
        {
            for server in world.of(shipped::set(orders.iter().map(|(instance, _)| instance))) {
                self.send(world, server, Order::Drain);
            }
        }
        Reply::Done
    }

    pub(super) fn resume(&self, world: &mut World, servers: u8, minimum: u8) -> Reply {
        if self.any_writes(world, servers) {
            return Reply::Waits;
        }
        let fence = self.fence();
        let readings: Vec<Reading> = world
            .of(servers)
            .map(|server| self.read(world, server))
            .collect();
        if NewerEpoch::refuse(&fence, readings.iter().filter_map(Reading::report)).is_err() {
            return Reply::Failed;
        }
        let answers: Vec<Answer> = world
            .of(servers)
            .map(|server| self.send(world, server, Order::Resume))
            .collect();
        let asked: Vec<_> = world.of(servers).map(shipped_server).collect();
        match resume::conclude(&asked, &answers, usize::from(minimum), &fence, CONFIRMED) {
            Ok(resumed) => Reply::Resumed(shipped::set(
                resumed.waiting.iter().map(|server| &server.instance),
            )),
            Err(_) => Reply::Failed,
        }
    }

    pub(super) fn send(&self, world: &mut World, number: usize, order: Order) -> Answer {
        let sent = Sent {
            order,
            deployment: self.call.deployment,
            epoch: self.call.epoch,
        };
        let server = &mut world.servers[number];
        if self.mishap == Mishap::Late(number) {
            server.late = Some(sent);
            return Answer::Unknown(UnknownReason::TimedOut);
        }
        let answer = server.take(sent, instance(number), self.variant());
        if self.mishap == Mishap::Unheard(number) {
            return Answer::Unknown(UnknownReason::TimedOut);
        }
        answer
    }

    pub(super) fn any_writes(&self, world: &World, servers: u8) -> bool {
        world
            .of(servers)
            .any(|server| world.servers[server].is_writing())
    }
}
