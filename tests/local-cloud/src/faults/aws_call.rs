//! The AWS calls as their proxy sees them, and how each service says that it is asked too much or that one may not.
//!
//! Sources of codes and statuses: "Common error codes" of the EC2 API reference, "Common errors" of those of Elastic Load
//! Balancing and Auto Scaling, "Error messages and codes" of the DynamoDB developer guide.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;

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
    // CloudWatch's SDK speaks CBOR: /service/GraniteServiceVersion20100801/operation/DescribeAlarms
    if let Some((_, action)) = call.head.uri.path().rsplit_once("/operation/") {
        return action.to_owned();
    }
    let named = form(call).find_map(|(name, value)| (name == "Action").then_some(value));
    named.unwrap_or_default().into_owned()
}

/// The name of the service that a call is signed for, as IAM and the signature have it: `ec2`, `monitoring`.
pub(super) fn signed_for(call: &Call) -> String {
    let signed = text(&call.head.headers, &AUTHORIZATION).unwrap_or_default();
    // Credential=AKID/20260101/us-east-1/ec2/aws4_request, …
    let scope = signed.split('/').nth(3).unwrap_or_default();
    scope.to_owned()
}

/// What a call asks for: an object of its form's fields, or its JSON. Of CBOR nothing sensible.
pub(super) fn parameters(call: &Call) -> Value {
    if let Ok(asked) = serde_json::from_slice(&call.body) {
        return asked;
    }
    let fields = form(call).filter(|(name, _)| name != "Action" && name != "Version");
    fields
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Whether one of a call's parameters says just this.
pub(super) fn names(call: &Call, named: &str) -> bool {
    let asked = parameters(call);
    let mut fields = asked.as_object().into_iter().flatten();
    fields.any(|(_, value)| value == named)
}

fn form(call: &Call) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(&call.body)
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
    if signed_for(call) == "ec2" {
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
