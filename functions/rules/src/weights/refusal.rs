//! Why the forward action is not, or not known to be, as wanted; each with what an operator does about it.

use std::fmt;

use crate::{ErrorName, Failure};

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
    /// ForeignGroup is when somebody added a target group of another service to the action.
    #[error(
        "the forward action now names {0}, which is no environment of this service; remove it, then redrive"
    )]
    ForeignGroup(String),
    /// StillHasTargets is when a group would leave the action with targets in it, whose connections AWS would cut.
    #[error(
        "{0} would leave the forward action and still has registered targets, whose connections would be cut; see who \
         registered them, deregister what is not the service's, then redrive"
    )]
    StillHasTargets(String),
    /// Sticky is when somebody turned stickiness on: its cookie beats weights.
    #[error(
        "target group stickiness is on in the forward action: its cookie beats weights; turn it off, then redrive"
    )]
    Sticky,
    /// Contested is when somebody else moves the weights as often as they are set right.
    #[error(
        "somebody else moves the weights: they were set right {repairs} times, and the action is {found} again, which shall \
         be {wanted}; nothing was changed this time. Stop whoever owns the listener (a controller, an apply that does not \
         ignore the weights), then redrive"
    )]
    Contested {
        /// How often they were set right.
        repairs: u32,
        /// What the action shall be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// NobodyServes is when no group would have weight.
    #[error(
        "the forward action would have no group with weight, and the service no servers; give all weight to the group that \
         is to serve, then redrive"
    )]
    NobodyServes,
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

impl Failure for Refusal {
    fn name(&self) -> ErrorName {
        match self {
            Self::GreenUnhealthy(_) => ErrorName::GreenUnhealthy,
            Self::TooFewHealthy(_) => ErrorName::TooFewHealthy,
            Self::Contested { .. } => ErrorName::WeightsContested,
            _ => ErrorName::NotConfirmed,
        }
    }
}

/// What is wrong at one of a service's listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<E> {
    /// The listener or rule; none where the service has only that one.
    pub listener: Option<String>,
    /// What.
    pub what: E,
}

impl<E: fmt::Display> fmt::Display for At<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listener {
            Some(listener) => write!(formatter, "at {listener}: {}", self.what),
            None => self.what.fmt(formatter),
        }
    }
}

impl<E: Failure> Failure for At<E> {
    fn name(&self) -> ErrorName {
        self.what.name()
    }
}

/// Reading again showed another action than was set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the forward action was set to {wanted} and reading it again shows {found}; see who else changes the listener, then \
     redrive"
)]
pub struct NotConfirmed {
    /// What was set.
    pub wanted: String,
    /// What is there.
    pub found: String,
}

impl Failure for NotConfirmed {
    fn name(&self) -> ErrorName {
        ErrorName::NotConfirmed
    }
}

/// What to say where AWS refuses an action of this many groups; nothing for two, which every load balancer takes.
///
/// Sources: "Quotas for your Application Load Balancers" (target groups per action: 5, not adjustable); the quotas of a
/// Network Load Balancer name no number, and its guide shows two.
pub fn limits(groups: usize) -> Option<String> {
    (groups > 2).then(|| {
        format!(
            "the action was to name {groups} target groups: an ALB takes five, and of an NLB only two are documented; if \
             that is the reason, let a retiring environment end first, or give the stack fewer target groups"
        )
    })
}
