//! What every Lambda's main shares: logs as JSON, variables parsed all together, error names that reach `ErrorEquals`.
//!
//! A main parses its variables, builds its clients once and calls [`serve`]. It refuses to start when any variable is
//! missing or wrong. Nothing here knows AWS or sessions.
//!
//! ```no_run
//! # #[derive(serde::Deserialize)] struct Payload;
//! # #[derive(Debug, thiserror::Error)] #[error("no")] struct Refused;
//! # impl ebbtide_runtime::Failure for Refused {
//! #     fn name(&self) -> ebbtide_rules::ErrorName { ebbtide_rules::ErrorName::AwsRefused } }
//! # async fn answer(_port: u16, _: Payload) -> Result<u8, Refused> { Ok(1) }
//! #[tokio::main]
//! async fn main() -> Result<(), ebbtide_runtime::Error> {
//!     ebbtide_runtime::start_logging();
//!     let mut variables = ebbtide_runtime::Variables::of_process();
//!     let port: u16 = variables.parsed("EBBTIDE_SESSION_PORT", "a port number");
//!     variables.finish()?;
//!     ebbtide_runtime::serve(move |payload: Payload| answer(port, payload)).await
//! }
//! ```

mod failure;
mod variables;

pub use failure::Failure;
pub use lambda_runtime::Error;
pub use variables::{InvalidVariables, Variables};

use std::future::Future;
use std::sync::Arc;

use ebbtide_rules::ErrorName;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

/// Writes one JSON object a line to standard output, at `RUST_LOG`'s level or `info`.
pub fn start_logging() {
    let level = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    // The runtime logs every failed call a second time, without name and cause apart.
    let filter = EnvFilter::new(format!("{level},lambda_runtime::layers::panic=off"));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .try_init();
    if let Err(error) = started {
        eprintln!("logging was already started: {error}");
    }
}

/// Answers invocations with `handler` until Lambda stops the process.
///
/// A payload that does not parse fails as `InvalidInput`; a failure of the handler is logged once, by name and cause.
///
/// # Errors
/// Only when Lambda's runtime API is not there.
pub async fn serve<P, A, E, H, F>(handler: H) -> Result<(), Error>
where
    P: DeserializeOwned,
    A: Serialize,
    E: Failure,
    H: Fn(P) -> F,
    F: Future<Output = Result<A, E>>,
{
    let handler = Arc::new(handler);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let handler = Arc::clone(&handler);
        async move { Box::pin(answer(&*handler, event.payload)).await }
    }))
    .await
}

async fn answer<P, A, E, H, F>(handler: &H, payload: Value) -> Result<A, Diagnostic>
where
    P: DeserializeOwned,
    E: Failure,
    H: Fn(P) -> F,
    F: Future<Output = Result<A, E>>,
{
    let payload = serde_json::from_value(payload).map_err(|error| {
        diagnostic(
            ErrorName::InvalidInput,
            &format!("the payload is not what this function expects: {error}"),
        )
    })?;
    handler(payload)
        .await
        .map_err(|failure| diagnostic(failure.name(), &failure.to_string()))
}

/// Logs the failure, and gives it the name that Step Functions matches on: Lambda derives one from the Rust type's
/// path unless told (`lambda_runtime::Diagnostic`).
fn diagnostic(name: ErrorName, cause: &str) -> Diagnostic {
    tracing::error!(error = name.as_str(), cause, "failed");
    Diagnostic {
        error_type: name.as_str().to_owned(),
        error_message: cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, thiserror::Error)]
    #[error("the record names deployment-b")]
    struct Late;

    impl Failure for Late {
        fn name(&self) -> ErrorName {
            ErrorName::Superseded
        }
    }

    #[derive(serde::Deserialize)]
    struct Payload {
        epoch: u64,
    }

    async fn handle(payload: Payload) -> Result<u64, Late> {
        if payload.epoch == 5 {
            Ok(payload.epoch)
        } else {
            Err(Late)
        }
    }

    #[tokio::test]
    async fn a_failure_keeps_its_name_and_cause() {
        let error = answer(&handle, json!({"epoch": 4})).await.unwrap_err();
        assert_eq!(error.error_type, "Superseded");
        assert_eq!(error.error_message, "the record names deployment-b");
    }

    #[tokio::test]
    async fn a_payload_of_another_shape_is_invalid_input() {
        let error = answer(&handle, json!({"epoch": "four"})).await.unwrap_err();
        assert_eq!(error.error_type, "InvalidInput");
        assert!(
            error.error_message.contains("four"),
            "{}",
            error.error_message
        );
    }

    #[tokio::test]
    async fn an_answer_passes_through() {
        assert_eq!(answer(&handle, json!({"epoch": 5})).await, Ok(5));
    }
}
