//! Session endpoint version 1 over HTTP, as an axum router.
//!
//! Owns the paths and the statuses; `control` decides. Refuses ill-formed orders with 400, refused ones with 409, and
//! those that it could not write down with 500.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;

use crate::admission::Refusal;
use crate::endpoint::Endpoint;
use crate::gate::Unknown;
use crate::order::{Kind, Order};
use crate::wire::LARGEST_BODY;

type Sent = Result<Bytes, BytesRejection>;

impl Endpoint {
    /// The paths of the session endpoint, `/sessions` and those below it, to be served on a private port.
    ///
    /// It may be merged into, or nested in, a router of your own.
    pub fn router(&self) -> Router {
        let order = |kind| {
            post(move |State(endpoint): State<Self>, sent: Sent| async move {
                endpoint.answer(kind, sent).await
            })
        };
        Router::new()
            .route("/sessions", get(read))
            .route("/sessions/drain", order(Kind::Drain))
            .route("/sessions/resume", order(Kind::Resume))
            .route("/sessions/seal", order(Kind::Seal))
            .method_not_allowed_fallback(|| async {
                problem(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowed",
                    "this path has another method",
                )
            })
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(self.clone())
    }

    /// Any content type will do: operators call this with curl.
    async fn answer(&self, kind: Kind, sent: Sent) -> Response<Body> {
        let body = match sent {
            Ok(body) => body,
            Err(rejection) => {
                let message = format!("{rejection}; an order has at most 64 KiB");
                return problem(rejection.status(), "InvalidRequest", &message);
            }
        };
        match Order::read(kind, &body) {
            Ok(order) => self.give(order).await,
            Err(ill_formed) => problem(
                StatusCode::BAD_REQUEST,
                "InvalidRequest",
                &ill_formed.to_string(),
            ),
        }
    }

    async fn give(&self, order: Order) -> Response<Body> {
        let (deployment, epoch, what) = (order.deployment.clone(), order.epoch, order.what);
        let outcome = self.order(order).await;
        match &outcome {
            Ok(()) => tracing::info!(deployment, epoch, ?what, "order accepted"),
            Err(refused) => tracing::info!(deployment, epoch, ?what, %refused, "order refused"),
        }
        let report = match self.look().await {
            Ok(report) => report,
            Err(unknown) => return not_known(&unknown),
        };
        match outcome {
            Ok(()) => json_response(StatusCode::OK, &report),
            Err(refused) => {
                let status = StatusCode::from_u16(refused.status());
                json_response(
                    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                    &refused.beside(&report),
                )
            }
        }
    }
}

async fn read(State(endpoint): State<Endpoint>) -> Response<Body> {
    match endpoint.look().await {
        Ok(report) => json_response(StatusCode::OK, &report),
        Err(unknown) => not_known(&unknown),
    }
}

fn not_known(unknown: &Unknown) -> Response<Body> {
    tracing::warn!(%unknown, "no report");
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Unknown",
        &unknown.to_string(),
    )
}

pub(crate) fn problem(status: StatusCode, error: &str, message: &str) -> Response<Body> {
    json_response(status, &json!({ "error": error, "message": message }))
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    match serde_json::to_vec(body) {
        Ok(text) => (status, content_type, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// 503, and come back: the connection ends, so the load balancer will choose another server.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let message = format!("{self}; connect again");
        let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "Draining", &message);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "http_tests.rs"]
mod tests;
