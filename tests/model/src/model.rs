//! The checked system: a configuration, and how its worlds follow each other.

use std::fmt;
use std::sync::Arc;

use ebbtide_rules::document::Document;
use ebbtide_rules::input::Verb;
use ebbtide_rules::plan::Gate;
use ebbtide_rules::record::Answer;
use stateright::{Model, Property};

use crate::action::Action;
use crate::calls::Decisions;
use crate::canonical::Forms;
use crate::checked::{Checked, End, Way};
use crate::clock::Clock;
use crate::definition::Stand;
use crate::kept::{Id, Memo};
use crate::properties::{self, Rule};
use crate::server::Endpoint;
use crate::story;
use crate::variants::Variant;
use crate::world::World;

/// Who may come beside the first deployment's execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    /// The second deployment.
    Second,
    /// The third one.
    Third,
    /// An execution that takes this deployment over; true to roll it back.
    TakesOver(u8, bool),
}

/// A configuration: the bounds of the world, and the protocol.
#[derive(Clone)]
pub struct Deployments {
    /// What it is called.
    pub name: &'static str,
    /// Servers of environment A, which serves at first.
    pub blue: u8,
    /// Servers of environment B.
    pub green: u8,
    /// Servers of environment C; without any the service has two environments.
    pub third: u8,
    /// Instances that Auto Scaling may launch for A as long as A serves, or is not empty.
    pub launches: u8,
    /// The most sessions on a server; none where a server that served and has not sealed counts as in use.
    pub sessions: u8,
    /// The most requests that a server carries for another.
    pub carried: u8,
    /// The most faults.
    pub faults: u8,
    /// Who speaks for the servers.
    pub endpoint: Endpoint,
    /// Which faults.
    pub mishaps: Mishaps,
    /// The most calls that nobody waits for.
    pub strays: u8,
    /// The least open servers that a group with weight needs.
    pub minimum: u8,
    /// Whether alarms may fire and greens be unfit.
    pub alarms: bool,
    /// What operators may wish.
    pub wishes: &'static [Verb],
    /// The gates at which a person is asked.
    pub approve: &'static [Gate],
    /// Green's share, step by step.
    pub steps: &'static [u32],
    /// How many ticks the load balancer settles.
    pub settle: u8,
    /// How many ticks the bake lasts.
    pub bake: u8,
    /// Whether the drain goes on in an execution of its own.
    pub detached: bool,
    /// Whether anything may happen between the reading of the record and the setting of weights too. Then only those
    /// rules are checked that the window of rule 8 must not break.
    pub window: bool,
    /// Whether a call is one step, but for what goes wrong with it.
    pub whole_calls: bool,
    /// How time is cut.
    pub clock: Clock,
    /// The executions that may be started beside the first one.
    pub others: &'static [Comes],
    /// The protocol.
    pub variant: Variant,
    /// What was computed before.
    pub memory: Memory,
}

/// Which faults a configuration has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishaps {
    /// Those of servers, lost answers, and executions that are aborted.
    All,
    /// Calls that are given up and go on, lost answers, and executions that are aborted.
    Calls,
}

/// What was computed before, for one configuration.
#[derive(Clone, Default)]
pub struct Memory(Arc<Memories>);

/// See [`Memory`].
#[derive(Default)]
pub struct Memories {
    pub(crate) forms: Forms,
    pub(crate) decisions: Decisions,
    pub(crate) stands: Memo<(u8, Id<Document>), (Stand, Id<Document>)>,
    pub(crate) heard: Memo<(Id<Document>, Id<Answer>), Id<Document>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl std::ops::Deref for Deployments {
    type Target = Memories;

    fn deref(&self) -> &Memories {
        &self.memory.0
    }
}

impl Deployments {
    /// How many environments the service has.
    pub(crate) fn environments(&self) -> usize {
        if self.third > 0 { 3 } else { 2 }
    }

    /// The protocol without one of its mechanisms.
    pub fn without(&self, variant: Variant) -> Self {
        Self {
            variant,
            memory: Memory::default(),
            ..self.clone()
        }
    }
}

impl Checked for Deployments {
    fn name(&self) -> &'static str {
        self.name
    }

    fn ends(&self) -> Vec<End<Self>> {
        if self.window {
            return Vec::new();
        }
        vec![End {
            name: Rule::CanEnd.name(),
            may_take: |action| !action.is_fault(),
            is_met: |world| world.is_free() && world.strays.is_empty(),
        }]
    }

    fn tell(&self, way: &Way<Self>, wrong: &str) -> String {
        story::tell(way, wrong)
    }

    fn verdict(&self) -> &'static str {
        if self.window {
            "nothing is cut"
        } else {
            "all hold"
        }
    }
}

impl Model for Deployments {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut world = self.world();
        world.forget_the_unread(self, 0);
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for number in 0..world.servers.len() {
            self.users(world, number, actions);
            self.fate(world, number, actions);
        }
        if world.stale != [false; 3] {
            actions.push(Action::Settle);
        }
        if Self::may_tick(world) {
            actions.push(Action::Tick);
        }
        for verb in self.wishes {
            actions.extend((0..3).map(|whose| Action::Wish(whose, *verb)));
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
        if self.sessions == 0 {
            // Nobody comes, so nobody comes late.
            world.stale = [false; 3];
        }
        let ticks = u8::from(matches!(action, Action::Tick));
        let told = (&world.record, &world.executions, &world.strays);
        if ticks == 0 && told == (&last.record, &last.executions, &last.strays) {
            world.forget_servers();
        } else {
            world.forget_the_unread(self, ticks);
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties(self)
    }
}
