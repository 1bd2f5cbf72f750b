//! The Lambda guard-stack: answers CloudFormation whether the stack may lose a setting, or be deleted.
//!
//! Two custom resources ask it (`template.yaml`): `SettingsGuard`, which is updated before everything that has the guarded
//! settings, and `DeletionGuard`, which is deleted before everything else. Reads the record of the service that the stack
//! had, and changes nothing. What it refuses stops the update or the deletion before anything is touched; the reason is
//! the event's in CloudFormation. A record that cannot be read refuses too: whoever knows better retains the guard
//! (docs/operating.md).

use ebbtide_aws::{Table, reply};
use ebbtide_rules::guard::{self, Guarded};
use ebbtide_rules::{ErrorName, Failure as _};
use serde::{Deserialize, Serialize};

pub use ebbtide_runtime::Failed;

/// What CloudFormation asks.
///
/// Source: "Custom resource request objects" in CloudFormation's template reference.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    request_type: Kind,
    #[serde(rename = "ResponseURL")]
    response_url: String,
    request_id: String,
    stack_id: String,
    logical_resource_id: String,
    /// None of a resource that is being made.
    physical_resource_id: Option<String>,
    resource_properties: Properties,
    /// Those of before, of a resource that is being updated.
    #[serde(default)]
    old_resource_properties: Properties,
}

/// What is to become of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Kind {
    Create,
    Update,
    Delete,
}

/// The properties of both resources, by the parameters' names; lists are joined by commas, and the deletion's guard has none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    guards: Guards,
    service_name: String,
    listener_arn: String,
    target_group_arns: String,
    auto_scaling_group_names: String,
    launch_template_id: String,
}

/// What a resource guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Guards {
    /// Settings, at an update.
    #[default]
    Settings,
    /// The stack, at its deletion.
    Deletion,
}

impl Properties {
    fn guarded(&self) -> Guarded {
        let list = |text: &str| text.split(',').map(|it| it.trim().to_owned()).collect();
        let template = Some(self.launch_template_id.clone());
        Guarded {
            scaling_groups: list(&self.auto_scaling_group_names),
            launch_template: template.filter(|it| !it.is_empty()),
            service: self.service_name.clone(),
            listeners: list(&self.listener_arn),
            target_groups: list(&self.target_group_arns),
        }
    }
}

/// What CloudFormation is told.
///
/// Source: "Custom resource response objects", at the same place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    status: &'static str,
    reason: Option<String>,
    physical_resource_id: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
}

/// Decides, and tells CloudFormation.
///
/// # Errors
/// [`Failed`] where CloudFormation could not be told: Lambda asks again, twice.
pub async fn handle(table: &Table, event: Event) -> Result<(), Failed> {
    let reason = decide(table, &event).await.err();
    tracing::info!(resource = event.logical_resource_id, reason, "answers");
    let answer = Answer {
        status: if reason.is_some() {
            "FAILED"
        } else {
            "SUCCESS"
        },
        reason,
        // It stands for nothing but itself.
        physical_resource_id: event
            .physical_resource_id
            .unwrap_or_else(|| event.logical_resource_id.clone()),
        stack_id: event.stack_id,
        request_id: event.request_id,
        logical_resource_id: event.logical_resource_id,
    };
    let body = serde_json::to_vec(&answer)
        .map_err(|error| Failed::new(ErrorName::InvalidInput, error.to_string()))?;
    Ok(reply(&event.response_url, body).await?)
}

/// The reason against it.
async fn decide(table: &Table, event: &Event) -> Result<(), String> {
    let read = async |service: &str| {
        let record = table.records(service).read().await;
        record.map_err(|error| {
            let name = error.name();
            format!("the service's record could not be read ({name}: {error})")
        })
    };
    let is = event.resource_properties.guarded();
    match (event.request_type, event.resource_properties.guards) {
        (Kind::Update, Guards::Settings) => {
            let was = event.old_resource_properties.guarded();
            let record = read(&was.service).await?;
            guard::update(&record, &was, &is).map_err(|refusal| refusal.to_string())
        }
        (Kind::Delete, Guards::Deletion) => {
            let record = read(&is.service).await?;
            guard::deletion(&record).map_err(|refusal| refusal.to_string())
        }
        _ => Ok(()),
    }
}
