//! When weight may move: which weights the forward action shall carry, and which group may be given any.
//!
//! Owns rule 5: a group is given weight only while it holds at least the configured minimum of healthy targets. Called
//! by `switch-target-group` when it attaches green, at every step, in every pass while baking, and when a rollback gives
//! blue its weight back. What is said of green holds for all the weight it carries; what is said of blue, only for a
//! larger share than it has: taking weight away from a group is never refused for want of healthy targets.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::observed::{Forward, GroupWeight};
use crate::shape::Environment;

/// The shares of new sessions that the two environments get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Blue's.
    pub blue: u32,
    /// Green's.
    pub green: u32,
}

impl Weights {
    /// Whether both environments get new sessions: a step on the way, from which nothing is drained.
    pub fn is_step(self) -> bool {
        self.blue > 0 && self.green > 0
    }

    /// Whether blue's share of new sessions is larger here than in `former`. Weights are relative: 100/0 is the same
    /// share as 1/0, and where nobody had weight, any is more.
    fn raises_blue(self, former: Self) -> bool {
        let total = |weights: Self| u64::from(weights.blue) + u64::from(weights.green);
        if total(former) == 0 {
            return self.blue > 0;
        }
        u64::from(self.blue) * total(former) > u64::from(former.blue) * total(self)
    }
}

/// What the forward action shall look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The environment that served at the plan.
    pub blue: Environment,
    /// The environment that takes over.
    pub green: Environment,
    /// Their shares.
    pub weights: Weights,
    /// How many healthy targets a group needs to be given weight.
    pub minimum_healthy: u32,
    /// Whether this is the way back of a rollback, which alone gives blue a larger share than it has.
    pub back: bool,
}

/// What the listener and the two groups show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The live forward action.
    pub forward: Forward,
    /// Blue's healthy targets.
    pub blue_healthy: u32,
    /// Green's healthy targets.
    pub green_healthy: u32,
    /// Whether the record says that green may have had weight: written before the first weight moves.
    pub switched: bool,
}

/// What to do about the weights, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Keep is when the action carries the wanted weights already.
    Keep {
        /// Why.
        reason: String,
    },
    /// Change is when it does not: these are the groups to set.
    Change {
        /// The whole forward action, blue first.
        groups: Vec<GroupWeight>,
        /// Why.
        reason: String,
    },
}

/// Why weights must not be set, or not be left as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// GreenUnhealthy is when green has too few healthy targets to be given weight, or to keep it (rule 5).
    #[error("green {0}; mend its servers, or let the deployment roll back")]
    GreenUnhealthy(Shortage),
    /// TooFewHealthy is when blue has too few healthy targets to be given weight back (rule 5).
    #[error("blue {0}; mend its servers, then redrive")]
    TooFewHealthy(Shortage),
    /// NotBack is when blue would get a larger share, and this is no rollback: a call that comes late by a step, with the
    /// epoch of its own deployment, would send users back to servers that drain.
    #[error(
        "blue has weight {live_blue} beside green's {live_green}, and a deployment gives it no larger share but by rolling \
         back; if somebody moved the weights, move them back, then redrive"
    )]
    NotBack {
        /// Blue's weight now.
        live_blue: u32,
        /// Green's weight now.
        live_green: u32,
    },
    /// ForeignGroup is when somebody added a third target group to the action.
    #[error(
        "the forward action now names {0}, which is neither blue nor green; remove it, then redrive"
    )]
    ForeignGroup(String),
    /// Sticky is when somebody turned stickiness on: its cookie beats weights.
    #[error(
        "target group stickiness is on in the forward action: its cookie beats weights; turn it off, then redrive"
    )]
    Sticky,
    /// NobodyServes is when the wanted weights are all 0.
    #[error("weights 0 and 0 would leave the service without servers")]
    NobodyServes,
    /// NotMarked is when the record does not say yet that green may have weight: green would count as never served.
    #[error(
        "the record does not say that the deployment has switched; it must before green gets weight"
    )]
    NotMarked,
}

/// A group that has fewer healthy targets than the weight asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{group} has {healthy} healthy targets and needs {minimum} to carry weight {weight}")]
pub struct Shortage {
    /// The target group's name.
    pub group: String,
    /// Its healthy targets.
    pub healthy: u32,
    /// The least it needs.
    pub minimum: u32,
    /// The weight it would carry.
    pub weight: u32,
}

/// Decides what the forward action needs.
///
/// # Errors
/// A [`Refusal`], with nothing to change then.
pub fn decide(seen: &Observation, wanted: &Wanted) -> Result<Decision, Refusal> {
    refuse_action(seen, wanted)?;
    let (live, weights) = (live(&seen.forward, wanted), wanted.weights);
    if weights.blue == 0 && weights.green == 0 {
        return Err(Refusal::NobodyServes);
    }
    refuse_weights(seen, wanted, live)?;
    let Weights { blue, green } = weights;
    if is_set(&seen.forward, wanted) {
        return Ok(Decision::Keep {
            reason: format!("weights are {blue}/{green} already"),
        });
    }
    Ok(Decision::Change {
        groups: vec![carrying(&wanted.blue, blue), carrying(&wanted.green, green)],
        reason: format!(
            "weights are {}/{} and shall be {blue}/{green}",
            live.blue, live.green
        ),
    })
}

/// Rule 5, and the mark that keeps green from being taken for one that never served.
fn refuse_weights(seen: &Observation, wanted: &Wanted, live: Weights) -> Result<(), Refusal> {
    let (weights, minimum) = (wanted.weights, wanted.minimum_healthy);
    if weights.green > 0 {
        enough(&wanted.green, seen.green_healthy, minimum, weights.green)
            .map_err(Refusal::GreenUnhealthy)?;
        if !seen.switched {
            return Err(Refusal::NotMarked);
        }
    }
    if seen.switched && !wanted.back && weights.raises_blue(live) {
        return Err(Refusal::NotBack {
            live_blue: live.blue,
            live_green: live.green,
        });
    }
    // A blue that lost a server keeps the share it has, and can lose it: refusing either would be worse.
    if weights.raises_blue(live) {
        enough(&wanted.blue, seen.blue_healthy, minimum, weights.blue)
            .map_err(Refusal::TooFewHealthy)?;
    }
    Ok(())
}

fn live(forward: &Forward, wanted: &Wanted) -> Weights {
    Weights {
        blue: forward.weight(&wanted.blue.target_group_arn),
        green: forward.weight(&wanted.green.target_group_arn),
    }
}

fn carrying(environment: &Environment, weight: u32) -> GroupWeight {
    GroupWeight {
        target_group_arn: environment.target_group_arn.clone(),
        weight,
    }
}

/// Whether the action names both groups, and only them, at the wanted weights.
pub fn is_set(forward: &Forward, wanted: &Wanted) -> bool {
    let carries = |environment: &Environment, weight| {
        forward.names(&environment.target_group_arn)
            && forward.weight(&environment.target_group_arn) == weight
    };
    forward.groups.len() == 2
        && carries(&wanted.blue, wanted.weights.blue)
        && carries(&wanted.green, wanted.weights.green)
}

fn refuse_action(seen: &Observation, wanted: &Wanted) -> Result<(), Refusal> {
    let ours = [
        &wanted.blue.target_group_arn,
        &wanted.green.target_group_arn,
    ];
    if let Some(foreign) = seen
        .forward
        .groups
        .iter()
        .find(|group| !ours.contains(&&group.target_group_arn))
    {
        return Err(Refusal::ForeignGroup(foreign.target_group_arn.clone()));
    }
    if seen.forward.sticky {
        Err(Refusal::Sticky)
    } else {
        Ok(())
    }
}

fn enough(group: &Environment, healthy: u32, minimum: u32, weight: u32) -> Result<(), Shortage> {
    if healthy >= minimum {
        return Ok(());
    }
    Err(Shortage {
        group: group.name.clone(),
        healthy,
        minimum,
        weight,
    })
}

/// The moments that count from when weights were first confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moments {
    /// When the wanted weights were first confirmed.
    pub at: Timestamp,
    /// From when on sessions may be drained; none in a step.
    pub settled_at: Option<Timestamp>,
    /// From when on servers may be sealed; none in a step.
    pub baked_at: Option<Timestamp>,
    /// When the drain fails with an alert; none in a step.
    pub deadline_at: Option<Timestamp>,
    /// When a step may be followed by the next one; none when one environment has all the weight.
    pub step_ends_at: Option<Timestamp>,
}

/// How long what follows a change of weights takes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// How long a step lasts.
    pub step: u32,
    /// How long nothing is drained.
    pub settle: u32,
    /// How long both environments run.
    pub bake: u32,
    /// How long the drain may take.
    pub deadline: u32,
}

impl Moments {
    /// Counts from `at`, taken to whole seconds, which every JSONata engine reads; a moment beyond the calendar is its end.
    pub fn count(at: Timestamp, weights: Weights, spans: &Spans) -> Self {
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let after = |seconds: u32| {
            at.checked_add(SignedDuration::from_secs(i64::from(seconds)))
                .unwrap_or(Timestamp::MAX)
        };
        let step = weights.is_step();
        let settled = |seconds: u32| (!step).then(|| after(seconds));
        Self {
            at,
            settled_at: settled(spans.settle),
            baked_at: settled(spans.bake),
            deadline_at: settled(spans.deadline),
            step_ends_at: step.then(|| after(spans.step)),
        }
    }
}

#[cfg(test)]
mod tests;
