//! What the forward action of a listener shall look like: read from the record at the act, because what retires changes
//! meanwhile.

use super::Weights;
use crate::document::Act;
use crate::observed::{Forward, GroupWeight};
use crate::record::{Front, Record};
use crate::shape::Environment;

/// What the forward action of one listener shall look like; target groups by ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who shares the new sessions.
    pub serving: Serving,
    /// Those of the environments that retire: named, at weight 0.
    pub retiring: Vec<String>,
    /// Those of every environment of the service; whatever else the action names is foreign.
    pub known: Vec<String>,
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
        /// That of the environment that served at the plan.
        blue: String,
        /// That of the environment that takes over.
        green: String,
        /// Their shares.
        weights: Weights,
        /// Whether this is the way back of a rollback, which alone gives blue a larger share than it has.
        back: bool,
    },
    /// Whoever has weight keeps it: only what is gone, or never served, leaves the action.
    AsItIs,
}

impl Wanted {
    /// What the record wants of the forward action at one of the plan's listeners, by its place, for the act that its front
    /// is about; it is read at the act, because what retires changes meanwhile.
    pub fn of(front: &Front, record: &Record, act: Act, listener: usize) -> Self {
        let own = |environment: &Environment| environment.target_group(listener).map(str::to_owned);
        let pair = |weights, back| Serving::Pair {
            blue: own(&front.plan.blue.environment).unwrap_or_default(),
            green: own(&front.plan.green.environment).unwrap_or_default(),
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
            retiring: record.draining().filter_map(own).collect(),
            known: front.plan.environments.iter().filter_map(own).collect(),
            minimum_healthy: front.plan.policy.minimum_healthy,
            blue_minimum: front.plan.policy.minimum_of_blue(),
        }
    }

    fn retires(&self, group: &GroupWeight) -> bool {
        self.retiring.contains(&group.target_group_arn)
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
        for retiring in &self.retiring {
            if !groups.iter().any(|it| it.target_group_arn == *retiring) {
                groups.push(carrying(retiring, 0));
            }
        }
        groups
    }
}

fn carrying(target_group_arn: &str, weight: u32) -> GroupWeight {
    GroupWeight {
        target_group_arn: target_group_arn.to_owned(),
        weight,
    }
}
