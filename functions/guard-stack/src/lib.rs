//! The Lambda guard-stack: answers CloudFormation whether the stack may lose a setting, or be deleted.
//!
//! Two custom resources ask it (`template.yaml`): `SettingsGuard`, which is updated before everything that has the guarded
//! settings, and `DeletionGuard`, which is deleted before everything else. Reads the record of the service that the stack
//! had, and changes nothing. What it refuses stops the update or the deletion before anything is touched; the reason is
//! the event's in CloudFormation. A record that cannot be read refuses too: whoever knows better retains the guard
//! (docs/operating.md).

use aws_lambda_events::cloudformation::{
    CloudFormationCustomResourceRequest as Request, CloudFormationCustomResourceResponse as Answer,
    CloudFormationCustomResourceResponseStatus as Status,
};
use ebbtide_aws::{Table, reply};
use ebbtide_rules::guard::{self, Guarded};
use ebbtide_rules::{ErrorName, Failure as _};
use serde::{Deserialize, Serialize};

pub use ebbtide_runtime::Failed;

/// The properties of both resources, by the parameters' names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Properties {
    /// What is guarded.
    pub guards: Guards,
    /// The service.
    pub service_name: String,
    /// Its listeners, joined by commas; the deletion's guard has none.
    #[serde(default)]
    pub listener_arn: String,
    /// Its target groups, joined by commas.
    #[serde(default)]
    pub target_group_arns: String,
}

/// What a resource guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Guards {
    /// Settings, at an update.
    #[default]
    Settings,
    /// The stack, at its deletion.
    Deletion,
}

impl Properties {
    fn guarded(&self) -> Guarded {
        let list = |text: &str| text.split(',').map(|it| it.trim().to_owned()).collect();
        Guarded {
            service: self.service_name.clone(),
            listeners: list(&self.listener_arn),
            target_groups: list(&self.target_group_arns),
        }
    }
}

/// Decides, and tells CloudFormation.
///
/// # Errors
/// [`Failed`] where CloudFormation could not be told: Lambda asks again, twice.
pub async fn handle(table: &Table, request: Request<Properties, Properties>) -> Result<(), Failed> {
    let refused = decide(table, &request).await.err();
    let (url, answer) = answer(request, refused)?;
    tracing::info!(
        resource = answer.logical_resource_id,
        reason = answer.reason,
        "answers"
    );
    let body = serde_json::to_vec(&answer)
        .map_err(|error| Failed::new(ErrorName::InvalidInput, error.to_string()))?;
    reply(&url, body).await?;
    Ok(())
}

/// The reason against it.
async fn decide(table: &Table, request: &Request<Properties, Properties>) -> Result<(), String> {
    let told = |error: ebbtide_aws::CloudError| {
        format!(
            "the service's record could not be read ({}: {error})",
            error.name()
        )
    };
    match request {
        Request::Update(update) if update.resource_properties.guards == Guards::Settings => {
            let was = update.old_resource_properties.guarded();
            let record = table.records(&was.service).read().await.map_err(told)?;
            let is = update.resource_properties.guarded();
            guard::update(&record, &was, &is).map_err(|refusal| refusal.to_string())
        }
        Request::Delete(delete) if delete.resource_properties.guards == Guards::Deletion => {
            let service = &delete.resource_properties.service_name;
            let record = table.records(service).read().await.map_err(told)?;
            guard::deletion(&record).map_err(|refusal| refusal.to_string())
        }
        _ => Ok(()),
    }
}

fn answer(
    request: Request<Properties, Properties>,
    refused: Option<String>,
) -> Result<(String, Answer), Failed> {
    let mut answer = Answer::default();
    let url;
    match request {
        Request::Create(create) => {
            url = create.response_url;
            // It stands for nothing but itself.
            answer.physical_resource_id = create.logical_resource_id.clone();
            answer.stack_id = create.stack_id;
            answer.request_id = create.request_id;
            answer.logical_resource_id = create.logical_resource_id;
        }
        Request::Update(update) => {
            url = update.response_url;
            answer.physical_resource_id = update.physical_resource_id;
            answer.stack_id = update.stack_id;
            answer.request_id = update.request_id;
            answer.logical_resource_id = update.logical_resource_id;
        }
        Request::Delete(delete) => {
            url = delete.response_url;
            answer.physical_resource_id = delete.physical_resource_id;
            answer.stack_id = delete.stack_id;
            answer.request_id = delete.request_id;
            answer.logical_resource_id = delete.logical_resource_id;
        }
        _ => {
            let cause = "CloudFormation asks what this version does not know";
            return Err(Failed::new(ErrorName::InvalidInput, cause));
        }
    }
    answer.status = if refused.is_some() {
        Status::Failed
    } else {
        Status::Success
    };
    answer.reason = refused;
    Ok((url, answer))
}
