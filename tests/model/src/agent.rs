//! The agent by itself: one server that knows nothing of it, its clients, the kernel's rules, and the agent's own steps, each
//! of them apart from the next, in every order.
//!
//! What comes of it is what the deployments' model takes an agent's server for: `following.rs` checks that, step by step.

mod clients;
mod closing;
pub mod configurations;
mod following;
mod gate;
mod orders;
pub mod properties;
mod story;
pub mod variants;
pub mod world;

use ebbtide_endpoint::order::Kind;
use stateright::{Model, Property};

use crate::checked::{Checked, End, Way};
use clients::Flush;
use orders::{Job, Next, Thread};
use properties::Rule;
use variants::Variant;
use world::{Element, Frame, World};

/// A configuration: the bounds, and the agent.
#[derive(Clone, Debug)]
pub struct Agents {
    /// What it is called.
    pub name: &'static str,
    /// Clients.
    pub clients: u8,
    /// Whether the kernel may answer a handshake by a cookie, and keep nothing of it.
    pub cookies: bool,
    /// Whether clients say anything.
    pub talks: bool,
    /// Whether idle sessions are closed.
    pub closes: bool,
    /// How often the agent may be killed.
    pub kills: u8,
    /// How often somebody else may change the rules.
    pub flushes: u8,
    /// The agent.
    pub variant: Variant,
}

/// A step of somebody's. A number is a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A SYN passes the rules.
    Come(usize),
    /// A packet that has passed them arrives; true if the kernel keeps nothing but a cookie of it.
    Land(usize, bool),
    /// The packet that ends a handshake passes.
    Complete(usize),
    /// A handshake comes to nothing.
    GiveUp(usize),
    /// The server accepts a connection.
    Accept(usize),
    /// A client says something to its kernel.
    Say(usize),
    /// It passes the rules.
    Send(usize),
    /// The server reads it.
    Read(usize),
    /// The server has done its work, and replies.
    Reply(usize),
    /// A client leaves.
    Leave(usize),
    /// The server reads to the end of its input.
    Notice(usize),
    /// The server closes.
    Close(usize),
    /// Time passes for a freeze.
    OlderFreeze(usize),
    /// Time passes for a drop.
    OlderDrop,
    /// The refusal of new connections lapses.
    LapseRefusal,
    /// Somebody else changes the rules. A fault.
    Flush(Flush),
    /// The agent is killed. A fault.
    Kill,
    /// It is started.
    Start,
    /// An order comes.
    Order(Kind),
    /// A report is asked for.
    Report,
    /// The agent looks after its rules.
    KeepUp,
    /// An idle session is chosen, to be closed.
    Choose(usize),
    /// The agent's next step.
    Go(Thread),
}

impl Action {
    /// Whether it uses up a fault.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Flush(_) | Self::Kill)
    }

    /// Whether the agent takes it.
    pub fn is_the_agents(self) -> bool {
        matches!(
            self,
            Self::Start
                | Self::Order(_)
                | Self::Report
                | Self::KeepUp
                | Self::Choose(_)
                | Self::Go(_)
        )
    }
}

impl Agents {
    fn may_order(&self, world: &World, actions: &mut Vec<Action>) {
        let Some(agent) = &world.agent else {
            if Self::may_start(world) {
                actions.push(Action::Start);
            }
            return;
        };
        if world.kills > 0 {
            actions.push(Action::Kill);
        }
        if agent.order.is_some() {
            actions.push(Action::Go(Thread::Order));
        } else {
            actions.extend([Kind::Drain, Kind::Resume, Kind::Seal].map(Action::Order));
            if !world.promised {
                actions.push(Action::Report);
            }
        }
        if agent.keeping.is_some() {
            actions.push(Action::Go(Thread::KeepUp));
        } else if Self::may_keep_up(world, agent) {
            actions.push(Action::KeepUp);
        }
        if agent.closing.is_some() {
            actions.push(Action::Go(Thread::Closing));
        }
        for number in 0..world.clients.len() {
            if self.closes && Self::may_choose(world, agent, number) {
                actions.push(Action::Choose(number));
            }
        }
    }

    /// The agent's own steps; false if it leads nowhere.
    fn take(&self, world: &mut World, action: Action) -> bool {
        match action {
            Action::Kill => {
                world.kills -= 1;
                world.agent = None;
                return true;
            }
            Action::Start => {
                Self::start(world);
                return true;
            }
            _ => {}
        }
        let Some(mut agent) = world.agent else {
            return false;
        };
        let next = match action {
            Action::Order(kind) if Self::begin(&mut agent, Job::Order(kind)) => Next::Lives,
            Action::Report if Self::begin(&mut agent, Job::Read) => Next::Lives,
            Action::KeepUp => {
                Self::keep_up(world, &mut agent);
                Next::Lives
            }
            Action::Choose(number) => {
                self.choose(&mut agent, number);
                Next::Lives
            }
            Action::Go(thread) => self.go_on(world, &mut agent, thread),
            _ => Next::Waits,
        };
        world.agent = (next != Next::Dies).then_some(agent);
        next != Next::Waits
    }
}

impl Model for Agents {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.clients, self.kills, self.flushes)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for number in 0..world.clients.len() {
            self.may_connect(world, number, actions);
        }
        if matches!(world.table.dropped, Element::Fresh | Element::Aged) {
            actions.push(Action::OlderDrop);
        }
        if world.table.refused {
            actions.push(Action::LapseRefusal);
        }
        if world.flushes > 0 && world.table.frame != Frame::Missing {
            actions.extend([Flush::Table, Flush::Chain, Flush::Sets].map(Action::Flush));
        }
        self.may_order(world, actions);
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        if action.is_the_agents() || action == Action::Kill {
            if !self.take(&mut world, action) {
                return None;
            }
        } else {
            self.connect(&mut world, action);
        }
        // Whoever may change the rules can do anything; the deployments' model has nobody like that.
        if self.flushes == 0 && !following::is_followed(last, &world) {
            world.break_rule(Rule::Followed);
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties()
    }
}

impl Checked for Agents {
    fn name(&self) -> &'static str {
        self.name
    }

    fn ends(&self) -> Vec<End<Self>> {
        properties::ends()
    }

    fn tell(&self, way: &Way<Self>, wrong: &str) -> String {
        story::tell(way, wrong)
    }
}
