//! The Lambda `issue-keys`: gives a server its keys, and nobody another's.
//!
//! A server asks the function's URL, with its instance's own credentials. Lambda verifies who asks (`AWS_IAM`) and says so
//! in the request's context; EC2 names the session of an instance's role by the instance's id
//! (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable),
//! and nobody else may take that role. Refuses whoever is no instance of the service's own role. It answers keys that are
//! derived from the signing secret, never the secret.

use ebbtide_aws::SigningSecrets;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

pub use ebbtide_runtime::Failed;

mod caller;

pub use caller::Caller;

/// What a function URL is asked, as far as it says who asks.
///
/// Source: "Request payload format" in https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    request_context: Context,
}

#[derive(Debug, Clone, Deserialize)]
struct Context {
    authorizer: Option<Authorizer>,
}

#[derive(Debug, Clone, Deserialize)]
struct Authorizer {
    iam: Option<Iam>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iam {
    user_arn: String,
}

/// What a function URL answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status.
    pub status_code: u16,
    headers: Headers,
    /// The keys, one a line, the newest first; or why there are none.
    pub body: String,
}

#[derive(Serialize)]
struct Headers {
    #[serde(rename = "content-type")]
    content_type: &'static str,
    #[serde(rename = "cache-control")]
    cache_control: &'static str,
}

impl Answer {
    fn new(status_code: u16, body: String) -> Self {
        Self {
            status_code,
            headers: Headers {
                content_type: "text/plain",
                cache_control: "no-store",
            },
            body,
        }
    }
}

/// Which secret, and whose instances.
#[derive(Debug, Clone)]
pub struct Service {
    /// The ARN of its signing secret.
    pub secret: String,
    /// The ARN of its instances' role.
    pub role: String,
}

/// Answers with the keys of the instance that asks, or 403.
///
/// # Errors
/// [`Failed`] when the signing secret cannot be read.
pub async fn handle(
    secrets: &SigningSecrets,
    service: &Service,
    asked: Asked,
) -> Result<Answer, Failed> {
    let iam = asked.request_context.authorizer.and_then(|it| it.iam);
    let arn = iam.map(|iam| iam.user_arn).unwrap_or_default();
    let Some(Caller { instance }) = Caller::of(&arn, &service.role) else {
        tracing::warn!(arn, role = service.role, "refused");
        let why = "these keys are for the instances of this service's own role, asked for with their own credentials\n";
        return Ok(Answer::new(403, why.to_owned()));
    };
    let keys = secrets.masters(Some(&service.secret)).await?;
    let keys: Vec<_> = keys.iter().map(|it| it.key_of(&instance)).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.id()).collect();
    tracing::info!(instance, keys = ?ids, "issued");
    let mut body = String::new();
    for key in &keys {
        body.push_str(key.write().expose_secret());
        body.push('\n');
    }
    Ok(Answer::new(200, body))
}
