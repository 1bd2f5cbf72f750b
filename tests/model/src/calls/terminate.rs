//! The end of instances: reading the record, deregistering, reading it again and ending are steps of their own.

use ebbtide_rules::document::Act;
use ebbtide_rules::observed::GroupTargets;
use ebbtide_rules::record::Work;
use ebbtide_rules::terminate::{self, Licence, Termination};
use ebbtide_rules::{ErrorName, Failure as _};

use super::{Calling, Returned, Told};
use crate::properties::Rule;
use crate::server::Server;
use crate::shipped::{group_of, number_of, target_group};
use crate::variants::Variant;
use crate::world::{Call, Turn, World};

impl Calling<'_> {
    /// What is ended and on what ground, and who was listed before.
    fn order(&self, world: &World) -> Option<(Termination, u8)> {
        if self.act == Act::EndUnserved {
            let (deployment, environment) = self.document.unserved().ok()?;
            let listed = self.known(world, self.document.unserved_servers().ok()?);
            return Some((Termination::unserved(deployment, environment).ok()?, listed));
        }
        let retiring = self.document.retiring().ok()?;
        let listed = self.known(world, &retiring.servers);
        let sealed = self.document.sealed().ok()?;
        let order =
            Termination::sealed(&self.fence.deployment, &retiring.environment, sealed).ok()?;
        Some((order, listed))
    }

    pub(super) fn terminate(&self, world: &mut World) -> Option<Returned> {
        let (order, listed) = self.order(world)?;
        let work = match self.act {
            Act::EndUnserved => Work::EndUnserved(&order.environment),
            _ => Work::EndSealed(&order.environment),
        };
        Some(match self.call.ending {
            None => {
                if !self.admits(world, work) {
                    return Some(Returned::Failed(ErrorName::Superseded));
                }
                let seen = self.seen(world, &order, listed);
                if let Err(blocked) = order.refuse_weight(&seen) {
                    return Some(Returned::Failed(blocked.name()));
                }
                let decision = terminate::decide(&seen, &order);
                let chosen = world.set_of(&decision.terminate);
                if chosen == 0 {
                    return Some(self.rest(world, &order, listed));
                }
                self.changes(world, work);
                self.to_end(chosen, Turn::Deregister)
            }
            Some((0, _)) => self.rest(world, &order, listed),
            Some((chosen, Turn::Deregister)) => {
                for server in world.of(chosen) {
                    self.may_end(world, server, &order);
                    world.servers[server].registered = false;
                }
                self.to_end(chosen, Turn::Read)
            }
            Some((chosen, Turn::Read)) => {
                if !self.admits(world, work) {
                    return Some(Returned::Failed(ErrorName::Superseded));
                }
                let first = chosen.trailing_zeros() as usize;
                let recheck = self.variant() == Variant::RecheckNotSeal;
                if recheck && world.servers[first].holds() {
                    self.without(world, chosen, first, &order, listed)
                } else {
                    self.to_end(chosen, Turn::End)
                }
            }
            Some((chosen, Turn::End)) => {
                let first = chosen.trailing_zeros() as usize;
                if world.servers[first].is_live() {
                    self.may_end(world, first, &order);
                    world.servers[first].end();
                }
                self.without(world, chosen, first, &order, listed)
            }
        })
    }

    fn without(
        &self,
        world: &World,
        chosen: u8,
        server: usize,
        order: &Termination,
        listed: u8,
    ) -> Returned {
        let others = chosen & !(1 << server);
        if others == 0 {
            self.rest(world, order, listed)
        } else {
            self.to_end(others, Turn::Read)
        }
    }

    fn to_end(&self, chosen: u8, turn: Turn) -> Returned {
        Returned::Under(Call {
            ending: Some((chosen, turn)),
            ..self.call
        })
    }

    /// Notes what an end breaks.
    fn may_end(&self, world: &mut World, number: usize, order: &Termination) {
        let server = world.servers[number];
        if server.holds() {
            world.break_rule(Rule::NothingCut);
        }
        let deployment = Some(number_of(&self.fence.deployment));
        let never_served = order.licence == Licence::NeverServed;
        let licensed = if never_served {
            !server.served
        } else {
            server.is_sealed() && server.promised == deployment
        };
        if !licensed {
            world.break_rule(Rule::EndedSealed);
        }
        let retiring = never_served || server.retiring == deployment;
        if !retiring || world.weight(server.group) > 0 {
            world.break_rule(Rule::EndedRetiring);
        }
    }

    fn seen(&self, world: &World, order: &Termination, listed: u8) -> terminate::Observation {
        let of = Some(number_of(&order.deployment));
        let sealed = world.set_of(&order.sealed);
        let never_served = order.licence == Licence::NeverServed;
        let chosen = |number: usize, server: &Server| {
            let tag = if never_served {
                server.launched_by
            } else {
                server.retiring
            };
            tag == of || (listed | sealed) & (1 << number) != 0
        };
        let group = group_of(target_group(&order.environment));
        terminate::Observation {
            instances: world.shipped_instances(group, chosen),
            unseen: Vec::new(),
            targets: vec![GroupTargets {
                target_group_arn: target_group(&order.environment).to_owned(),
                targets: world.shipped_targets(group),
            }],
            weighted: world.shipped_weighted(),
            group: None,
        }
    }

    fn rest(&self, world: &World, order: &Termination, listed: u8) -> Returned {
        match terminate::conclude(&self.seen(world, order, listed), order) {
            Ok(terminated) => Returned::Answer(Told::Terminated(terminated)),
            Err(blocked) => Returned::Failed(blocked.name()),
        }
    }
}
