//! The agent as it ships, and what it would be without one of its mechanisms, or on a machine that breaks an assumption.

use super::configurations;
use super::properties::{LAPSES, Rule};

/// Which agent is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Shipped is the real one.
    Shipped,
    /// CountBeforeRule is when it counts, and then drops and refuses, and counts no more.
    CountBeforeRule,
    /// NoBarrier is when it does not wait for the packets that have passed the rules and are under way.
    NoBarrier,
    /// SynOnly is when drop and refusal concern new connections only.
    SynOnly,
    /// NoFreeze is when it looks a second time at a session and closes it, and lets its client go on.
    NoFreeze,
    /// ThawedEarly is when it thaws a session that the server has not closed yet.
    ThawedEarly,
    /// DropLasts is when a drop has no time-out.
    DropLasts,
    /// BoltedBeforeWritten is when everything is refused for good before the seal is on the disk.
    BoltedBeforeWritten,
    /// StartLetsIn is when an agent that starts puts up a seal's rules only once it has counted.
    StartLetsIn,
    /// ClockNotRead is when it does not ask whether a freeze may have lapsed.
    ClockNotRead,
    /// AgentIsHeldUp is when it stands still for half a second between that question and the shutdown.
    AgentIsHeldUp,
    /// ServerIsSlow is when a server takes longer than a freeze lasts to close what has ended.
    ServerIsSlow,
}

/// A broken agent, and what must go wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// Which.
    pub variant: Variant,
    /// In words.
    pub name: &'static str,
    /// What it violates.
    pub violates: &'static str,
}

/// Every broken agent. The last two are the shipped one, on a machine that is not as it is assumed to be.
pub const BROKEN: [Broken; 11] = [
    broken(
        Variant::CountBeforeRule,
        "the agent counts before its rule stands",
        Rule::SealedTakesNobody.name(),
    ),
    broken(
        Variant::NoBarrier,
        "no barrier: a SYN is later than the count",
        Rule::SealedTakesNobody.name(),
    ),
    broken(
        Variant::SynOnly,
        "the agent keeps out SYNs only, and there are cookies",
        Rule::SealedTakesNobody.name(),
    ),
    broken(
        Variant::NoFreeze,
        "a session is closed without a freeze",
        Rule::NothingLost.name(),
    ),
    broken(
        Variant::ThawedEarly,
        "a session thaws before the server has closed it",
        Rule::NothingLost.name(),
    ),
    broken(Variant::DropLasts, "a drop has no time-out", LAPSES),
    broken(
        Variant::BoltedBeforeWritten,
        "everything is refused for good before the seal is on the disk",
        LAPSES,
    ),
    broken(
        Variant::StartLetsIn,
        "a sealed agent that starts puts the rules up once it has counted",
        Rule::SealedTakesNobody.name(),
    ),
    broken(
        Variant::ClockNotRead,
        "the agent shuts down a session whose freeze may have lapsed",
        Rule::NothingLost.name(),
    ),
    broken(
        Variant::AgentIsHeldUp,
        "assumed away: the agent is held up just before it shuts a session down",
        Rule::NothingLost.name(),
    ),
    broken(
        Variant::ServerIsSlow,
        "assumed away: the server closes after the freeze of a dead agent",
        Rule::NothingLost.name(),
    ),
];

impl Broken {
    /// As little as shows it.
    pub fn configuration(&self) -> super::Agents {
        configurations::of_broken(self)
    }
}

const fn broken(variant: Variant, name: &'static str, violates: &'static str) -> Broken {
    Broken {
        variant,
        name,
        violates,
    }
}
