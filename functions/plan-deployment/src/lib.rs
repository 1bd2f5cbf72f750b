//! The Lambda plan-deployment: checks the input and the stack's settings, reads the record, and decides what the
//! deployment will do.
//!
//! Changes nothing. Refuses bad input before any call of AWS, and an unfit world with every reason at once. A wish,
//! a take-over and a deployment while another holds the front run no preflight: what becomes of them is
//! decided by the record, at the claim.

mod observe;

use std::collections::BTreeMap;

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::input::{Input, Request, TakeOver};
use ebbtide_rules::plan::{
    Asked, Decision, Deploy, Holder, Plan, Recorded, Refusal, Refusals, decide, green_percent,
    hash, holder, recorded,
};
use ebbtide_rules::record::Record;
use ebbtide_rules::settings::{Settings, listeners};
use ebbtide_rules::{ErrorName, Failure};
use serde::Deserialize;
use serde_json::Value;

pub use ebbtide_runtime::Failed;

use observe::observe;

/// What the state machine asks for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// The execution's input as it was given.
    pub input: Value,
    /// The execution's name, which becomes the deployment's.
    pub deployment: String,
    /// The execution's ARN.
    pub execution: String,
    /// The stack's settings, which the execution keeps from here on.
    pub settings: BTreeMap<String, String>,
}

/// Plans a deployment, or what was asked for instead of one.
///
/// # Errors
/// [`Failed`]; nothing was touched.
pub async fn handle(cloud: &Cloud, payload: Payload) -> Result<Plan, Failed> {
    let (input, settings) = parse(&payload)?;
    let record = cloud.records.read().await?;
    let call = Call {
        cloud,
        payload: &payload,
        record: &record,
    };
    match (&input.request, settings) {
        (Request::Deploy, Ok(settings)) => call.deploy(&settings, &input).await,
        (Request::Deploy, Err(errors)) => Err(wrong(&errors)),
        (Request::TakeOver(asked), _) => call.take_over(asked).await,
        (Request::Wish(wish), _) => {
            tracing::info!(deployment = wish.deployment, verb = ?wish.verb, "is to be told");
            let wish = wish.clone();
            Ok(call.plan(Asked::Wish { wish }))
        }
    }
}

/// The input, and the settings or what is wrong with them: only a deployment needs all of them, and whoever stops one is not to
/// be stopped by a parameter of the next. Where the input is wrong everything is told at once.
fn parse(payload: &Payload) -> Result<(Input, Result<Settings, Vec<String>>), Failed> {
    let settings = Settings::parse(&payload.settings);
    match Input::parse(&payload.input) {
        Ok(input) => Ok((input, settings)),
        Err(mut errors) => {
            errors.extend(settings.err().into_iter().flatten());
            Err(wrong(&errors))
        }
    }
}

fn wrong(errors: &[String]) -> Failed {
    let errors = errors.join("; ");
    let cause = format!("the input is wrong, nothing was touched: {errors}");
    Failed::new(ErrorName::InvalidInput, cause)
}

/// One call, with the record as it was read.
struct Call<'a> {
    cloud: &'a Cloud,
    payload: &'a Payload,
    record: &'a Record,
}

impl Call<'_> {
    async fn deploy(&self, settings: &Settings, input: &Input) -> Result<Plan, Failed> {
        let deployment = &self.payload.deployment;
        match holder(self.record, &self.payload.execution) {
            Holder::Free => {}
            Holder::Another => {
                tracing::info!(deployment, "another deployment holds the front");
                let dry_run = input.dry_run;
                return Ok(self.plan(Asked::Held { dry_run }));
            }
            Holder::Switched => {
                let used = Refusal::NameUsed(deployment.clone());
                return Err(Refusals(vec![used]).into());
            }
        }
        let seen = observe(self.cloud, settings, input, self.record, deployment);
        let seen = seen.await.map_err(unfit)?;
        let decision = decide(&seen, input, &settings.defaults).map_err(Refusals)?;
        Ok(self.decided(decision, input.dry_run))
    }

    fn decided(&self, decision: Decision, dry_run: bool) -> Plan {
        let deployment = &self.payload.deployment;
        tracing::info!(
            deployment,
            epoch = self.record.epoch,
            blue = decision.blue.environment.name,
            green = decision.green.environment.name,
            count = decision.green.count,
            version = decision.green.launch_template_version,
            warnings = decision.warnings.join("; "),
            "planned"
        );
        self.plan(Asked::Deploy(Deploy {
            dry_run,
            servers: decision.servers,
            recorded: Recorded {
                blue: decision.blue,
                green: decision.green,
                environments: decision.environments,
                listeners: decision.listeners,
                policy: decision.policy,
                hash: hash(deployment),
                warnings: decision.warnings,
            },
        }))
    }

    /// The recorded plan under the deployment's own name, for this execution to go on with.
    async fn take_over(&self, asked: &TakeOver) -> Result<Plan, Failed> {
        let listeners = listeners(&self.payload.settings);
        let recorded = recorded(self.record, &asked.deployment)?.naming(&listeners);
        let mut forwards = Vec::new();
        for listener in &recorded.listeners {
            let live = self.cloud.listener(listener).read().await;
            forwards.push(live.map_err(unfit)?.forward);
        }
        let green_weight = green_percent(&forwards, &recorded);
        tracing::info!(
            deployment = asked.deployment,
            green_weight,
            then = ?asked.then,
            "is to be taken over"
        );
        Ok(Plan {
            deployment: asked.deployment.clone(),
            ..self.plan(Asked::TakeOver {
                then: asked.then,
                green_weight,
                recorded,
            })
        })
    }

    fn plan(&self, asked: Asked) -> Plan {
        Plan {
            deployment: self.payload.deployment.clone(),
            execution: self.payload.execution.clone(),
            service: self.cloud.service.clone(),
            epoch: self.record.epoch,
            asked,
        }
    }
}

/// An action that weights cannot be set in is one more reason against a deployment here.
fn unfit(error: CloudError) -> Failed {
    match error {
        CloudError::Unfit(_) => Failed::new(ErrorName::PreflightRefused, error.to_string()),
        other => Failed::new(other.name(), other.to_string()),
    }
}
