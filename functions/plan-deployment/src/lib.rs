//! The Lambda plan-deployment: checks the input, reads who owns the service, and decides what the deployment will do.
//!
//! Changes nothing. Refuses bad input before any call of AWS, and an unfit world with every reason at once.

use ebbtide_cloud::{Cloud, CloudError};
use ebbtide_deployment::ErrorName;
use ebbtide_deployment::input::Input;
use ebbtide_deployment::observed::{DEPLOYMENT_TAG, Instance, InstanceState};
use ebbtide_deployment::plan::{
    Decision, Epoch, Group, Observation, Owner, Plan, Refusal, decide, is_repeat, owner,
};
use ebbtide_deployment::record::Record;
use ebbtide_deployment::roles::roles;
use ebbtide_deployment::settings::Defaults;
use ebbtide_runtime::Failure;
use serde::Deserialize;
use serde_json::Value;

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
    /// Edge is when a call failed.
    #[error(transparent)]
    Edge(#[from] CloudError),
}

impl Failure for Failed {
    fn name(&self) -> ErrorName {
        match self {
            Self::Input(_) => ErrorName::InvalidInput,
            Self::Preflight(_) | Self::Edge(CloudError::Unfit(_)) => ErrorName::PreflightRefused,
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

/// Plans a deployment.
///
/// # Errors
/// [`Failed`]; nothing was touched.
pub async fn handle(cloud: &Cloud, settings: &Settings, payload: Payload) -> Result<Plan, Failed> {
    let input = Input::parse(&payload.input).map_err(Failed::Input)?;
    let record = cloud.records.read().await?;
    if let Some(owner) = owner(&record, &payload.deployment) {
        tracing::info!(
            deployment = payload.deployment,
            owner = owner.deployment,
            "the service is held"
        );
        return Ok(plan(cloud, payload, &record, Some(owner), None));
    }
    if is_repeat(&record, &payload.deployment) {
        return Err(Failed::Preflight(vec![Refusal::NameUsed(
            payload.deployment,
        )]));
    }
    let seen = observe(cloud, settings, &input, &payload.deployment).await?;
    let decision = decide(&seen, &input, &settings.defaults).map_err(Failed::Preflight)?;
    tracing::info!(
        deployment = payload.deployment,
        epoch = record.epoch_to_claim(&payload.deployment),
        blue = decision.blue.environment.name,
        green = decision.green.environment.name,
        count = decision.green.count,
        version = decision.green.launch_template_version,
        warnings = decision.warnings.join("; "),
        "planned"
    );
    Ok(plan(
        cloud,
        payload,
        &record,
        None,
        Some((decision, input.dry_run)),
    ))
}

fn plan(
    cloud: &Cloud,
    payload: Payload,
    record: &Record,
    owner: Option<Owner>,
    decided: Option<(Decision, bool)>,
) -> Plan {
    let epoch = Epoch {
        seen: record.epoch,
        claimed: record.epoch_to_claim(&payload.deployment),
    };
    let (decision, dry_run) = decided.unzip();
    let (blue, green, policy, warnings) = match decision {
        Some(it) => (
            Some(it.blue),
            Some(it.green),
            Some(it.policy),
            Some(it.warnings),
        ),
        None => (None, None, None, None),
    };
    Plan {
        deployment: payload.deployment,
        execution: payload.execution,
        service: cloud.service.clone(),
        owner,
        epoch,
        dry_run,
        blue,
        green,
        policy,
        warnings,
    }
}

async fn observe(
    cloud: &Cloud,
    settings: &Settings,
    input: &Input,
    deployment: &str,
) -> Result<Observation, CloudError> {
    let forward = cloud.listener.read().await?.forward;
    let (balancer, load_balancer) = cloud.listener.load_balancer().await?;
    let other_forwards = cloud
        .listener
        .other_forwards(&balancer, &load_balancer)
        .await?;
    let [first, second] = &settings.target_groups;
    let (first, first_instances) = group(cloud, first).await?;
    let (second, second_instances) = group(cloud, second).await?;
    let (blue, green) = match roles(&forward, &settings.target_groups) {
        Ok(roles) if roles.blue == settings.target_groups[1] => (second_instances, first_instances),
        // Without clear roles there is no plan, and nobody asks whose instances these are.
        _ => (first_instances, second_instances),
    };
    let requested = input
        .launch_template_version
        .clone()
        .unwrap_or_else(|| "$Latest".to_owned());
    let version = cloud
        .templates
        .resolve(&settings.launch_template, &requested)
        .await?;
    let (template, version, network_interfaces) = match version {
        Some(it) => (it.template, Some(it.version), it.network_interfaces),
        None => (settings.launch_template.clone(), None, false),
    };
    let own = |it: &&Instance| it.tag(DEPLOYMENT_TAG) == Some(deployment);
    Ok(Observation {
        forward,
        load_balancer,
        groups: [first, second],
        other_forwards,
        blue_subnets: blue
            .iter()
            .filter(|it| it.is_live())
            .filter_map(|it| it.subnet.clone())
            .collect(),
        own_green: green.iter().filter(own).map(|it| it.id.clone()).collect(),
        configured_subnets: settings.subnets.clone(),
        launch_template_id: template,
        launch_template_version: version,
        network_interfaces,
        requested_version: requested,
    })
}

/// A group with its targets, without those whose instance is gone, and the instances of those that are registered.
async fn group(cloud: &Cloud, arn: &str) -> Result<(Group, Vec<Instance>), CloudError> {
    let described = cloud.groups.describe(arn).await?;
    let mut targets = cloud.groups.targets(arn).await?;
    let ids: Vec<String> = targets
        .iter()
        .filter(|it| it.registered)
        .map(|it| it.instance.clone())
        .collect();
    let instances = cloud.instances.by_ids(&ids).await?;
    let gone = |id: &str| {
        instances
            .iter()
            .any(|it| it.id == id && it.state == InstanceState::Terminated)
    };
    targets.retain(|target| !gone(&target.instance));
    let group = Group {
        environment: described.environment,
        target_type: described.target_type,
        sticky: described.sticky,
        targets,
    };
    Ok((group, instances))
}
