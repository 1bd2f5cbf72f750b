//! Counts the requests that an application is at work on, and tells of their begin and end.
//!
//! Owns the wrapper around the application: a request lasts from its arrival until its response body is finished or
//! dropped.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::Service;
use tokio::sync::mpsc::UnboundedSender;

use super::{BoxError, Event};

/// Requests of one connection.
#[derive(Clone)]
pub(crate) struct Counter {
    in_flight: Arc<AtomicUsize>,
    events: UnboundedSender<Event>,
}

impl Counter {
    pub(crate) fn new(events: UnboundedSender<Event>) -> Self {
        Self {
            in_flight: Arc::default(),
            events,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    fn begin(&self) -> Running {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let _ = self.events.send(Event::RequestStarted);
        Running(self.clone())
    }
}

struct Running(Counter);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        let _ = self.0.events.send(Event::RequestEnded);
    }
}

/// An application whose requests are counted.
#[derive(Clone)]
pub(crate) struct CountedApp<S> {
    pub(crate) app: S,
    pub(crate) counter: Counter,
}

impl<S, B> Service<Request<Incoming>> for CountedApp<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<CountedBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let running = self.counter.begin();
        let response = self.app.call(request);
        Box::pin(async move {
            let response = response.await.map_err(Into::into)?;
            Ok(response.map(|body| CountedBody {
                body: body.map_err(Into::into).boxed_unsync(),
                _running: running,
            }))
        })
    }
}

/// A response body that ends its request when it is dropped: hyper drops it as soon as it has ended.
pub(crate) struct CountedBody {
    body: UnsyncBoxBody<Bytes, BoxError>,
    _running: Running,
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
