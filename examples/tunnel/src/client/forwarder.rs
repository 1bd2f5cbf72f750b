//! An application that is an HTTP server somewhere near the client: `tunnel-client --to http://127.0.0.1:3000`.
//!
//! Owns the way from a tunnel's request to a plain HTTP/1.1 one and back, streamed both ways. Answers 502 itself when
//! the server cannot be reached.

use std::future::ready;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;

use super::BoxError;
use crate::net;
use crate::server::strip;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Hands requests to one HTTP server.
#[derive(Clone)]
pub struct Forwarder {
    target: Authority,
    client: Client<HttpConnector, Incoming>,
}

/// The target is not `http://host[:port]`.
#[derive(Debug, Error)]
#[error("expected http://host[:port] without a path, got {0:?}")]
pub struct InvalidTarget(String);

impl Forwarder {
    /// Forwards to `target`, such as `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// Any other form of URL.
    pub fn new(target: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(target.to_owned());
        let uri: Uri = target.parse().map_err(|_| invalid())?;
        let plain = uri.scheme() == Some(&Scheme::HTTP)
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none();
        let target = uri
            .into_parts()
            .authority
            .filter(|_| plain)
            .ok_or_else(invalid)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(net::connector());
        Ok(Self { target, client })
    }

    fn onward(&self, mut request: Request<Incoming>) -> Result<Request<Incoming>, http::Error> {
        strip(request.headers_mut());
        let uri = request.uri();
        let host = uri
            .authority()
            .and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        let path = uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.target.clone())
            .path_and_query(path)
            .build()?;
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().remove(header::HOST);
        if let Some(host) = host {
            request.headers_mut().entry(FORWARDED_HOST).or_insert(host);
        }
        Ok(request)
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

impl Service<Request<Incoming>> for Forwarder {
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let request = match self.onward(request) {
            Ok(request) => request,
            Err(error) => return Box::pin(ready(Err(error.into()))),
        };
        let response = self.client.request(request);
        Box::pin(async move {
            let mut response = match response.await {
                Ok(response) => response,
                Err(error) => return Ok(unreachable_target(&error)),
            };
            strip(response.headers_mut());
            *response.version_mut() = Version::HTTP_2;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

fn unreachable_target(error: &dyn std::error::Error) -> Answer {
    let body = serde_json::json!({
        "error": "ApplicationUnreachable",
        "message": format!("the application behind the tunnel did not answer: {error}"),
    });
    let body = Full::new(Bytes::from(body.to_string()))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_plain_http_address() {
        assert!(Forwarder::new("http://127.0.0.1:3000").is_ok());
        assert!(Forwarder::new("http://localhost/").is_ok());
        for wrong in [
            "",
            "127.0.0.1:3000",
            "https://localhost",
            "http://localhost/path",
            "http://localhost/?q",
        ] {
            assert!(Forwarder::new(wrong).is_err(), "{wrong}");
        }
    }
}
