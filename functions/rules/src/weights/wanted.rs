//! What the forward action shall look like: read from the record at the act, because what retires changes meanwhile.

use super::Weights;
use crate::document::Act;
use crate::observed::{Forward, GroupWeight};
use crate::record::{Front, Record};
use crate::shape::Environment;

/// What the forward action shall look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who shares the new sessions.
    pub serving: Serving,
    /// The environments that retire: named, at weight 0.
    pub retiring: Vec<Environment>,
    /// Every environment of the service; whatever else the action names is foreign.
    pub environments: Vec<Environment>,
    /// How many healthy targets green needs to have weight.
    pub minimum_healthy: u32,
    /// How many blue needs to be given a larger share.
    pub blue_minimum: u32,
}

/// Who shares the new sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serving {
    /// The front's two environments.
    Pair {
        /// The environment that served at the plan.
        blue: Environment,
        /// The environment that takes over.
        green: Environment,
        /// Their shares.
        weights: Weights,
        /// Whether this is the way back of a rollback, which alone gives blue a larger share than it has.
        back: bool,
    },
    /// Whoever has weight keeps it: only what is gone, or never served, leaves the action.
    AsItIs,
}

impl Wanted {
    /// What the record wants of the forward action, for the act that its front is about; it is read at the act, because
    /// what retires changes meanwhile.
    pub fn of(front: &Front, record: &Record, act: Act) -> Self {
        let pair = |weights, back| Serving::Pair {
            blue: front.plan.blue.environment.clone(),
            green: front.plan.green.environment.clone(),
            weights,
            back,
        };
        let all_blue = Weights {
            blue: 100,
            green: 0,
        };
        Self {
            serving: match act {
                Act::Weigh => pair(front.weights, false),
                Act::WeighBack => pair(all_blue, true),
                Act::Detach => Serving::AsItIs,
                _ => pair(all_blue, false),
            },
            retiring: record.draining().cloned().collect(),
            environments: front.plan.environments.clone(),
            minimum_healthy: front.plan.policy.minimum_healthy,
            blue_minimum: front.plan.policy.minimum_of_blue(),
        }
    }

    fn retires(&self, group: &GroupWeight) -> bool {
        let mut retiring = self.retiring.iter();
        retiring.any(|it| it.has(&group.target_group_arn))
    }

    /// The whole action, as it is to be.
    pub(super) fn groups(&self, live: &Forward) -> Vec<GroupWeight> {
        let mut groups = match &self.serving {
            Serving::Pair {
                blue,
                green,
                weights,
                ..
            } => vec![carrying(blue, weights.blue), carrying(green, weights.green)],
            Serving::AsItIs => {
                let serves = |group: &&GroupWeight| group.weight > 0 && !self.retires(group);
                live.groups.iter().filter(serves).cloned().collect()
            }
        };
        for environment in &self.retiring {
            if !groups
                .iter()
                .any(|group| environment.has(&group.target_group_arn))
            {
                groups.push(carrying(environment, 0));
            }
        }
        groups
    }
}

fn carrying(environment: &Environment, weight: u32) -> GroupWeight {
    GroupWeight {
        target_group_arn: environment.target_group().to_owned(),
        weight,
    }
}
