//! The application behind each tunnel: it answers with the tunnel's name, at once or when it is let.
//!
//! Owns the path that a busy request asks for. The name in the answer shows a request that went to somebody else's tunnel.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::Service;
use tokio_util::sync::CancellationToken;

/// A request whose path ends so is answered when it is let; every other one at once.
pub(crate) const HELD: &str = "/held";

/// One tunnel's application.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    name: Bytes,
    let_go: CancellationToken,
}

impl Application {
    /// The application behind this tunnel; it answers what it holds once `let_go` is cancelled.
    pub(crate) fn new(name: &str, let_go: CancellationToken) -> Self {
        Self {
            name: Bytes::copy_from_slice(name.as_bytes()),
            let_go,
        }
    }
}

impl<B> Service<Request<B>> for Application {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let held = request.uri().path().ends_with(HELD);
        let Self { name, let_go } = self.clone();
        Box::pin(async move {
            if held {
                let_go.cancelled().await;
            }
            Ok(Response::new(Full::new(name)))
        })
    }
}
