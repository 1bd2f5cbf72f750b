//! The way to other servers: one HTTP request there, its response back.
//!
//! Owns the HTTP client and its connections. `peers` says whom to ask and what the answer means.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;

use super::body::{BoxError, Outgoing};
use crate::net;

const CONNECT: Duration = Duration::from_secs(1);
/// How long an unused connection is kept: well below what the other end gives it (`serve`), so that none is closed
/// there in the moment in which it is used here.
const KEPT: Duration = Duration::from_secs(30);

/// No response came.
#[derive(Debug, Error)]
#[error("{error}")]
pub(crate) struct NoResponse {
    /// There was no connection, so the request was certainly not seen.
    pub(crate) unreached: bool,
    #[source]
    pub(crate) error: BoxError,
}

pub(crate) type Sending = Pin<Box<dyn Future<Output = Result<Response<Body>, NoResponse>> + Send>>;

/// Carries requests to other servers.
pub(crate) trait Wire: Send + Sync {
    /// Sends the request to the server that its URI names; ready when the head of the response is here.
    fn send(&self, request: Request<Outgoing>) -> Sending;
}

/// HTTP/1.1 over connections that are kept for a while.
pub(crate) struct Http(Client<HttpConnector, Outgoing>);

impl Http {
    pub(crate) fn new() -> Self {
        let mut connector = net::connector();
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .build(connector);
        Self(client)
    }
}

impl Wire for Http {
    fn send(&self, request: Request<Outgoing>) -> Sending {
        let response = self.0.request(request);
        Box::pin(async move {
            match response.await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(error) => Err(NoResponse {
                    unreached: error.is_connect(),
                    error: error.into(),
                }),
            }
        })
    }
}
