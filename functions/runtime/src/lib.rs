//! What every Lambda's main shares: logs as JSON, variables parsed all together, error names that reach `ErrorEquals`.
//!
//! A main says what it reads of its variables, what it connects once, and which handler answers ([`run`]). It refuses to
//! start when any variable is missing or wrong. Nothing here knows AWS or sessions.
//!
//! ```no_run
//! use ebbtide_runtime::{Error, Failed, run};
//! # #[derive(serde::Deserialize)] struct Payload;
//! # async fn handle(_port: &u16, _: Payload) -> Result<u8, Failed> { Ok(1) }
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     run(
//!         |variables| variables.parsed("EBBTIDE_SESSION_PORT", "a port number"),
//!         async |port: u16| Ok(port),
//!         async |port, payload: Payload| handle(port, payload).await,
//!     )
//!     .await
//! }
//! ```

mod failure;
mod variables;

pub use ebbtide_rules::Failure;
pub use failure::Failed;
pub use lambda_runtime::Error;
pub use variables::{InvalidVariables, Variables};

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

/// Runs a function: reads its variables, connects once, and answers until Lambda stops the process.
///
/// # Errors
/// Wrong variables, what `connect` says, or that Lambda's runtime API is not there.
pub async fn run<S, C, P, A, E>(
    read: impl FnOnce(&mut Variables) -> S,
    connect: impl AsyncFnOnce(S) -> Result<C, Error>,
    handler: impl AsyncFn(&C, P) -> Result<A, E>,
) -> Result<(), Error>
where
    P: DeserializeOwned,
    A: Serialize,
    E: Into<Failed>,
{
    start_logging();
    let mut variables = Variables::of_process();
    let settings = read(&mut variables);
    variables.finish()?;
    let connected = connect(settings).await?;
    serve(async |payload| handler(&connected, payload).await).await
}

/// Answers invocations with `handler` until Lambda stops the process.
///
/// A payload that does not parse fails as `InvalidInput`; a failure of the handler is logged once, by name and cause.
///
/// # Errors
/// Only when Lambda's runtime API is not there.
pub async fn serve<P, A, E>(handler: impl AsyncFn(P) -> Result<A, E>) -> Result<(), Error>
where
    P: DeserializeOwned,
    A: Serialize,
    E: Into<Failed>,
{
    let handler = Arc::new(handler);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let handler = Arc::clone(&handler);
        async move { Box::pin(answer(&*handler, event.payload)).await }
    }))
    .await
}

async fn answer<P, A, E>(
    handler: &impl AsyncFn(P) -> Result<A, E>,
    payload: Value,
) -> Result<A, Diagnostic>
where
    P: DeserializeOwned,
    E: Into<Failed>,
{
    let payload = serde_json::from_value(payload).map_err(|error| {
        let cause = format!("the payload is not what this function expects: {error}");
        diagnostic(&Failed::new(ErrorName::InvalidInput, cause))
    })?;
    handler(payload)
        .await
        .map_err(|failure| diagnostic(&failure.into()))
}

/// Logs the failure, and gives it the name that Step Functions matches on: Lambda derives one from the Rust type's
/// path unless told (`lambda_runtime::Diagnostic`).
fn diagnostic(failed: &Failed) -> Diagnostic {
    let (name, cause) = (failed.name().as_str(), failed.to_string());
    tracing::error!(error = name, cause, "failed");
    Diagnostic {
        error_type: name.to_owned(),
        error_message: cause,
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
