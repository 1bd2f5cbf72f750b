//! The end of instances: reading the record, deregistering, reading it again and ending are steps of their own.

use super::{Calling, Reply};
use crate::properties::Rule;
use crate::server::Server;
use crate::shipped;
use crate::shipped::{environment, instance};
use crate::variants::Variant;
use crate::world::{Call, Task, Turn, World};
use ebbtide_rules::terminate;
use ebbtide_rules::terminate::Licence;

impl Calling<'_> {
    pub(super) fn terminate(&self, world: &mut World) -> Reply {
        match self.call.ending {
            None => {
                if !self.admits(world) {
                    return Reply::Failed;
                }
                let decision = terminate::decide(&self.seen(world), &self.order());
                let chosen = shipped::set(&decision.terminate);
                if chosen == 0 {
                    return self.rest(world);
                }
                self.to_end(chosen, Turn::Deregister)
            }
            Some((0, _)) => self.rest(world),
            Some((chosen, Turn::Deregister)) => {
                for server in world.of(chosen) {
                    self.may_end(world, server);
                    world.servers[server].registered = false;
                }
                self.to_end(chosen, Turn::Read)
            }
            Some((chosen, Turn::Read)) => {
                if !self.admits(world) {
                    return Reply::Failed;
                }
                let first = chosen.trailing_zeros() as usize;
                let recheck = self.variant() == Variant::RecheckNotSeal;
                if recheck && world.servers[first].holds() {
                    self.without(world, chosen, first)
                } else {
                    self.to_end(chosen, Turn::End)
                }
            }
            Some((chosen, Turn::End)) => {
                let first = chosen.trailing_zeros() as usize;
                if world.servers[first].is_live() {
                    self.may_end(world, first);
                    world.servers[first].end();
                }
                self.without(world, chosen, first)
            }
        }
    }

    fn without(&self, world: &World, chosen: u8, server: usize) -> Reply {
        let others = chosen & !(1 << server);
        if others == 0 {
            self.rest(world)
        } else {
            self.to_end(others, Turn::Read)
        }
    }

    pub(super) fn to_end(&self, chosen: u8, turn: Turn) -> Reply {
        Reply::Under(Call {
            ending: Some((chosen, turn)),
            ..self.call
        })
    }

    /// Notes what an end breaks.
    fn may_end(&self, world: &mut World, number: usize) {
        let Task::Terminate { never_served, .. } = self.call.task else {
            return;
        };
        let server = world.servers[number];
        if server.holds() {
            world.break_rule(Rule::NothingCut);
        }
        let licensed = if never_served {
            !server.served
        } else {
            server.promised == Some(self.call.deployment)
        };
        if !licensed {
            world.break_rule(Rule::EndedSealed);
        }
        let retiring = never_served || server.retiring == Some(self.call.deployment);
        if !retiring || world.weights[usize::from(server.group)] > 0 {
            world.break_rule(Rule::EndedRetiring);
        }
    }

    pub(super) fn order(&self) -> terminate::Order {
        let Task::Terminate {
            listed,
            sealed,
            never_served,
            of,
        } = self.call.task
        else {
            unreachable!("only terminate-blue orders an end");
        };
        terminate::Order {
            deployment: shipped::deployment(of).to_owned(),
            environment: environment(listed.group),
            licence: if never_served {
                Licence::NeverServed
            } else {
                Licence::Sealed
            },
            sealed: (0..4)
                .filter(|server| sealed & (1 << server) != 0)
                .map(|server| instance(server).to_owned())
                .collect(),
        }
    }

    fn seen(&self, world: &World) -> terminate::Observation {
        let Task::Terminate {
            listed,
            sealed,
            never_served,
            of,
        } = self.call.task
        else {
            unreachable!("only terminate-blue orders an end");
        };
        let chosen = |number: usize, server: &Server| {
            let tag = if never_served {
                server.launched_by
            } else {
                server.retiring
            };
            tag == Some(of) || (listed.servers | sealed) & (1 << number) != 0
        };
        terminate::Observation {
            instances: world.shipped_instances(listed.group, chosen),
            unseen: Vec::new(),
            targets: world.shipped_targets(listed.group),
            weighted: world.shipped_weighted(),
            switched: world.record.switched,
        }
    }

    pub(super) fn rest(&self, world: &World) -> Reply {
        let seen = self.seen(world);
        let order = self.order();
        let rest = terminate::rest(&seen);
        let refused = terminate::decide(&seen, &order).refused;
        if order.licence == Licence::NeverServed && !refused.is_empty() {
            return Reply::Failed;
        }
        Reply::Terminated(rest.empty)
    }
}
