//! Who owns the service: the record that the state machine writes, and the fence that every function checks.
//!
//! Owns rule 8: a function that changes AWS reads the record, consistently, just before it acts, and refuses unless
//! owner and epoch are its own. A window between the check and the act remains; AWS offers no fence there.

use crate::shape::Fence;

/// The service's record. A service never deployed has none: that is the default, free and at epoch 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The deployment that holds the service; none when it is free.
    pub owner: Option<String>,
    /// The ARN of the owner's execution.
    pub execution: Option<String>,
    /// The fencing number; it only grows.
    pub epoch: u64,
    /// The last stage that the owner wrote.
    pub stage: Option<String>,
    /// True from just before the first weight moves: from then on green may hold sessions.
    pub switched: bool,
    /// The ARN of the target group that the owner's plan called blue.
    pub blue: Option<String>,
    /// The ARN of the target group that the owner's plan called green.
    pub green: Option<String>,
    /// The owner's plan as JSON text, from which a deployment is taken over.
    pub plan: Option<String>,
    /// The deployment whose green the owner is clearing away, while it supersedes it.
    pub clearing: Option<String>,
    /// An operator's wish to roll back: who and when.
    pub roll_back: Option<String>,
    /// When the owner claimed the service.
    pub claimed_at: Option<String>,
    /// When its first weight moved.
    pub switched_at: Option<String>,
    /// When its bake ended.
    pub baked_at: Option<String>,
    /// When its drain fails with an alert.
    pub deadline_at: Option<String>,
    /// When the owner last wrote.
    pub updated_at: Option<String>,
    /// What the owner was waiting for when it last wrote.
    pub waiting_for: Option<String>,
    /// When the owner expected its drain to end when it last wrote.
    pub forecast: Option<String>,
}

/// A function that is late: its deployment does not own the service any more, or not at this epoch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "deployment {deployment} at epoch {epoch} does not own the service: its record names {} at epoch {recorded_epoch}; \
     nothing was changed by this call, and the deployment that the record names goes on",
    owner.as_deref().unwrap_or("nobody")
)]
pub struct Superseded {
    /// Who asked.
    pub deployment: String,
    /// The epoch it asked with.
    pub epoch: u64,
    /// Who owns the service.
    pub owner: Option<String>,
    /// The epoch in the record.
    pub recorded_epoch: u64,
}

impl Record {
    /// Says whether the bearer of `fence` may change anything.
    ///
    /// # Errors
    /// [`Superseded`] unless owner and epoch are exactly its own.
    pub fn admits(&self, fence: &Fence) -> Result<(), Superseded> {
        if self.owner.as_deref() == Some(&fence.deployment) && self.epoch == fence.epoch {
            return Ok(());
        }
        Err(Superseded {
            deployment: fence.deployment.clone(),
            epoch: fence.epoch,
            owner: self.owner.clone(),
            recorded_epoch: self.epoch,
        })
    }

    /// Whether `execution` of `deployment` is what owns the service.
    ///
    /// The name alone is not enough: a deployment that was taken over keeps its name, and the execution that it was
    /// taken from must not take it back by planning again.
    pub fn is_owned_by(&self, deployment: &str, execution: &str) -> bool {
        self.owner.as_deref() == Some(deployment) && self.execution.as_deref() == Some(execution)
    }

    /// The owner's name, when the service is held by anything but this very execution of `deployment`.
    pub fn other_owner(&self, deployment: &str, execution: &str) -> Option<&str> {
        self.owner
            .as_deref()
            .filter(|_| !self.is_owned_by(deployment, execution))
    }

    /// The epoch that `execution` of `deployment` claims: its own when it owns the service already, else the next one.
    pub fn epoch_to_claim(&self, deployment: &str, execution: &str) -> u64 {
        if self.is_owned_by(deployment, execution) {
            self.epoch
        } else {
            self.epoch + 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(owner: &str, epoch: u64) -> Record {
        Record {
            owner: Some(owner.to_owned()),
            execution: Some(format!("arn:{owner}")),
            epoch,
            ..Record::default()
        }
    }

    fn fence(deployment: &str, epoch: u64) -> Fence {
        Fence {
            deployment: deployment.to_owned(),
            epoch,
        }
    }

    #[test]
    fn only_owner_and_epoch_together_are_admitted() {
        assert_eq!(owned("a", 5).admits(&fence("a", 5)), Ok(()));
        assert!(
            owned("a", 6).admits(&fence("a", 5)).is_err(),
            "a rollback raised the epoch"
        );
        assert!(
            owned("a", 5).admits(&fence("a", 6)).is_err(),
            "an epoch from nowhere"
        );
        assert!(owned("b", 5).admits(&fence("a", 5)).is_err());
        assert!(
            Record::default().admits(&fence("a", 0)).is_err(),
            "a free service admits nobody"
        );
    }

    #[test]
    fn the_refusal_names_both_sides() {
        let refusal = owned("b", 6)
            .admits(&fence("a", 5))
            .unwrap_err()
            .to_string();
        assert!(refusal.contains("deployment a at epoch 5"), "{refusal}");
        assert!(refusal.contains("names b at epoch 6"), "{refusal}");
    }

    #[test]
    fn a_repeat_of_the_owner_claims_the_same_epoch() {
        assert_eq!(owned("a", 5).epoch_to_claim("a", "arn:a"), 5);
        assert_eq!(owned("b", 5).epoch_to_claim("a", "arn:a"), 6);
        assert_eq!(Record::default().epoch_to_claim("a", "arn:a"), 1);
        assert_eq!(owned("b", 5).other_owner("a", "arn:a"), Some("b"));
        assert_eq!(owned("a", 5).other_owner("a", "arn:a"), None);
        assert_eq!(Record::default().other_owner("a", "arn:a"), None);
    }

    #[test]
    fn another_execution_of_the_same_deployment_is_another_owner() {
        let taken = Record {
            execution: Some("arn:successor".to_owned()),
            ..owned("a", 6)
        };
        assert_eq!(taken.other_owner("a", "arn:a"), Some("a"));
        assert_eq!(taken.epoch_to_claim("a", "arn:a"), 7);
        let nameless = Record {
            execution: None,
            ..owned("a", 6)
        };
        assert_eq!(
            nameless.other_owner("a", "arn:a"),
            Some("a"),
            "whose it is cannot be told"
        );
    }
}
