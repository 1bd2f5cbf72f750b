//! Who may change AWS now: rule 8.
//!
//! A function that changes AWS reads the record, consistently, just before it acts, and is refused unless the record
//! admits its work at its epoch. Front work is admitted by the front alone, drain work by the environment's entry, and
//! by the front while its own pair is concerned. A window between the check and the act remains; AWS offers no fence.

use super::{Owner, Phase, Record};
use crate::shape::{Environment, Fence};
use crate::{ErrorName, Failure};

/// What a function is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work<'a> {
    /// Attaching green to the forward action, launching and registering its servers.
    Green,
    /// Moving or confirming the weights of the steps and the bake.
    Weights,
    /// Giving blue its weight back.
    WeightsBack,
    /// Taking out of the forward action what is gone, or what never served.
    Detach,
    /// Ending instances of an environment that never had weight.
    EndUnserved(&'a Environment),
    /// Holding an environment that retires.
    Hold(&'a Environment),
    /// Giving an environment that serves on what holding took.
    LetGo(&'a Environment),
    /// Ending sealed instances of an environment.
    EndSealed(&'a Environment),
}

/// A function that is late: the record does not admit its work at its epoch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "deployment {deployment} at epoch {epoch} may not do this any more: the record's front is {front}, and {retiring} \
     retires; nothing was changed by this call, and whoever the record names goes on"
)]
pub struct Superseded {
    /// Who asked.
    pub deployment: String,
    /// The epoch it asked with.
    pub epoch: u64,
    /// Who holds the front.
    pub front: String,
    /// What retires, and for whom.
    pub retiring: String,
}

impl Failure for Superseded {
    fn name(&self) -> ErrorName {
        ErrorName::Superseded
    }
}

impl Record {
    /// Says whether the bearer of `fence` may do `work` now.
    ///
    /// # Errors
    /// [`Superseded`] unless the record names it, at exactly this epoch, for this work.
    pub fn admits(&self, fence: &Fence, work: Work<'_>) -> Result<(), Superseded> {
        let admitted = match work {
            Work::EndSealed(environment) => self.entry_admits(fence, environment),
            Work::Hold(environment) => {
                self.entry_admits(fence, environment) || self.front_holds(fence, environment)
            }
            _ => self.front_admits(fence, work),
        };
        if admitted {
            Ok(())
        } else {
            Err(self.superseded(fence))
        }
    }

    fn entry_admits(&self, fence: &Fence, environment: &Environment) -> bool {
        self.entry(environment)
            .is_some_and(|entry| entry.owner.is(fence))
    }

    /// Blue is held before its weight moves, green once it is to lose its own; and blue once more where a rollback is
    /// taken over, because whoever opens its servers has to know all of them.
    fn front_holds(&self, fence: &Fence, environment: &Environment) -> bool {
        let front = self.front.as_ref().filter(|front| front.owner.is(fence));
        front.is_some_and(|front| {
            let is_blue = front.plan.blue.environment == *environment;
            let is_green = front.plan.green.environment == *environment;
            match &front.phase {
                Phase::Switched => is_blue,
                Phase::RollingBack { .. } => is_blue || is_green,
                _ => false,
            }
        })
    }

    fn front_admits(&self, fence: &Fence, work: Work<'_>) -> bool {
        let Some(front) = self.front.as_ref().filter(|front| front.owner.is(fence)) else {
            return false;
        };
        let (blue, green) = (&front.plan.blue.environment, &front.plan.green.environment);
        match (work, &front.phase) {
            (Work::Green, Phase::Claimed)
            | (Work::Weights, Phase::Switched)
            | (Work::WeightsBack, Phase::RollingBack { .. })
            | (
                Work::Detach,
                Phase::Claimed | Phase::Superseding { .. } | Phase::Detaching { .. },
            ) => true,
            (Work::EndUnserved(environment), Phase::Claimed) => environment == green,
            (Work::EndUnserved(environment), Phase::Superseding { clearing }) => {
                *environment == clearing.green
            }
            (Work::LetGo(environment), Phase::Claimed | Phase::RollingBack { .. }) => {
                environment == blue
            }
            (Work::LetGo(environment), Phase::Superseding { clearing }) => {
                *environment == clearing.blue
            }
            _ => false,
        }
    }

    /// That the bearer of `fence` may not do what it is about to.
    pub fn superseded(&self, fence: &Fence) -> Superseded {
        let retiring: Vec<String> = self
            .retiring
            .iter()
            .map(|entry| format!("{} for {}", entry.environment.name, entry.owner))
            .collect();
        Superseded {
            deployment: fence.deployment.clone(),
            epoch: fence.epoch,
            front: self.front.as_ref().map_or("nobody's".to_owned(), |front| {
                format!("that of {} ({})", front.owner, front.phase.word())
            }),
            retiring: if retiring.is_empty() {
                "nothing".to_owned()
            } else {
                retiring.join(", ")
            },
        }
    }
}

impl Owner {
    /// Whether `fence` is this owner's.
    pub fn is(&self, fence: &Fence) -> bool {
        self.deployment == fence.deployment && self.epoch == fence.epoch
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at epoch {}", self.deployment, self.epoch)
    }
}

#[cfg(test)]
mod tests;
