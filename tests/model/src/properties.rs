//! What must hold in every state: the safety rules of the design, as the model can see them.

use ebbtide_rules::record::{Phase, State};
use stateright::Property;

use crate::model::{Comes, Deployments};
use crate::server::Life;
use crate::shipped::{group_of, number_of, target_group};
use crate::world::{End, World};

/// A rule, by what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// NothingCut is when no instance was ended or deregistered by a deployment while it held a session or a request,
    /// and no group left the forward action while its servers might.
    NothingCut,
    /// SealedHoldsNothing is when a server that ever promised holds nothing, restarts included (rule 4).
    SealedHoldsNothing,
    /// EndedSealed is when every instance that a deployment ended had promised for it, or never had weight (rules 1, 2).
    EndedSealed,
    /// EndedRetiring is when none was ended in a group with weight, or that was not tagged as retiring (rule 6).
    EndedRetiring,
    /// MinimumServes is when a group with weight has the minimum of open servers, but for those that crashed (rule 5).
    MinimumServes,
    /// NobodyTurnedAway is when no server refused a session that the load balancer may still send (rule 5, settling).
    NobodyTurnedAway,
    /// OneOwner is when tags and weights were changed only as the record admits it (rule 8).
    OneOwner,
    /// RollbackBeforeSeal is when no server of a blue that was rolled back to had sealed (rule 9).
    RollbackBeforeSeal,
    /// RetiringHasNoWeight is when no environment that is being emptied has weight.
    RetiringHasNoWeight,
    /// ReplacedIsRefused is when an execution that was taken over or superseded changes nothing any more.
    ReplacedIsRefused,
    /// OwnersAreAnswered is when nobody is told that it is superseded whose place nobody has taken.
    OwnersAreAnswered,
    /// SwitchedKeepsFront is when no other deployment takes the front of one that may have moved weight.
    SwitchedKeepsFront,
    /// SameAnswer is when the same ask gets the same answer.
    SameAnswer,
    /// OutcomeOnce is when a deployment's outcome is written once.
    OutcomeOnce,
    /// PausedStands is when nothing moves of what is paused, or waits at a gate that nobody has opened.
    PausedStands,
    /// NothingIsLeft is when everybody has ended, and with them what they held: one group in the forward action, no
    /// server but its own, none of them held.
    NothingIsLeft,
    /// CanEnd is when the service can become free again without another fault (rule 10). Checked over the whole graph.
    CanEnd,
}

impl Rule {
    /// Every rule that is a property of single states.
    pub const ALWAYS: [Self; 16] = [
        Self::NothingCut,
        Self::SealedHoldsNothing,
        Self::EndedSealed,
        Self::EndedRetiring,
        Self::MinimumServes,
        Self::NobodyTurnedAway,
        Self::OneOwner,
        Self::RollbackBeforeSeal,
        Self::RetiringHasNoWeight,
        Self::ReplacedIsRefused,
        Self::OwnersAreAnswered,
        Self::SwitchedKeepsFront,
        Self::SameAnswer,
        Self::OutcomeOnce,
        Self::PausedStands,
        Self::NothingIsLeft,
    ];

    /// The promise in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NothingCut => "nothing is ever cut by a deployment",
            Self::SealedHoldsNothing => "a sealed server never takes a session",
            Self::EndedSealed => "ended only after its seal for this deployment",
            Self::EndedRetiring => "ended only when retiring, in no group with weight",
            Self::MinimumServes => "a group with weight holds the minimum",
            Self::NobodyTurnedAway => "nobody is turned away",
            Self::OneOwner => "one owner acts",
            Self::RollbackBeforeSeal => "rolled back only before the first seal",
            Self::RetiringHasNoWeight => "what retires has no weight",
            Self::ReplacedIsRefused => "whose place was taken changes nothing",
            Self::OwnersAreAnswered => "nobody is superseded whose place nobody took",
            Self::SwitchedKeepsFront => "who has switched keeps the front",
            Self::SameAnswer => "the same ask gets the same answer",
            Self::OutcomeOnce => "an outcome is written once",
            Self::PausedStands => "what is paused stands still",
            Self::NothingIsLeft => "nothing is left behind",
            Self::CanEnd => "it can end",
        }
    }

    /// Whether it must hold although a function may act on a record that has changed since.
    fn holds_in_the_window(self) -> bool {
        matches!(
            self,
            Self::NothingCut
                | Self::SealedHoldsNothing
                | Self::EndedSealed
                | Self::RollbackBeforeSeal
                | Self::SameAnswer
                | Self::OutcomeOnce
        )
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Whether a state keeps it.
    pub(crate) fn holds(self, model: &Deployments, world: &World) -> bool {
        if world.broken & self.bit() != 0 {
            return false;
        }
        match self {
            Self::SealedHoldsNothing => world.sealed_hold_nothing(),
            Self::MinimumServes => world.minimum_serves(model.minimum),
            Self::RollbackBeforeSeal => world.rolled_back_unsealed(),
            Self::RetiringHasNoWeight => {
                !(0..3).any(|group| world.weight(group) > 0 && world.retires(group))
            }
            Self::NothingIsLeft => world.nothing_is_left(),
            _ => true,
        }
    }
}

impl World {
    /// Notes that a rule was broken by a step; what a state shows by itself is not noted.
    pub(crate) fn break_rule(&mut self, rule: Rule) {
        self.broken |= rule.bit();
    }

    fn sealed_hold_nothing(&self) -> bool {
        let mut servers = self.servers.iter();
        servers.all(|server| !server.is_sealed() || !server.holds())
    }

    /// What crashed is not the deployment's doing, so it does not count against it.
    fn minimum_serves(&self, minimum: u8) -> bool {
        (0..3).all(|group| {
            if self.weight(group) == 0 {
                return true;
            }
            let of_group = || self.servers.iter().filter(|server| server.group == group);
            let open = of_group().filter(|server| server.is_open()).count();
            let crashed = of_group()
                .filter(|server| server.life == Life::Down)
                .count();
            open + crashed + usize::from(self.lost[usize::from(group)]) >= usize::from(minimum)
        })
    }

    fn rolled_back_unsealed(&self) -> bool {
        let Some(front) = &self.record().front else {
            return true;
        };
        let blue = group_of(target_group(&front.plan.blue.environment));
        let by = Some(number_of(&front.owner.deployment));
        let mut servers = self.servers.iter();
        !matches!(front.phase, Phase::RollingBack { .. })
            || servers.all(|server| server.group != blue || server.promised != by)
    }

    /// Once nobody is there who could do anything more.
    fn nothing_is_left(&self) -> bool {
        let acts = |it: &crate::world::Execution| it.is_open() && !it.replaced;
        if !self.strays.is_empty() || self.executions.iter().any(acts) {
            return true;
        }
        let record = self.record();
        if record.front.is_some() || record.retiring.iter().any(|it| it.state == State::Gone) {
            // A take-over may still come, or a deployment that supersedes; who does not, is CanEnd's affair.
            return record.front.is_some();
        }
        if !record.retiring.is_empty() {
            return true;
        }
        let named = self
            .weights
            .iter()
            .filter(|weight| weight.is_some())
            .count();
        let right = |server: &crate::server::Server| {
            let serves = self.weight(server.group) > 0;
            !server.is_live() || (serves && server.retiring.is_none())
        };
        named == 1 && self.servers.iter().all(right)
    }
}

/// The properties that stateright checks in every state, and what must happen in some state lest they hold emptily.
pub(crate) fn properties(model: &Deployments) -> Vec<Property<Deployments>> {
    type Condition = fn(&Deployments, &World) -> bool;
    macro_rules! always {
        ($($rule:ident),*) => {
            [$((Rule::$rule, (|model, world| Rule::$rule.holds(model, world)) as Condition)),*]
        };
    }
    let always = always![
        NothingCut,
        SealedHoldsNothing,
        EndedSealed,
        EndedRetiring,
        MinimumServes,
        NobodyTurnedAway,
        OneOwner,
        RollbackBeforeSeal,
        RetiringHasNoWeight,
        ReplacedIsRefused,
        OwnersAreAnswered,
        SwitchedKeepsFront,
        SameAnswer,
        OutcomeOnce,
        PausedStands,
        NothingIsLeft
    ];
    let always = always
        .into_iter()
        .filter(|(rule, _)| !model.window || rule.holds_in_the_window())
        .map(|(rule, condition)| Property::always(rule.name(), condition));
    always.chain(sometimes()).collect()
}

fn sometimes() -> [Property<Deployments>; 6] {
    [
        Property::sometimes("a deployment is promoted", |_, world: &World| {
            world.has_ended(0, End::Promoted)
        }),
        Property::sometimes(
            "a deployment is rolled back",
            |model: &Deployments, world: &World| {
                !model.alarms || world.has_ended(0, End::RolledBack)
            },
        ),
        Property::sometimes("green is rejected", |model: &Deployments, world: &World| {
            !model.alarms || world.has_ended(0, End::Rejected)
        }),
        Property::sometimes(
            "the second deployment is promoted",
            |model: &Deployments, world: &World| {
                !model.others.contains(&Comes::Second) || world.has_ended(1, End::Promoted)
            },
        ),
        Property::sometimes(
            "the third deployment is promoted",
            |model: &Deployments, world: &World| {
                !model.others.contains(&Comes::Third) || world.has_ended(2, End::Promoted)
            },
        ),
        Property::sometimes(
            "an execution is replaced",
            |model: &Deployments, world: &World| {
                let taken = |it: &Comes| matches!(it, Comes::TakesOver(..));
                !model.others.iter().any(taken) || world.executions.iter().any(|it| it.replaced)
            },
        ),
    ]
}
