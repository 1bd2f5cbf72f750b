//! Errors of this server, as JSON: what went wrong, and what to do about it.
//!
//! Owns the shape `{"error","message"}` of everything but the session endpoint's own refusals.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// A JSON error response.
pub(crate) fn problem(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(json!({ "error": error, "message": message }))).into_response()
}

/// The connection ends after this response: the next request then goes to another server.
pub(crate) fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Try again, most likely at another server.
pub(crate) fn elsewhere(error: &str, message: &str) -> Response {
    let mut response = closing(problem(StatusCode::SERVICE_UNAVAILABLE, error, message));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
