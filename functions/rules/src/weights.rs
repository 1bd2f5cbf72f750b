//! When weight may move: which weights the forward action shall carry, and which group may be given any.
//!
//! All of it is about one listener or rule of the service: where there are several, `switch-target-group` asks for each of
//! them before it changes the first, and changes one after the other.
//!
//! Owns rule 5: a group is given weight only while it holds at least the configured minimum of healthy targets. Called
//! by `switch-target-group` when it attaches green, at every step, in every pass while baking, and when a rollback gives
//! blue its weight back. What is said of green holds for all the weight it carries; what is said of blue, only for a
//! larger share than it has: taking weight away from a group is never refused for want of healthy targets.

mod moments;
mod refusal;
mod repairs;
mod switched;
mod wanted;

use serde::{Deserialize, Serialize};

use crate::observed::{Forward, GroupWeight};
use crate::shape::group_name;

pub use moments::{Moments, Spans};
pub use refusal::{At, NotConfirmed, Refusal, Shortage, limits};
pub use repairs::{MOST_REPAIRS, Repairs};
pub use switched::{Confirmed, Switched};
pub use wanted::{Serving, Wanted};

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

/// What one listener and the groups that the environments have there show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The live forward action.
    pub forward: Forward,
    /// Blue's healthy targets.
    pub blue_healthy: u32,
    /// Green's healthy targets.
    pub green_healthy: u32,
    /// The groups, by ARN, that have registered targets: at least those of the action.
    pub occupied: Vec<String>,
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

/// Decides what the forward action needs.
///
/// # Errors
/// A [`Refusal`], with nothing to change then.
pub fn decide(seen: &Observation, wanted: &Wanted) -> Result<Decision, Refusal> {
    refuse_action(seen, wanted)?;
    let groups = wanted.groups(&seen.forward);
    if groups.iter().all(|group| group.weight == 0) {
        return Err(Refusal::NobodyServes);
    }
    refuse_weights(seen, wanted)?;
    if is_set(&seen.forward, wanted) {
        return Ok(Decision::Keep {
            reason: format!("the action is {} already", words(&groups)),
        });
    }
    refuse_leaving_out(seen, &groups)?;
    Ok(Decision::Change {
        reason: format!(
            "the action is {} and shall be {}",
            words(&seen.forward.groups),
            words(&groups)
        ),
        groups,
    })
}

/// A group leaves the action only when it is empty: AWS ends the connections of a removed group.
fn refuse_leaving_out(seen: &Observation, groups: &[GroupWeight]) -> Result<(), Refusal> {
    let stays = |arn: &String| groups.iter().any(|group| group.target_group_arn == *arn);
    let leaves = |arn: &&String| seen.forward.names(arn) && !stays(arn);
    let left_out = seen.occupied.iter().find(leaves);
    left_out.map_or(Ok(()), |arn| {
        Err(Refusal::StillHasTargets(group_name(arn).to_owned()))
    })
}

/// Rule 5.
fn refuse_weights(seen: &Observation, wanted: &Wanted) -> Result<(), Refusal> {
    let Serving::Pair {
        blue,
        green,
        weights,
        back,
    } = &wanted.serving
    else {
        return Ok(());
    };
    let live = live(&seen.forward, blue, green);
    if weights.green > 0 {
        let minimum = wanted.minimum_healthy;
        enough(green, seen.green_healthy, minimum, weights.green)
            .map_err(Refusal::GreenUnhealthy)?;
    }
    if !back && weights.raises_blue(live) {
        return Err(Refusal::NotBack {
            live_blue: live.blue,
            live_green: live.green,
        });
    }
    // A blue that lost a server keeps the share it has, and can lose it: refusing either would be worse.
    if weights.raises_blue(live) {
        let minimum = wanted.blue_minimum;
        enough(blue, seen.blue_healthy, minimum, weights.blue).map_err(Refusal::TooFewHealthy)?;
    }
    Ok(())
}

fn live(forward: &Forward, blue: &str, green: &str) -> Weights {
    Weights {
        blue: forward.weight(blue),
        green: forward.weight(green),
    }
}

fn words(groups: &[GroupWeight]) -> String {
    let words = groups.iter().map(|group| {
        let name = group_name(&group.target_group_arn);
        format!("{name} {}", group.weight)
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Says whether reading the action again showed what was set.
///
/// # Errors
/// [`NotConfirmed`], with what is there.
pub fn confirm(found: &Forward, wanted: &Wanted) -> Result<(), NotConfirmed> {
    if is_set(found, wanted) {
        return Ok(());
    }
    Err(NotConfirmed {
        wanted: words(&wanted.groups(found)),
        found: words(&found.groups),
    })
}

/// Whether the action is as wanted: the same groups, and no other, at the same weights.
pub fn is_set(forward: &Forward, wanted: &Wanted) -> bool {
    let groups = wanted.groups(forward);
    let carried = |group: &GroupWeight| {
        let arn = &group.target_group_arn;
        forward.names(arn) && forward.weight(arn) == group.weight
    };
    forward.groups.len() == groups.len() && groups.iter().all(carried)
}

fn refuse_action(seen: &Observation, wanted: &Wanted) -> Result<(), Refusal> {
    let known = |arn: &String| wanted.known.contains(arn) || wanted.retiring.contains(arn);
    // Who only takes out what is gone may be of before a group was added that serves by now.
    let pair = matches!(wanted.serving, Serving::Pair { .. });
    let mut named = seen.forward.groups.iter().filter(|_| pair);
    if let Some(foreign) = named.find(|group| !known(&group.target_group_arn)) {
        return Err(Refusal::ForeignGroup(foreign.target_group_arn.clone()));
    }
    if seen.forward.sticky {
        Err(Refusal::Sticky)
    } else {
        Ok(())
    }
}

fn enough(group: &str, healthy: u32, minimum: u32, weight: u32) -> Result<(), Shortage> {
    if healthy >= minimum {
        return Ok(());
    }
    Err(Shortage {
        group: group_name(group).to_owned(),
        healthy,
        minimum,
        weight,
    })
}

#[cfg(test)]
mod tests;
