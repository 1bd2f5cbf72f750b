//! The Lambda terminate-blue: ends the instances of an environment that may be ended, and says what is left of it.
//!
//! Called in every pass of the drain with the servers that sealed (blue's, or after a rollback green's), and to end a
//! green that never had weight (its own deployment's, or with `of` that of one which was superseded). Lists the environment itself, refuses
//! whatever `ebbtide_rules::terminate` refuses, and never answers `empty` from what it ordered: only from what
//! EC2 and the load balancer show.

mod end;
mod observe;

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::terminate::{Decision, Licence, Observation, Order, decide, rest};
use ebbtide_rules::{Environment, ErrorName, Fence, Server};
use ebbtide_runtime::Failure;
use serde::{Deserialize, Serialize};

/// The most refusals that are answered by name: the execution's document stays small.
const MOST_REFUSALS: usize = 20;

/// What the state machine asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who asks.
    pub fence: Fence,
    /// The environment to empty.
    pub environment: Environment,
    /// The environment that served at the plan.
    pub blue: Environment,
    /// The environment that takes over.
    pub green: Environment,
    /// On what ground.
    pub licence: Licence,
    /// The instances that acknowledged their seal in this pass.
    #[serde(default)]
    pub sealed: Vec<String>,
    /// The instances that were listed before: none of them is forgotten while EC2 does not show it.
    #[serde(default)]
    pub servers: Vec<Server>,
    /// The deployment whose instances these are, when it is not the one that asks.
    #[serde(default)]
    pub of: Option<String>,
}

/// What is left of the environment, as read after everything was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Terminated {
    /// The instances that EC2 calls terminated.
    pub terminated: Vec<String>,
    /// Those that are shutting down.
    pub ending: Vec<String>,
    /// Those that must not be ended, the first 20.
    pub refused: Vec<Refused>,
    /// How many are not terminated.
    pub remaining: usize,
    /// Whether nothing is left: everything terminated, and no live target in the group.
    pub empty: bool,
}

/// An instance that must not be ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Its id.
    pub instance: String,
    /// Why.
    pub reason: String,
}

/// Why instances were not ended, or nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Edge is when a call failed or this function is late.
    #[error(transparent)]
    Edge(#[from] CloudError),
    /// Stranger is when the environment to empty is not one of the service's two.
    #[error(
        "environment {environment} is neither blue {blue} nor green {green}; nothing was changed"
    )]
    Stranger {
        /// The environment to empty.
        environment: String,
        /// The environment that served at the plan.
        blue: String,
        /// The environment that takes over.
        green: String,
    },
    /// Misnamed is when the environment's name is not that of its target group: weights would be read of one environment,
    /// and tags of the other.
    #[error("environment {name} is not the target group {target_group_arn}; nothing was changed")]
    Misnamed {
        /// The environment's name.
        name: String,
        /// Its target group.
        target_group_arn: String,
    },
    /// OfAnother is when a seal is offered for another deployment's instances: seals are the asking deployment's own.
    #[error(
        "the instances of deployment {0} cannot be ended as sealed, only as never having served; nothing was changed"
    )]
    OfAnother(String),
    /// HasWeight is when an environment of which servers have sealed gets new sessions, which it refuses.
    #[error(
        "{environment} is being emptied and has weight {weight} in the forward action: its servers are refusing new \
         sessions now. Give all weight to the other target group at once, see who changed it, then redrive this execution"
    )]
    HasWeight {
        /// The environment to empty.
        environment: String,
        /// The weight.
        weight: u32,
    },
    /// Foreign is when an environment that never served has instances that may not be ended, and nothing is ending:
    /// asking again for ever would tell nobody.
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
}

fn counted(instances: usize) -> String {
    format!(
        "{instances} instance{}",
        if instances == 1 { "" } else { "s" }
    )
}

impl Failure for Failed {
    fn name(&self) -> ErrorName {
        match self {
            Self::Edge(error) => error.name(),
            Self::Stranger { .. } | Self::Misnamed { .. } | Self::OfAnother(_) => {
                ErrorName::InvalidInput
            }
            Self::HasWeight { .. } | Self::Foreign { .. } => ErrorName::NotConfirmed,
        }
    }
}

/// Ends what may be ended, and counts what is left.
///
/// # Errors
/// [`Failed`]; some instances may have been ended already, and a repeat ends the others.
pub async fn handle(cloud: &Cloud, payload: Payload) -> Result<Terminated, Failed> {
    let order = order(&payload)?;
    let mut seen = observe::environment(cloud, &order, &payload.servers).await?;
    // Last, so that as little time as possible lies between this and the first change.
    let switched = cloud.records.admit(&payload.fence).await?.switched;
    seen.switched = switched;
    refuse_weight(&seen, &order)?;
    let decision = decide(&seen, &order);
    log(&payload, &decision);
    if !decision.terminate.is_empty() {
        end::instances(
            cloud,
            &payload.fence,
            &order.environment,
            &seen.targets,
            &decision.terminate,
        )
        .await?;
        seen = observe::environment(cloud, &order, &payload.servers).await?;
        seen.switched = switched;
    }
    let rest = rest(&seen);
    let refused = decide(&seen, &order).refused;
    if let (Licence::NeverServed, true, Some((instance, reason))) =
        (order.licence, rest.ending.is_empty(), refused.first())
    {
        return Err(Failed::Foreign {
            environment: order.environment.name,
            count: refused.len(),
            instance: instance.clone(),
            reason: reason.to_string(),
        });
    }
    Ok(Terminated {
        terminated: rest.terminated,
        ending: rest.ending,
        refused: refused
            .into_iter()
            .take(MOST_REFUSALS)
            .map(|(instance, refusal)| Refused {
                instance,
                reason: refusal.to_string(),
            })
            .collect(),
        remaining: rest.remaining,
        empty: rest.empty,
    })
}

/// After the bake nobody else looks at the weights, and users would be refused until somebody noticed.
fn refuse_weight(seen: &Observation, order: &Order) -> Result<(), Failed> {
    let own = &order.environment;
    let weighted = seen
        .weighted
        .iter()
        .find(|group| group.target_group_arn == own.target_group_arn);
    match (order.licence, weighted) {
        (Licence::Sealed, Some(group)) => Err(Failed::HasWeight {
            environment: own.name.clone(),
            weight: group.weight,
        }),
        _ => Ok(()),
    }
}

fn order(payload: &Payload) -> Result<Order, Failed> {
    let (blue, green) = (&payload.blue, &payload.green);
    if ![blue, green].contains(&&payload.environment) {
        return Err(Failed::Stranger {
            environment: payload.environment.name.clone(),
            blue: blue.name.clone(),
            green: green.name.clone(),
        });
    }
    let group = &payload.environment.target_group_arn;
    if Environment::of_arn(group) != payload.environment {
        return Err(Failed::Misnamed {
            name: payload.environment.name.clone(),
            target_group_arn: group.clone(),
        });
    }
    if let (Licence::Sealed, Some(of)) = (payload.licence, &payload.of) {
        return Err(Failed::OfAnother(of.clone()));
    }
    let deployment = payload.of.as_ref().unwrap_or(&payload.fence.deployment);
    Ok(Order {
        deployment: deployment.clone(),
        environment: payload.environment.clone(),
        licence: payload.licence,
        sealed: payload.sealed.clone(),
    })
}

fn log(payload: &Payload, decision: &Decision) {
    let refused: Vec<String> = decision
        .refused
        .iter()
        .map(|(instance, refusal)| format!("{instance}: {refusal}"))
        .collect();
    tracing::info!(
        deployment = payload.fence.deployment,
        epoch = payload.fence.epoch,
        environment = payload.environment.name,
        licence = ?payload.licence,
        terminate = ?decision.terminate,
        refused = ?refused,
        "decided"
    );
}
