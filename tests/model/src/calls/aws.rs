//! The calls that change AWS: tags, weights and launches, each under the owner and the epoch of the record.

use super::{Calling, Reply};
use crate::server::{Life, Server};
use crate::shipped;
use crate::shipped::{CONFIRMED, SERVICE, TICK, environment};
use crate::variants::Variant;
use crate::world::{Listed, Stage, Turn, World};
use ebbtide_rules::weights::{Moments, Spans, Wanted, Weights};
use ebbtide_rules::{hold, observed, weights};

impl Calling<'_> {
    pub(super) fn hold(&self, world: &mut World, group: u8) -> Reply {
        let deployment = self.call.deployment;
        let tagged = |_: usize, server: &Server| server.retiring == Some(deployment);
        let seen = world.shipped_instances(group, tagged);
        if !self.admits(world) {
            return Reply::Failed;
        }
        let holder = hold::Holder::new(SERVICE, &self.fence(), &environment(group));
        let lacking = hold::missing(&seen, &[], &holder);
        if !lacking.is_none() {
            self.changes(world);
        }
        for server in world.of(shipped::set(&lacking.tags)) {
            world.servers[server].retiring = Some(deployment);
        }
        let seen = world.shipped_instances(group, tagged);
        let list = hold::list(&environment(group), &seen, CONFIRMED);
        let servers = shipped::set(list.servers.iter().map(|server| &server.instance));
        Reply::Listed(Listed { group, servers })
    }

    pub(super) fn let_go(&self, world: &mut World, group: u8) -> Reply {
        if !self.admits(world) {
            return Reply::Failed;
        }
        let holder = hold::Holder::new(SERVICE, &self.fence(), &environment(group));
        let left = hold::left(&world.shipped_instances(group, |_, _| false), &[], &holder);
        if !left.is_none() {
            self.changes(world);
        }
        for server in world.of(shipped::set(&left.tagged)) {
            world.servers[server].retiring = None;
        }
        Reply::Done
    }

    pub(super) fn switch(&self, world: &mut World, green: u8) -> Reply {
        let (blue_group, green_group) = (self.call.blue, 1 - self.call.blue);
        if self.call.ending.is_some() {
            return self.set(world, green);
        }
        let wanted = Wanted {
            blue: environment(blue_group),
            green: environment(green_group),
            weights: weights_of(green),
            minimum_healthy: u32::from(self.model.minimum),
            // Only SwitchBack says so, and while the record says that it rolls back no other call's epoch is admitted.
            back: self.variant() == Variant::SharesFall || world.record.stage == Stage::RollingBack,
        };
        if !self.admits(world) {
            return Reply::Failed;
        }
        let seen = weights::Observation {
            forward: world.shipped_forward(),
            blue_healthy: observed::healthy(&world.shipped_targets(blue_group)),
            green_healthy: observed::healthy(&world.shipped_targets(green_group)),
            switched: world.record.switched,
        };
        match weights::decide(&seen, &wanted) {
            Err(weights::Refusal::GreenUnhealthy(_)) => Reply::GreenUnhealthy,
            Err(_) => Reply::Failed,
            Ok(weights::Decision::Keep { .. }) => Reply::Switched(false),
            Ok(weights::Decision::Change { .. }) if self.model.window => self.to_end(0, Turn::End),
            Ok(weights::Decision::Change { .. }) => self.set(world, green),
        }
    }

    /// What `weights::decide` wants set is the two weights that were asked for.
    fn set(&self, world: &mut World, green: u8) -> Reply {
        self.changes(world);
        world.set_weight(self.call.blue, 100 - green);
        world.set_weight(1 - self.call.blue, green);
        Reply::Switched(true)
    }

    pub(super) fn launch(&self, world: &mut World) -> Reply {
        if !self.admits(world) {
            return Reply::Failed;
        }
        self.changes(world);
        let green = 1 - self.call.blue;
        for server in &mut world.servers {
            if server.group == green && server.life == Life::Absent {
                *server = Server::new(green, Life::Up);
                server.launched_by = Some(self.call.deployment);
            }
        }
        Reply::Done
    }

    /// The moments that `switch-target-group` answered for these weights.
    pub(super) fn moments(&self) -> Moments {
        let spans = Spans {
            step: TICK,
            settle: TICK,
            bake: if self.call.bakeless { 0 } else { 2 * TICK },
            deadline: 86_400,
        };
        let weights = if self.call.in_step {
            weights_of(50)
        } else {
            weights_of(100)
        };
        Moments::count(CONFIRMED, weights, &spans)
    }
}

/// The two weights, by green's.
fn weights_of(green: u8) -> Weights {
    Weights {
        blue: u32::from(100 - green),
        green: u32::from(green),
    }
}
