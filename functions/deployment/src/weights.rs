//! When weight may move: which weights the forward action shall carry, and which group may be given any.
//!
//! Owns rule 5: a group with weight above 0 holds at least the configured minimum of healthy targets. Called by
//! `switch-target-group` when it attaches green, at every step, and in every pass while baking.

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
    /// TooFewHealthy is when a group with weight has, or would have, too few healthy targets (rule 5).
    #[error(
        "{group} has {healthy} healthy targets and needs {minimum} to carry weight {weight}; mend its servers, then redrive"
    )]
    TooFewHealthy {
        /// The target group's name.
        group: String,
        /// Its healthy targets.
        healthy: u32,
        /// The least it needs.
        minimum: u32,
        /// The weight it would carry.
        weight: u32,
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

/// Decides what the forward action needs.
///
/// # Errors
/// A [`Refusal`], with nothing to change then.
pub fn decide(seen: &Observation, wanted: &Wanted) -> Result<Decision, Refusal> {
    let (blue, green) = (&wanted.blue, &wanted.green);
    let Weights {
        blue: to_blue,
        green: to_green,
    } = wanted.weights;
    refuse_action(seen, wanted)?;
    if to_blue == 0 && to_green == 0 {
        return Err(Refusal::NobodyServes);
    }
    if to_green > 0 {
        enough(green, seen.green_healthy, wanted.minimum_healthy, to_green)?;
        if !seen.switched {
            return Err(Refusal::NotMarked);
        }
    }
    // A blue that lost a server keeps the weight it has: taking it away would be worse.
    if seen.switched && to_blue > seen.forward.weight(&blue.target_group_arn) {
        enough(blue, seen.blue_healthy, wanted.minimum_healthy, to_blue)?;
    }
    let groups = vec![
        GroupWeight {
            target_group_arn: blue.target_group_arn.clone(),
            weight: to_blue,
        },
        GroupWeight {
            target_group_arn: green.target_group_arn.clone(),
            weight: to_green,
        },
    ];
    if is_set(&seen.forward, wanted) {
        return Ok(Decision::Keep {
            reason: format!("weights are {to_blue}/{to_green} already"),
        });
    }
    let reason = format!(
        "weights are {}/{} and shall be {to_blue}/{to_green}",
        seen.forward.weight(&blue.target_group_arn),
        seen.forward.weight(&green.target_group_arn),
    );
    Ok(Decision::Change { groups, reason })
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

fn enough(group: &Environment, healthy: u32, minimum: u32, weight: u32) -> Result<(), Refusal> {
    if healthy >= minimum {
        return Ok(());
    }
    Err(Refusal::TooFewHealthy {
        group: group.name.clone(),
        healthy,
        minimum,
        weight,
    })
}

/// The moments that count from the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moments {
    /// When the wanted weights were first confirmed.
    pub at: Timestamp,
    /// From when on sessions may be drained.
    pub settled_at: Timestamp,
    /// From when on servers may be sealed.
    pub baked_at: Timestamp,
    /// When the drain fails with an alert.
    pub deadline_at: Timestamp,
}

impl Moments {
    /// Counts from `at`, taken to whole seconds, which every JSONata engine reads; a moment beyond the calendar is its end.
    pub fn from(
        at: Timestamp,
        settle_seconds: u32,
        bake_seconds: u32,
        deadline_seconds: u32,
    ) -> Self {
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let after = |seconds: u32| {
            at.checked_add(SignedDuration::from_secs(i64::from(seconds)))
                .unwrap_or(Timestamp::MAX)
        };
        Self {
            at,
            settled_at: after(settle_seconds),
            baked_at: after(bake_seconds),
            deadline_at: after(deadline_seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Environment {
        Environment {
            target_group_arn: format!("arn:{name}"),
            name: name.to_owned(),
        }
    }

    fn wanted(blue: u32, green: u32) -> Wanted {
        Wanted {
            blue: environment("blue"),
            green: environment("green"),
            weights: Weights { blue, green },
            minimum_healthy: 3,
        }
    }

    fn seen(weights: &[(&str, u32)]) -> Observation {
        let groups = weights
            .iter()
            .map(|(name, weight)| GroupWeight {
                target_group_arn: format!("arn:{name}"),
                weight: *weight,
            })
            .collect();
        Observation {
            forward: Forward {
                groups,
                sticky: false,
            },
            blue_healthy: 3,
            green_healthy: 3,
            switched: true,
        }
    }

    fn changes(decision: &Result<Decision, Refusal>) -> bool {
        matches!(decision, Ok(Decision::Change { .. }))
    }

    #[test]
    fn green_is_attached_beside_blue_at_weight_0_before_it_has_any_server() {
        let seen = Observation {
            green_healthy: 0,
            switched: false,
            ..seen(&[("blue", 1)])
        };
        let Ok(Decision::Change { groups, .. }) = decide(&seen, &wanted(100, 0)) else {
            panic!("no change")
        };
        let weights: Vec<u32> = groups.iter().map(|group| group.weight).collect();
        assert_eq!(weights, [100, 0]);
    }

    #[test]
    fn a_repeat_keeps_what_is_there() {
        let seen = seen(&[("green", 100), ("blue", 0)]);
        assert!(matches!(
            decide(&seen, &wanted(0, 100)),
            Ok(Decision::Keep { .. })
        ));
    }

    #[test]
    fn weights_that_somebody_moved_are_put_right() {
        assert!(changes(&decide(
            &seen(&[("blue", 100), ("green", 0)]),
            &wanted(0, 100)
        )));
        assert!(
            changes(&decide(&seen(&[("green", 100)]), &wanted(0, 100))),
            "blue stays in the action at 0"
        );
    }

    #[test]
    fn green_below_the_minimum_gets_no_weight_and_is_told_when_it_has_it() {
        let refusal = |weight| Refusal::TooFewHealthy {
            group: "green".to_owned(),
            healthy: 2,
            minimum: 3,
            weight,
        };
        let before = Observation {
            green_healthy: 2,
            ..seen(&[("blue", 100), ("green", 0)])
        };
        assert_eq!(decide(&before, &wanted(0, 100)), Err(refusal(100)));
        assert_eq!(decide(&before, &wanted(90, 10)), Err(refusal(10)));
        let after = Observation {
            green_healthy: 2,
            ..seen(&[("blue", 0), ("green", 100)])
        };
        assert_eq!(decide(&after, &wanted(0, 100)), Err(refusal(100)));
    }

    #[test]
    fn weights_go_back_to_blue_only_when_blue_has_the_minimum() {
        let sick = Observation {
            blue_healthy: 2,
            ..seen(&[("blue", 0), ("green", 100)])
        };
        assert_eq!(
            decide(&sick, &wanted(100, 0)),
            Err(Refusal::TooFewHealthy {
                group: "blue".to_owned(),
                healthy: 2,
                minimum: 3,
                weight: 100
            })
        );
        assert!(changes(&decide(
            &seen(&[("blue", 0), ("green", 100)]),
            &wanted(100, 0)
        )));
    }

    #[test]
    fn a_blue_that_lost_a_server_keeps_its_weight() {
        let seen = Observation {
            blue_healthy: 2,
            switched: false,
            ..seen(&[("blue", 1)])
        };
        assert!(changes(&decide(&seen, &wanted(100, 0))));
    }

    #[test]
    fn a_changed_action_is_refused() {
        assert_eq!(
            decide(&seen(&[("blue", 100), ("other", 0)]), &wanted(0, 100)),
            Err(Refusal::ForeignGroup("arn:other".to_owned()))
        );
        let mut sticky = seen(&[("blue", 100), ("green", 0)]);
        sticky.forward.sticky = true;
        assert_eq!(decide(&sticky, &wanted(0, 100)), Err(Refusal::Sticky));
        assert_eq!(
            decide(&seen(&[("blue", 100)]), &wanted(0, 0)),
            Err(Refusal::NobodyServes)
        );
    }

    #[test]
    fn green_gets_no_weight_before_the_record_says_so() {
        let seen = Observation {
            switched: false,
            ..seen(&[("blue", 100), ("green", 0)])
        };
        assert_eq!(decide(&seen, &wanted(0, 100)), Err(Refusal::NotMarked));
    }

    #[test]
    fn moments_count_from_the_switch() {
        let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let moments = Moments::from(at, 30, 900, 86_400);
        assert_eq!(moments.settled_at.to_string(), "2026-11-22T10:00:30Z");
        assert_eq!(moments.baked_at.to_string(), "2026-11-22T10:15:00Z");
        assert_eq!(moments.deadline_at.to_string(), "2026-11-23T10:00:00Z");
    }
}
