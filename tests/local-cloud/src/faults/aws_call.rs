//! The AWS calls as their proxy sees them, and how each service says that it is asked too much or that one may not.
//!
//! Sources of codes and statuses: "Common error codes" of the EC2 API reference, "Common errors" of those of Elastic Load
//! Balancing and Auto Scaling, "Error messages and codes" of the DynamoDB developer guide.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::front::Call;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const REQUEST_ID: &str = "00000000-0000-0000-0000-000000000000";

/// The services that the functions call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ec2,
    /// Elastic Load Balancing and Auto Scaling, which speak alike.
    Query,
    DynamoDb,
}

/// How a service refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Throttled,
    Denied,
}

/// Which API action a call is; empty if it is none.
pub(super) fn action(call: &Call) -> String {
    if let Some(target) = text(&call.head.headers, &TARGET) {
        // DynamoDB_20120810.GetItem
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let body = String::from_utf8_lossy(&call.body);
    let named = body
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    named.unwrap_or_default().to_owned()
}

/// What the service that `call` is meant for says.
pub(super) fn refuse(call: &Call, refusal: Refusal) -> Response<Bytes> {
    let action = action(call);
    let denied = format!("User: functions is not authorized to perform: {action}");
    let (status, media, body) = match (service(call), refusal) {
        (Service::Ec2, Refusal::Throttled) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "text/xml",
            ec2("RequestLimitExceeded", "Request limit exceeded."),
        ),
        (Service::Ec2, Refusal::Denied) => (
            StatusCode::FORBIDDEN,
            "text/xml",
            ec2(
                "UnauthorizedOperation",
                "You are not authorized to perform this operation.",
            ),
        ),
        (Service::Query, Refusal::Throttled) => (
            StatusCode::BAD_REQUEST,
            "text/xml",
            query("Throttling", "Rate exceeded"),
        ),
        (Service::Query, Refusal::Denied) => (
            StatusCode::FORBIDDEN,
            "text/xml",
            query("AccessDenied", &denied),
        ),
        (Service::DynamoDb, Refusal::Throttled) => (
            StatusCode::BAD_REQUEST,
            "application/x-amz-json-1.0",
            json(
                "ThrottlingException",
                "Rate of requests exceeds the allowed throughput.",
            ),
        ),
        (Service::DynamoDb, Refusal::Denied) => (
            StatusCode::BAD_REQUEST,
            "application/x-amz-json-1.0",
            json("AccessDeniedException", &denied),
        ),
    };
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    let media = HeaderValue::from_static(media);
    answer.headers_mut().insert(CONTENT_TYPE, media);
    answer
}

/// By the scope that a request is signed for: `…/us-east-1/ec2/aws4_request`.
fn service(call: &Call) -> Service {
    let signed = text(&call.head.headers, &AUTHORIZATION).unwrap_or_default();
    if signed.contains("/ec2/aws4_request") {
        Service::Ec2
    } else if call.head.headers.contains_key(TARGET) {
        Service::DynamoDb
    } else {
        Service::Query
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

fn ec2(code: &str, message: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
         <RequestID>{REQUEST_ID}</RequestID></Response>"
    )
}

fn query(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    )
}

fn json(code: &str, message: &str) -> String {
    let kind = format!("com.amazon.coral.service#{code}");
    serde_json::json!({ "__type": kind, "message": message }).to_string()
}
