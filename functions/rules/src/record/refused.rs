//! Why an ask is refused: each refusal with what the operator does about it. A refusal writes nothing.

use super::{Ask, Superseded};
use crate::document::Incomplete;
use crate::{ErrorName, Failure};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The record does not name the one that asks.
    #[error(transparent)]
    Superseded(#[from] Superseded),
    /// The record has changed since the plan; it is made anew.
    #[error(
        "the record has changed since the plan, which saw it at epoch {planned} (it is at {epoch} now): it is planned again"
    )]
    PlanOutdated {
        /// The epoch that the plan saw.
        planned: u64,
        /// The record's.
        epoch: u64,
    },
    /// Another deployment holds the front.
    #[error(transparent)]
    InProgress(Box<InProgress>),
    /// A deployment is not possible as things stand; nothing was touched.
    #[error("a deployment is not possible now, nothing was touched: {0}")]
    Preflight(String),
    /// The deployment cannot be told that.
    #[error("nothing was changed: {0}")]
    Wish(String),
    /// A pause, or the wait at a gate, has lasted as long as it may.
    #[error(
        "{0}. That time is over: nothing has moved since. Redrive this execution, which grants it anew (should it fail here \
         again at once, redrive it 90 minutes later, or take it over), and say then what is to happen"
    )]
    Paused(String),
    /// The deployment cannot be taken over.
    #[error("nothing was touched: {0}")]
    TakeOver(String),
    /// The record is of a newer version of Ebbtide, which alone may write it.
    #[error(
        "the record has shape {found}, and this version writes {known} at most: a newer version of Ebbtide has claimed since \
         this execution began. Take the deployment over, {{\"takeOver\": {{\"deployment\": \"{deployment}\", \"then\": \
         \"continue\"}}}}, and the newer version goes on with it"
    )]
    NewerShape {
        /// The record's.
        found: u32,
        /// This version's.
        known: u32,
        /// Who asks.
        deployment: String,
    },
    /// The definition asks for what the document cannot answer.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The definition asks in the wrong place.
    #[error("{0}: the definition and the functions are not of one version")]
    Misplaced(String),
}

/// Another deployment holds the front, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "deployment {deployment} holds the service at epoch {epoch}, its execution {execution} is {status}, it is {phase}{}. {}",
    waiting(.waiting_for), .advice
)]
pub struct InProgress {
    /// Which.
    pub deployment: String,
    /// Its epoch.
    pub epoch: u64,
    /// Its execution.
    pub execution: String,
    /// What Step Functions says of that.
    pub status: String,
    /// How far it is.
    pub phase: &'static str,
    /// What it was waiting for.
    pub waiting_for: Option<String>,
    /// What to do.
    pub advice: String,
}

fn waiting(waiting_for: &Option<String>) -> String {
    waiting_for
        .as_ref()
        .map_or_else(String::new, |it| format!(", waiting for {it}"))
}

impl Refused {
    /// That the record has a newer shape than the asker's version knows.
    pub fn newer(found: u32, known: u32, ask: &Ask) -> Self {
        let plan = ask.document.plan.as_ref();
        Self::NewerShape {
            found,
            known,
            deployment: plan.map_or_else(String::new, |plan| plan.deployment.clone()),
        }
    }
}

impl Failure for Refused {
    fn name(&self) -> ErrorName {
        match self {
            Self::Superseded(_) => ErrorName::Superseded,
            Self::PlanOutdated { .. } => ErrorName::PlanOutdated,
            Self::InProgress(_) => ErrorName::DeploymentInProgress,
            Self::Preflight(_) | Self::TakeOver(_) => ErrorName::PreflightRefused,
            Self::Wish(_) => ErrorName::WishRefused,
            Self::Paused(_) => ErrorName::PausedTooLong,
            Self::NewerShape { .. } => ErrorName::RecordTooNew,
            Self::Incomplete(_) | Self::Misplaced(_) => ErrorName::InvalidInput,
        }
    }
}
