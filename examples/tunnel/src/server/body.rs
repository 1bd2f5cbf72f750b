//! Bodies, and the work that a response stands for.
//!
//! Owns the rule that a request is over when the last byte of its response has left this process, not when it was
//! produced: a server sealed in between would be terminated with the tail of an answer in its buffers. `serve` empties
//! the [`Outbox`] when a connection has flushed.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use ebbtide_endpoint::Place;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};

use super::carried::Carried;
use super::tunnel::InFlight;
use crate::sync::Mutex;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request that goes into a tunnel or to a peer.
pub(crate) type Outgoing = UnsyncBoxBody<Bytes, BoxError>;

/// Any body as one that goes out.
pub(crate) fn outgoing<B>(body: B) -> Outgoing
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// What one request keeps in use. The place goes last: until then the server counts as in use.
pub(crate) struct Work {
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) carried: Option<Carried>,
    pub(crate) _place: Place,
}

/// Work that is done but for the bytes that a connection has still to flush.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Arc<Mutex<Vec<Work>>>);

impl Outbox {
    fn hold(&self, work: Work) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(work);
    }

    /// All is flushed, or the connection is gone: the work ends.
    pub(crate) fn clear(&self) {
        let done = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(done);
    }
}

/// A response body that keeps its request's work until it has ended, then leaves it to the connection's outbox.
pub(crate) struct Counted<B> {
    body: B,
    work: Option<Work>,
    outbox: Outbox,
}

impl<B> Counted<B> {
    pub(crate) fn new(body: B, work: Work, outbox: Outbox) -> Self {
        Self {
            body,
            work: Some(work),
            outbox,
        }
    }

    fn finish(&mut self) {
        if let Some(work) = self.work.take() {
            self.outbox.hold(work);
        }
    }
}

impl<B> Drop for Counted<B> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.finish();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
