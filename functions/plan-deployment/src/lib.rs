//! The Lambda plan-deployment: checks the input, reads who owns the service, and decides what the deployment will do.
//!
//! Changes nothing. Refuses bad input before any call of AWS, and an unfit world with every reason at once. A wish to
//! roll back and a take-over go by the record alone: neither runs the preflight.

mod observe;

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::ErrorName;
use ebbtide_rules::input::{Input, Request, TakeOver};
use ebbtide_rules::plan::{
    Epoch, Owner, Plan, Recorded, Refusal, TakenOver, Unready, decide, green_percent, hash,
    is_repeat, owner, roll_back, take_over,
};
use ebbtide_rules::record::Record;
use ebbtide_rules::settings::Defaults;
use ebbtide_runtime::Failure;
use serde::Deserialize;
use serde_json::Value;

use observe::observe;

/// What the state machine asks for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Payload {
    /// The execution's input as it was given.
    pub input: Value,
    /// The execution's name, which becomes the deployment's.
    pub deployment: String,
    /// The execution's ARN.
    pub execution: String,
}

/// What the stack says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The two target groups.
    pub target_groups: [String; 2],
    /// The launch template, by id or name.
    pub launch_template: String,
    /// Where to launch; none: as blue.
    pub subnets: Vec<String>,
    /// What a deployment gets unless its input says otherwise.
    pub defaults: Defaults,
}

impl Settings {
    /// Checks the target groups as the stack names them.
    ///
    /// # Errors
    /// A sentence, unless they are two different ones.
    pub fn target_groups(arns: &[String]) -> Result<[String; 2], String> {
        match arns {
            [first, second] if first != second => Ok([first.clone(), second.clone()]),
            _ => Err(format!(
                "EBBTIDE_TARGET_GROUPS: expected two different ARNs, got {}",
                arns.len()
            )),
        }
    }
}

/// Why there is no plan. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Input is when the execution's input is wrong.
    #[error("the input is wrong, nothing was touched: {}", .0.join("; "))]
    Input(Vec<String>),
    /// Preflight is when the world is not fit for a deployment.
    #[error("a deployment is not possible now, nothing was touched: {}", sentences(.0))]
    Preflight(Vec<Refusal>),
    /// Unready is when the record does not admit what is asked for.
    #[error("nothing was touched: {0}")]
    Unready(#[from] Unready),
    /// Edge is when a call failed.
    #[error(transparent)]
    Edge(#[from] CloudError),
}

impl Failure for Failed {
    fn name(&self) -> ErrorName {
        match self {
            Self::Input(_) => ErrorName::InvalidInput,
            Self::Preflight(_) | Self::Unready(_) | Self::Edge(CloudError::Unfit(_)) => {
                ErrorName::PreflightRefused
            }
            Self::Edge(error) => error.name(),
        }
    }
}

fn sentences(refusals: &[Refusal]) -> String {
    refusals
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Plans a deployment, or what was asked for instead of one.
///
/// # Errors
/// [`Failed`]; nothing was touched.
pub async fn handle(cloud: &Cloud, settings: &Settings, payload: Payload) -> Result<Plan, Failed> {
    let input = Input::parse(&payload.input).map_err(Failed::Input)?;
    let record = cloud.records.read().await?;
    match &input.request {
        Request::Deploy => deploy(cloud, settings, &payload, &input, &record).await,
        Request::RollBack(deployment) => {
            let owner = roll_back(&record, deployment)?;
            tracing::info!(deployment, stage = owner.stage, "may be told to roll back");
            Ok(Plan {
                roll_back: Some(deployment.clone()),
                ..bare(cloud, &payload, &record, Some(owner))
            })
        }
        Request::TakeOver(asked) => taken_over(cloud, &payload, &record, asked).await,
    }
}

async fn deploy(
    cloud: &Cloud,
    settings: &Settings,
    payload: &Payload,
    input: &Input,
    record: &Record,
) -> Result<Plan, Failed> {
    let (deployment, execution) = (&payload.deployment, &payload.execution);
    if let Some(owner) = owner(record, deployment, execution) {
        tracing::info!(
            deployment,
            owner = owner.deployment,
            execution = owner.execution,
            "the service is held"
        );
        return Ok(Plan {
            hash: Some(hash(deployment)),
            ..bare(cloud, payload, record, Some(owner))
        });
    }
    if is_repeat(record, deployment, execution) {
        return Err(Failed::Preflight(vec![Refusal::NameUsed(
            deployment.clone(),
        )]));
    }
    let seen = observe(cloud, settings, input, deployment).await?;
    let decision = decide(&seen, input, &settings.defaults).map_err(Failed::Preflight)?;
    let plan = bare(cloud, payload, record, None);
    tracing::info!(
        deployment,
        epoch = plan.epoch.claimed,
        blue = decision.blue.environment.name,
        green = decision.green.environment.name,
        count = decision.green.count,
        version = decision.green.launch_template_version,
        warnings = decision.warnings.join("; "),
        "planned"
    );
    Ok(Plan {
        hash: Some(hash(deployment)),
        dry_run: Some(input.dry_run),
        blue: Some(decision.blue),
        green: Some(decision.green),
        policy: Some(decision.policy),
        servers: Some(decision.servers),
        warnings: Some(decision.warnings),
        ..plan
    })
}

/// The recorded plan under the owner's name, for this execution to go on with.
async fn taken_over(
    cloud: &Cloud,
    payload: &Payload,
    record: &Record,
    asked: &TakeOver,
) -> Result<Plan, Failed> {
    let (owner, recorded) = take_over(record, asked)?;
    let forward = cloud.listener.read().await?.forward;
    let Recorded {
        blue,
        green,
        policy,
        hash,
        warnings,
    } = recorded;
    let green_weight = green_percent(&forward, &blue.environment, &green.environment);
    tracing::info!(
        deployment = owner.deployment,
        from = owner.execution,
        stage = owner.stage,
        green_weight,
        then = ?asked.then,
        "may be taken over"
    );
    let successor = Payload {
        deployment: owner.deployment.clone(),
        ..payload.clone()
    };
    Ok(Plan {
        hash: Some(hash),
        blue: Some(blue),
        green: Some(green),
        policy: Some(policy),
        warnings: Some(warnings),
        take_over: Some(TakenOver {
            deployment: asked.deployment.clone(),
            then: asked.then,
            green_weight,
        }),
        ..bare(cloud, &successor, record, Some(owner))
    })
}

/// Who asks, who owns the service, and which epoch is to be claimed.
fn bare(cloud: &Cloud, payload: &Payload, record: &Record, owner: Option<Owner>) -> Plan {
    Plan {
        deployment: payload.deployment.clone(),
        execution: payload.execution.clone(),
        service: cloud.service.clone(),
        owner,
        epoch: Epoch {
            seen: record.epoch,
            claimed: record.epoch_to_claim(&payload.deployment, &payload.execution),
        },
        hash: None,
        dry_run: None,
        blue: None,
        green: None,
        policy: None,
        servers: None,
        warnings: None,
        roll_back: None,
        take_over: None,
    }
}
