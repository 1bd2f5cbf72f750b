//! What a record says about who owns the service, and whether its owner may be told to roll back or be taken over.
//!
//! Refuses what the record rules out: a rollback after the bake (rule 9), and going on without the owner's plan.

use super::{Owner, Recorded};
use crate::input::{TakeOver, Then};
use crate::observed::Forward;
use crate::record::Record;
use crate::shape::Environment;

/// Why a deployment cannot be told to roll back, or be taken over, as its record stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// NotOwner is when the service is free, or another deployment holds it.
    #[error(
        "deployment {deployment} does not own the service, {}; look up the owner's name, or start a deployment",
        .owner.as_deref().map_or("nobody does".to_owned(), |owner| format!("deployment {owner} does"))
    )]
    NotOwner {
        /// Who was named.
        deployment: String,
        /// Who owns it.
        owner: Option<String>,
    },
    /// RollbackIsOver is when the drain has begun to seal servers: rollback is impossible after the first seal.
    #[error(
        "deployment {0} is draining: its bake is over and blue's servers are being sealed, which nothing takes back; let \
         it finish, then deploy the version you want"
    )]
    RollbackIsOver(String),
    /// NoTakeOverToRollBack is the same for a take-over, which can go on instead.
    #[error(
        "deployment {0} is draining: its bake is over and blue's servers are being sealed, which nothing takes back; \
         take it over with \"then\": \"continue\", and deploy the version you want after it"
    )]
    NoTakeOverToRollBack(String),
    /// RollingBack is when a rollback has begun already.
    #[error(
        "deployment {0} is rolling back already; watch it, or redrive its execution if it failed"
    )]
    RollingBack(String),
    /// Superseding is when the owner has only begun to clear another's green away: it has moved nothing.
    #[error(
        "deployment {0} has moved no traffic, it is still clearing another's green away: there is nothing to go on with \
         or to roll back; redrive its execution, or start a deployment once it has ended, which supersedes it"
    )]
    Superseding(String),
    /// NoPlan is when the record has no plan that this version can read, or that of other target groups.
    #[error(
        "the record of deployment {deployment} has no plan to go on with ({reason}): redrive the deployment's own \
         execution instead, {execution}"
    )]
    NoPlan {
        /// Whose.
        deployment: String,
        /// What is wrong with the plan.
        reason: String,
        /// The execution that has it.
        execution: String,
    },
}

/// The deployment that holds the service, when it is anything but this very execution.
pub fn owner(record: &Record, deployment: &str, execution: &str) -> Option<Owner> {
    let name = record.other_owner(deployment, execution)?;
    Some(described(record, name))
}

/// Whether this very execution has moved weights before: a name used again, which must not be planned a second time.
pub fn is_repeat(record: &Record, deployment: &str, execution: &str) -> bool {
    record.is_owned_by(deployment, execution) && record.switched
}

/// The owner that is told to roll back.
///
/// # Errors
/// [`Unready`] when `deployment` does not own the service, or is past or already in its rollback.
pub fn roll_back(record: &Record, deployment: &str) -> Result<Owner, Unready> {
    let owner = owned_by(record, deployment)?;
    if owner.stage == "rollingBack" {
        Err(Unready::RollingBack(owner.deployment))
    } else if has_baked(&owner) {
        Err(Unready::RollbackIsOver(owner.deployment))
    } else {
        Ok(owner)
    }
}

/// The owner that is taken over, and the plan that is gone on with.
///
/// # Errors
/// [`Unready`] when the named deployment does not own the service, cannot roll back any more, or left no plan.
pub fn take_over(record: &Record, asked: &TakeOver) -> Result<(Owner, Recorded), Unready> {
    let owner = owned_by(record, &asked.deployment)?;
    if asked.then == Then::RollBack && has_baked(&owner) {
        return Err(Unready::NoTakeOverToRollBack(owner.deployment));
    }
    let plan = recorded(record).map_err(|reason| Unready::NoPlan {
        deployment: owner.deployment.clone(),
        reason,
        execution: owner.execution.clone(),
    })?;
    Ok((owner, plan))
}

/// Green's share of the two groups' weight, in percent, rounded down; 0 when neither has any.
pub fn green_percent(forward: &Forward, blue: &Environment, green: &Environment) -> u32 {
    let weight = |of: &Environment| u64::from(forward.weight(&of.target_group_arn));
    let (blue, green) = (weight(blue), weight(green));
    let percent = (green * 100).checked_div(blue + green).unwrap_or_default();
    u32::try_from(percent).unwrap_or(100)
}

/// Whether servers may have sealed. The time alone says so as well: a late write may have turned back the stage.
fn has_baked(owner: &Owner) -> bool {
    owner.stage == "draining" || (owner.baked_at.is_some() && owner.stage != "rollingBack")
}

fn owned_by(record: &Record, deployment: &str) -> Result<Owner, Unready> {
    if record.owner.as_deref() != Some(deployment) {
        return Err(Unready::NotOwner {
            deployment: deployment.to_owned(),
            owner: record.owner.clone(),
        });
    }
    let owner = described(record, deployment);
    if owner.stage == "superseding" {
        return Err(Unready::Superseding(owner.deployment));
    }
    Ok(owner)
}

/// The owner's plan, if it can be read and is that of the record's own target groups.
fn recorded(record: &Record) -> Result<Recorded, String> {
    let text = record.plan.as_deref().ok_or("there is none")?;
    let plan: Recorded = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let differs = |recorded: &Option<String>, planned: &Environment| {
        recorded
            .as_ref()
            .is_some_and(|arn| *arn != planned.target_group_arn)
    };
    if differs(&record.blue, &plan.blue.environment)
        || differs(&record.green, &plan.green.environment)
    {
        return Err("it names other target groups than the record".to_owned());
    }
    Ok(plan)
}

fn described(record: &Record, owner: &str) -> Owner {
    Owner {
        deployment: owner.to_owned(),
        execution: record.execution.clone().unwrap_or_default(),
        epoch: record.epoch,
        stage: record.stage.clone().unwrap_or_default(),
        switched: record.switched,
        blue: record.blue.as_deref().map(Environment::of_arn),
        green: record.green.as_deref().map(Environment::of_arn),
        clearing: record.clearing.clone(),
        claimed_at: record.claimed_at.clone(),
        switched_at: record.switched_at.clone(),
        baked_at: record.baked_at.clone(),
        deadline_at: record.deadline_at.clone(),
        updated_at: record.updated_at.clone(),
        waiting_for: record.waiting_for.clone(),
        forecast: record.forecast.clone(),
    }
}

#[cfg(test)]
mod tests;
