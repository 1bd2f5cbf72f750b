//! What must hold of an agent in every state, and what must be able to happen from every state.

use stateright::Property;

use super::Agents;
use super::world::{Ending, Line, World};
use crate::checked::End;

/// A rule, by what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// SealedTakesNobody is when an agent that answered Sealed has no connection in any later state, restarts included,
    /// unless somebody else changes the rules.
    SealedTakesNobody,
    /// NobodyCut is when no established session meets a refusal for good.
    NobodyCut,
    /// NothingLost is when no session is closed in which something was acknowledged and not processed, unless somebody else
    /// changes the rules meanwhile.
    NothingLost,
    /// Followed is when each step is one that the deployments' servers may take, or none of theirs.
    Followed,
}

/// Whatever the agent has put into the kernel lapses if it never takes a step again.
pub const LAPSES: &str = "what a dead agent refuses lapses, unless its seal is on the disk";
/// A seal can be given.
pub const SEALS: &str = "it can be sealed";

impl Rule {
    /// The promise in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SealedTakesNobody => "who answered Sealed never has a connection again",
            Self::NobodyCut => "no session meets a refusal for good",
            Self::NothingLost => "nothing acknowledged is lost by a close",
            Self::Followed => "the deployments' servers do whatever an agent does",
        }
    }

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }

    fn holds(self, world: &World) -> bool {
        let kept = world.broken & self.bit() == 0;
        match self {
            Self::SealedTakesNobody => !world.promised || world.connected() == 0,
            Self::NobodyCut => !world.cuts(),
            Self::NothingLost | Self::Followed => kept,
        }
    }
}

/// What stateright checks.
pub(super) fn properties() -> Vec<Property<Agents>> {
    macro_rules! always {
        ($($rule:ident),*) => {
            vec![$(Property::<Agents>::always(Rule::$rule.name(), |_, world| {
                Rule::$rule.holds(world)
            })),*]
        };
    }
    let mut all = always![SealedTakesNobody, NobodyCut, NothingLost, Followed];
    all.extend([
        Property::sometimes("a seal is given", |_, world: &World| world.promised),
        Property::sometimes(
            "somebody comes in although the disk says sealed",
            |_, world: &World| world.disk && world.connected() > 0,
        ),
        Property::sometimes(
            "an idle session is closed",
            |model: &Agents, world: &World| {
                let seen =
                    |line| matches!(line, Line::Open(session) if session.ending == Ending::Seen);
                !model.closes || world.clients.iter().any(|client| seen(client.line))
            },
        ),
    ]);
    all
}

/// What must be able to happen.
pub(super) fn ends() -> Vec<End<Agents>> {
    vec![
        End {
            name: LAPSES,
            may_take: |action| !action.is_fault() && !action.is_the_agents(),
            is_met: World::lets_all_in,
        },
        End {
            name: SEALS,
            may_take: |action| !action.is_fault(),
            is_met: |world| world.promised,
        },
    ]
}
