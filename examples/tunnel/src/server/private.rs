//! The private port: the session endpoint, metrics, and the calls of other servers.
//!
//! Owns which path is whose. Refuses bodies that are too large for any of them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ebbtide_endpoint::wire::LARGEST_BODY;
use http::StatusCode;
use hyper::body::Incoming;
use tower_service::Service;

use super::problem::problem;
use super::{Shared, forward, reserve};

type BoxedResponse = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers requests on the private port.
pub(crate) fn handler(
    shared: Arc<Shared>,
    sessions: Router,
) -> impl Fn(http::Request<Incoming>) -> BoxedResponse + Clone + Send + 'static {
    let router = router(shared, sessions);
    move |request: http::Request<Incoming>| {
        let answer = router.clone().call(request.map(Body::new));
        Box::pin(async move { answer.await.unwrap_or_else(|never| match never {}) })
    }
}

/// The paths of the private port, the session endpoint's among them.
pub(crate) fn router(shared: Arc<Shared>, sessions: Router) -> Router {
    Router::new()
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
        .merge(sessions)
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
