//! The execution that goes on with a deployment: named in the record first, started afterwards.

use ebbtide_aws::Ledger;
use ebbtide_rules::ErrorName;
use ebbtide_rules::record::{Answer, Ask, Decision};
use serde_json::Value;

use crate::Failed;

/// Starts the execution that the decision names, if it names one that the record still waits for.
///
/// Where the record names another by now, the one that was meant has begun and handed on, or was taken over.
pub(crate) async fn start(ledger: &Ledger, ask: &Ask, decision: &Decision) -> Result<(), Failed> {
    let Some(name) = decision.answer.successor() else {
        return Ok(());
    };
    if !decision.record.is_acted_for_by(name) {
        return Ok(());
    }
    let input = input(ask, &decision.answer)?;
    ledger
        .executions
        .start(&ask.execution, name, &input)
        .await?;
    tracing::info!(execution = name, "started the next execution");
    Ok(())
}

/// The document that is handed on, without the keys that it does not have.
fn input(ask: &Ask, answer: &Answer) -> Result<String, Failed> {
    let document = serde_json::to_value(ask.document.handed_on(answer));
    let mut document = document.map_err(|error| {
        let cause = format!("the document cannot be handed on: {error}");
        Failed::new(ErrorName::InvalidInput, cause)
    })?;
    if let Value::Object(keys) = &mut document {
        keys.retain(|_, value| !value.is_null());
    }
    Ok(document.to_string())
}
