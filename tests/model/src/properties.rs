//! What must hold in every state: the safety rules of the design, as the model can see them.

use stateright::Property;

use crate::model::{Deployments, Second};
use crate::server::Life;
use crate::world::{Outcome, Stage, Status, World};

/// A rule, by what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// NothingCut is when no instance was ended or deregistered by a deployment while it held a session or a request.
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
    /// OneOwner is when tags and weights were changed only by the record's owner at the record's epoch (rule 8).
    OneOwner,
    /// RollbackBeforeSeal is when no server of a blue that was rolled back to had sealed (rule 9).
    RollbackBeforeSeal,
    /// CanEnd is when the service can become free again without another fault (rule 10). Checked over the whole graph.
    CanEnd,
}

impl Rule {
    /// Every rule that is a property of single states.
    pub const ALWAYS: [Self; 8] = [
        Self::NothingCut,
        Self::SealedHoldsNothing,
        Self::EndedSealed,
        Self::EndedRetiring,
        Self::MinimumServes,
        Self::NobodyTurnedAway,
        Self::OneOwner,
        Self::RollbackBeforeSeal,
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
        )
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl World {
    /// Notes that a rule was broken by a step; what a state shows by itself is not noted.
    pub(crate) fn break_rule(&mut self, rule: Rule) {
        self.broken |= rule.bit();
    }

    fn was_broken(&self, rule: Rule) -> bool {
        self.broken & rule.bit() != 0
    }

    fn sealed_hold_nothing(&self) -> bool {
        self.servers
            .iter()
            .all(|server| server.promised.is_none() || !server.holds())
    }

    /// What crashed is not the deployment's doing, so it does not count against it.
    fn minimum_serves(&self, minimum: u8) -> bool {
        [0, 1].into_iter().all(|group| {
            if self.weights[usize::from(group)] == 0 {
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
        let Some(owner) = self.record.owner else {
            return true;
        };
        self.record.stage != Stage::RollingBack
            || self
                .servers
                .iter()
                .all(|server| server.group != self.record.blue || server.promised != Some(owner))
    }
}

fn second_ended(world: &World, outcome: Outcome) -> bool {
    let second = world.executions.get(1);
    second.is_some_and(|execution| execution.status == Status::Ended(outcome))
}

/// The properties that stateright checks in every state, and what must happen in some state lest they hold emptily.
pub(crate) fn properties(model: &Deployments) -> Vec<Property<Deployments>> {
    type Condition = fn(&Deployments, &World) -> bool;
    let always: [(Rule, Condition); 8] = [
        (Rule::NothingCut, |_, world| {
            !world.was_broken(Rule::NothingCut)
        }),
        (Rule::SealedHoldsNothing, |_, world| {
            world.sealed_hold_nothing()
        }),
        (Rule::EndedSealed, |_, world| {
            !world.was_broken(Rule::EndedSealed)
        }),
        (Rule::EndedRetiring, |_, world| {
            !world.was_broken(Rule::EndedRetiring)
        }),
        (Rule::MinimumServes, |model, world| {
            world.minimum_serves(model.minimum)
        }),
        (Rule::NobodyTurnedAway, |_, world| {
            !world.was_broken(Rule::NobodyTurnedAway)
        }),
        (Rule::OneOwner, |_, world| !world.was_broken(Rule::OneOwner)),
        (Rule::RollbackBeforeSeal, |_, world| {
            world.rolled_back_unsealed()
        }),
    ];
    always
        .into_iter()
        .filter(|(rule, _)| !model.window || rule.holds_in_the_window())
        .map(|(rule, condition)| Property::always(rule.name(), condition))
        .chain([
            Property::<Deployments>::sometimes("a deployment is promoted", |_, world| {
                world.has_ended(Outcome::Promoted)
            }),
            Property::<Deployments>::sometimes("a deployment is rolled back", |model, world| {
                !model.alarms || world.has_ended(Outcome::RolledBack)
            }),
            Property::<Deployments>::sometimes("green is rejected", |_, world| {
                world.has_ended(Outcome::Rejected)
            }),
            Property::<Deployments>::sometimes("the second execution promotes", |model, world| {
                model.second == Second::Nobody || second_ended(world, Outcome::Promoted)
            }),
            Property::<Deployments>::sometimes(
                "the second execution rolls back",
                |model, world| {
                    model.second == Second::Nobody || second_ended(world, Outcome::RolledBack)
                },
            ),
            Property::<Deployments>::sometimes(
                "an execution finds itself superseded",
                |model, world| {
                    model.second == Second::Nobody || world.has_ended(Outcome::Superseded)
                },
            ),
        ])
        .collect()
}
