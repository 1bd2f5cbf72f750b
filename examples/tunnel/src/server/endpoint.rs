//! The private port: session endpoint version 1, metrics, and the calls of other servers.
//!
//! Owns the HTTP side only; `control` decides. Refuses ill-formed orders with 400, refused ones with 409, and those
//! it could not write down with 500.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, extract::Request};
use http::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_service::Service;

use super::control::{Order, Refused, What};
use super::problem::problem;
use super::report::report;
use super::{Shared, forward, reserve};
use crate::admission::Refusal;

const LARGEST_BODY: usize = 64 * 1024;
/// What every reader of JSON can hold (RFC 8259, section 6).
const LARGEST_EPOCH: u64 = (1 << 53) - 1;
/// A lease longer than this is a mistake: a forgotten order must lapse.
const LONGEST_LEASE: u64 = 86_400;

/// Answers requests on the private port.
pub(crate) fn handler(
    shared: Arc<Shared>,
) -> impl Fn(http::Request<Incoming>) -> BoxedResponse + Clone + Send + 'static {
    let router = router(shared);
    move |request: http::Request<Incoming>| {
        let answer = router.clone().call(request.map(Body::new));
        Box::pin(async move { answer.await.unwrap_or_else(|never| match never {}) })
    }
}

/// The paths of the private port.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/sessions", get(read))
        .route("/sessions/drain", post(drain))
        .route("/sessions/resume", post(resume))
        .route("/sessions/seal", post(seal))
        .route("/health", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/peers/reserve", post(reserve::reserve))
        .route("/peers/taken", post(reserve::taken))
        .fallback(forward::from_peer)
        .method_not_allowed_fallback(|| async {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "this path has another method",
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(shared)
}

type BoxedResponse = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

#[derive(Deserialize)]
struct Named {
    instance: String,
    deployment: String,
    epoch: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DrainOrder {
    #[serde(flatten)]
    named: Named,
    per_second: f64,
    lease_seconds: u64,
}

type Sent = Result<Bytes, BytesRejection>;

async fn read(State(shared): State<Arc<Shared>>) -> Response {
    Json(report(&shared)).into_response()
}

async fn drain(State(shared): State<Arc<Shared>>, sent: Sent) -> Response {
    let order: DrainOrder = match parse(sent) {
        Ok(order) => order,
        Err(response) => return *response,
    };
    if !(order.per_second.is_finite() && order.per_second > 0.0) {
        return invalid(&format!(
            "perSecond: expected a number above 0, got {}",
            order.per_second
        ));
    }
    if !(1..=LONGEST_LEASE).contains(&order.lease_seconds) {
        let got = order.lease_seconds;
        return invalid(&format!(
            "leaseSeconds: expected a whole number from 1 to {LONGEST_LEASE}, got {got}"
        ));
    }
    let lease = Duration::from_secs(order.lease_seconds);
    give(
        &shared,
        order.named,
        What::Drain {
            per_second: order.per_second,
            lease,
        },
    )
    .await
}

async fn resume(State(shared): State<Arc<Shared>>, sent: Sent) -> Response {
    match parse(sent) {
        Ok(named) => give(&shared, named, What::Resume).await,
        Err(response) => *response,
    }
}

async fn seal(State(shared): State<Arc<Shared>>, sent: Sent) -> Response {
    match parse(sent) {
        Ok(named) => give(&shared, named, What::Seal).await,
        Err(response) => *response,
    }
}

/// Any content type will do: operators call this with curl.
fn parse<T: DeserializeOwned>(sent: Sent) -> Result<T, Box<Response>> {
    let body = sent.map_err(|rejection| {
        problem(
            rejection.status(),
            "InvalidRequest",
            &format!("{rejection}; an order has at most 64 KiB"),
        )
    })?;
    serde_json::from_slice(&body).map_err(|error| Box::new(invalid(&error.to_string())))
}

async fn give(shared: &Shared, named: Named, what: What) -> Response {
    if named.epoch > LARGEST_EPOCH {
        return invalid(&format!(
            "epoch: expected at most {LARGEST_EPOCH}, got {}",
            named.epoch
        ));
    }
    let Named {
        instance,
        deployment,
        epoch,
    } = named;
    let order = Order {
        instance,
        deployment: deployment.clone(),
        epoch,
        what,
    };
    let outcome = shared.control.order(order).await;
    match &outcome {
        Ok(()) => tracing::info!(deployment, epoch, ?what, "order accepted"),
        Err(refused) => tracing::info!(deployment, epoch, ?what, %refused, "order refused"),
    }
    match outcome {
        Ok(()) => Json(report(shared)).into_response(),
        Err(refused) => refusal(shared, &refused),
    }
}

/// `error` and `message` beside the fields of the report.
fn refusal(shared: &Shared, refused: &Refused) -> Response {
    let (status, error) = match refused {
        Refused::WrongInstance { .. } => (StatusCode::CONFLICT, "WrongInstance"),
        Refused::StaleEpoch { .. } => (StatusCode::CONFLICT, "StaleEpoch"),
        Refused::Admission(Refusal::Sealed) => (StatusCode::CONFLICT, "Sealed"),
        Refused::Admission(_) => (StatusCode::CONFLICT, "InUse"),
        Refused::NotKept(_) => (StatusCode::INTERNAL_SERVER_ERROR, "NotPersisted"),
        Refused::Interrupted(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Interrupted"),
    };
    let mut body = json!({ "error": error, "message": refused.to_string() });
    if let (Value::Object(body), Ok(Value::Object(report))) =
        (&mut body, serde_json::to_value(report(shared)))
    {
        body.extend(report);
    }
    (status, Json(body)).into_response()
}

fn invalid(message: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "InvalidRequest", message)
}

async fn metrics(State(shared): State<Arc<Shared>>, _request: Request) -> Response {
    let content_type = [(
        http::header::CONTENT_TYPE,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    )];
    match shared.metrics.encode(&shared) {
        Ok(text) => (content_type, text).into_response(),
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Metrics",
            "metrics could not be encoded",
        ),
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "endpoint_tests.rs"]
mod tests;
