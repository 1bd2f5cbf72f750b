//! The checked system: a configuration, and how its worlds follow each other.

use stateright::{Model, Property};

use crate::action::Action;
use crate::properties;
use crate::variants::Variant;
use crate::world::World;

/// Who may come beside the first execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// Nobody is when there is one execution.
    Nobody,
    /// TakesOver is when a second execution of the same deployment may take it over.
    TakesOver,
    /// Deploys is when a second deployment may supersede or follow the first.
    Deploys,
}

/// A configuration: the bounds of the world, and the protocol.
#[derive(Clone, Debug)]
pub struct Deployments {
    /// What it is called.
    pub name: &'static str,
    /// Blue's servers.
    pub blue: u8,
    /// Green's servers.
    pub green: u8,
    /// Instances that Auto Scaling may launch for blue at any moment.
    pub launches: u8,
    /// The most sessions on a server.
    pub sessions: u8,
    /// The most requests that a server carries for another.
    pub carried: u8,
    /// The most faults.
    pub faults: u8,
    /// The most calls that nobody waits for.
    pub strays: u8,
    /// The least open servers that a group with weight needs.
    pub minimum: u8,
    /// Whether alarms may fire.
    pub alarms: bool,
    /// Whether an operator may wish to roll back.
    pub wishes: bool,
    /// Green's share, step by step.
    pub steps: &'static [u8],
    /// Whether anything may happen between the reading of the record and the setting of weights too. Then only those
    /// rules are checked that the window of rule 8 must not break.
    pub window: bool,
    /// The second execution.
    pub second: Second,
    /// The protocol.
    pub variant: Variant,
}

impl Deployments {
    /// The step of traffic after this weight of green's.
    pub(crate) fn step_after(&self, from: u8) -> u8 {
        self.steps
            .iter()
            .copied()
            .find(|step| *step > from)
            .unwrap_or(100)
    }

    /// How old the weights are when the bake is over.
    pub(crate) fn baked_age(&self) -> u8 {
        2
    }

    /// The epoch of a rollback.
    pub(crate) fn epoch_after(&self, epoch: u8) -> u8 {
        if self.variant == Variant::NoEpochAtRollback {
            epoch
        } else {
            epoch + 1
        }
    }

    /// The protocol without one of its mechanisms.
    pub fn without(&self, variant: Variant) -> Self {
        Self {
            variant,
            ..self.clone()
        }
    }

    /// Whether the service is free again.
    pub fn has_ended(world: &World) -> bool {
        world.record.owner.is_none()
    }
}

impl Model for Deployments {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.world()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for number in 0..world.servers.len() {
            self.users(world, number, actions);
            self.fate(world, number, actions);
        }
        if world.stale != [false, false] {
            actions.push(Action::Settle);
        }
        if Self::may_tick(world) {
            actions.push(Action::Tick);
        }
        if self.wishes && world.record.owner.is_some() && !world.record.wish {
            actions.push(Action::Wish);
        }
        for number in 0..world.executions.len() {
            self.execution(world, number, actions);
        }
        for number in 0..world.strays.len() {
            actions.push(Action::Stray(number));
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        if !self.take(&mut world, action) {
            return None;
        }
        world.forget_the_unread(self);
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties(self)
    }
}
