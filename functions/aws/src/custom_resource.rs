//! What a function needs that CloudFormation asks: any service's record of the stack's table, and the way to answer.

use aws_sdk_dynamodb::Client;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use crate::{CloudError, Records};

/// How often an answer is tried: without it CloudFormation waits until the resource's time-out.
const TRIES: usize = 3;

/// The table of records, whichever service is asked for.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// Behind a client of the process's environment.
    pub async fn connect(name: String) -> Self {
        Self::of(Client::new(&crate::configuration().await), name)
    }

    pub(crate) fn of(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// A service's records.
    pub fn records(&self, service: &str) -> Records {
        Records::new(self.client.clone(), self.name.clone(), service.to_owned())
    }
}

/// Answers CloudFormation by the URL that it gave, presigned and without a content type.
///
/// Source: "Custom resource response objects" and "ResponseURL" in CloudFormation's user guide.
///
/// # Errors
/// That nobody answered, or not with 2xx; the URL is a secret and is in no error.
pub async fn reply(url: &str, body: Vec<u8>) -> Result<(), CloudError> {
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    let connector = Connector::builder().tls_provider(tls).build();
    let mut last = String::new();
    for _ in 0..TRIES {
        let mut request = HttpRequest::new(SdkBody::from(body.clone()));
        let fits = request.set_method("PUT").is_ok() && request.set_uri(url).is_ok();
        if !fits {
            return Err(failed("the URL is none"));
        }
        request
            .headers_mut()
            .insert("content-length", body.len().to_string());
        match connector.call(request).await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => last = format!("status {}", answer.status().as_u16()),
            Err(_) => last = "nobody answered".to_owned(),
        }
    }
    Err(failed(&last))
}

fn failed(reason: &str) -> CloudError {
    CloudError::unexpected("the answer to CloudFormation".to_owned(), reason.to_owned())
}
