//! What stops an end altogether, and calls an operator: nothing was ended then.

use jiff::SignedDuration;

use super::{Licence, Observation, Refusal, Rest, Terminated, Termination, Verdict};
use crate::shape::{Environment, group_name};
use crate::{ErrorName, Failure};

/// Why no instance may be ended, or why asking again for ever would tell nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// Misnamed is when the environment's name is not that of its target group: weights would be read of one environment,
    /// and tags of the other.
    #[error("environment {name} is not the target group {target_group_arn}; nothing was changed")]
    Misnamed {
        /// The environment's name.
        name: String,
        /// Its target group.
        target_group_arn: String,
    },
    /// HasWeight is when an environment of which servers have sealed gets new sessions, which it refuses.
    #[error(
        "{environment} is being emptied and has weight {weight} in the forward action: its servers are refusing new \
         sessions now. Give all weight to the target group that serves at once, see who changed it, then redrive this \
         execution"
    )]
    HasWeight {
        /// The environment to empty.
        environment: String,
        /// The weight.
        weight: u32,
    },
    /// Foreign is when an environment that never served has instances that may not be ended, and nothing is ending.
    #[error(
        "{environment} never had weight and still has {} that this deployment may not end ({instance}: {reason}); deregister or \
         terminate what is not the service's, then redrive this execution", counted(*.count)
    )]
    Foreign {
        /// The environment to empty.
        environment: String,
        /// How many instances are in the way.
        count: usize,
        /// One of them.
        instance: String,
        /// Why it may not be ended.
        reason: String,
    },
    /// Lingering is when an environment that never served does not end, however long it is waited for.
    #[error(
        "{environment} never had weight, and {} of it {} not ended in {} minutes ({instance}): look at it in EC2 (a volume \
         or a hook that does not let go), then redrive this execution", counted(*.count), if *.count == 1 { "has" } else { "have" },
        LINGERING.as_mins()
    )]
    Lingering {
        /// The environment to empty.
        environment: String,
        /// How many instances are left.
        count: usize,
        /// One of them.
        instance: String,
    },
}

/// For how long a green that never served is waited for: EC2 ends an instance within minutes, and a lifecycle hook holds
/// it up for an hour unless it says otherwise ("Amazon EC2 Auto Scaling lifecycle hooks").
const LINGERING: SignedDuration = SignedDuration::from_mins(90);

impl Failure for Blocked {
    fn name(&self) -> ErrorName {
        match self {
            Self::Misnamed { .. } => ErrorName::InvalidInput,
            Self::HasWeight { .. } | Self::Foreign { .. } | Self::Lingering { .. } => {
                ErrorName::NotConfirmed
            }
        }
    }
}

fn counted(instances: usize) -> String {
    format!(
        "{instances} instance{}",
        if instances == 1 { "" } else { "s" }
    )
}

pub(super) fn refuse_misnamed(environment: &Environment) -> Result<(), Blocked> {
    let group = environment.target_group(0).unwrap_or_default();
    if group_name(group) == environment.name {
        return Ok(());
    }
    Err(Blocked::Misnamed {
        name: environment.name.clone(),
        target_group_arn: group.to_owned(),
    })
}

impl Termination {
    /// Stops where the environment that is emptied gets new sessions: after the bake nobody else looks at the weights,
    /// and users would be refused until somebody noticed.
    ///
    /// # Errors
    /// [`Blocked::HasWeight`].
    pub fn refuse_weight(&self, seen: &Observation) -> Result<(), Blocked> {
        let own = &self.environment;
        let mut weighted = seen.weighted.iter();
        let weighted = weighted.find(|group| own.has(&group.target_group_arn));
        match (self.licence, weighted) {
            (Licence::Sealed, Some(group)) => Err(Blocked::HasWeight {
                environment: own.name.clone(),
                weight: group.weight,
            }),
            _ => Ok(()),
        }
    }
}

pub(super) fn refuse_lingering(
    order: &Termination,
    ended: &Terminated,
    waited: SignedDuration,
) -> Result<(), Blocked> {
    let left = ended.verdict == Verdict::Left && order.licence == Licence::NeverServed;
    if !left || waited <= LINGERING {
        return Ok(());
    }
    Err(Blocked::Lingering {
        environment: order.environment.name.clone(),
        count: ended.remaining,
        instance: ended.ending.first().cloned().unwrap_or_default(),
    })
}

pub(super) fn refuse_foreign(
    order: &Termination,
    rest: &Rest,
    refused: &[(String, Refusal)],
) -> Result<(), Blocked> {
    match (order.licence, rest.ending.is_empty(), refused.first()) {
        (Licence::NeverServed, true, Some((instance, reason))) => Err(Blocked::Foreign {
            environment: order.environment.name.clone(),
            count: refused.len(),
            instance: instance.clone(),
            reason: reason.to_string(),
        }),
        _ => Ok(()),
    }
}
