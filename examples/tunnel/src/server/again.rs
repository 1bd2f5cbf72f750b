//! A request that is sent again when its tunnel moved before the request was in it.
//!
//! The rule: an attempt is followed by another one only if it certainly did not begin at the application. That is known
//! when this server could not hand it to the tunnel's HTTP/2 connection, when no connection to the other server was made, and
//! when the other server says that it did not hand it on. Whatever broke later may have begun, and is never sent twice,
//! whatever its method.
//!
//! Owns what has been read of the body for that: at most [`OF_ONE`] of one request and [`OF_ALL`] of all. A body is read when
//! somebody takes it and not before, so a request that waits for its tunnel keeps nothing. Refuses another attempt when more
//! was read, or trailers, or when the user broke off.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use hyper::body::{Body, Frame, SizeHint};

use super::body::{BoxError, Outgoing, outgoing};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// So many bytes of one body are kept.
pub(crate) const OF_ONE: usize = 256 * 1024;
/// So many bytes of all bodies together.
pub(crate) const OF_ALL: usize = 64 * 1024 * 1024;

/// How much of all bodies is kept at this moment.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<AtomicUsize>);

impl Kept {
    fn take(&self, bytes: usize) -> bool {
        let before = self.0.fetch_add(bytes, Ordering::SeqCst);
        let fits = before + bytes <= OF_ALL;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::SeqCst);
    }
}

/// A request, for as many attempts as it takes.
pub(crate) struct Again {
    parts: Parts,
    sending: Arc<Mutex<Sending>>,
}

struct Sending {
    body: Outgoing,
    /// What has been read of the body, from its beginning.
    read: Vec<u8>,
    /// How much of that the latest attempt has taken.
    taken: usize,
    /// There is no other attempt: the beginning is gone, or not needed any more.
    last: bool,
    attempts: u64,
    kept: Kept,
}

impl Again {
    pub(crate) fn new(request: Request<Outgoing>, kept: &Kept) -> Self {
        let (parts, body) = request.into_parts();
        let sending = Sending {
            body,
            read: Vec::new(),
            taken: 0,
            last: false,
            attempts: 0,
            kept: kept.clone(),
        };
        Self {
            parts,
            sending: Arc::new(Mutex::new(sending)),
        }
    }

    /// The request from its beginning, if that is still there. The attempt before gets no more of the body.
    pub(crate) fn attempt(&self) -> Option<Request<Outgoing>> {
        let mut sending = lock(&self.sending);
        if sending.last {
            return None;
        }
        sending.attempts += 1;
        sending.taken = 0;
        let attempt = Attempt {
            number: sending.attempts,
            sending: self.sending.clone(),
        };
        drop(sending);
        Some(Request::from_parts(self.parts.clone(), outgoing(attempt)))
    }

    /// It arrived: the attempt under way is the last, and keeps no more than it has still to take.
    pub(crate) fn arrived(&self) {
        let mut sending = lock(&self.sending);
        sending.last = true;
        if sending.left().is_empty() {
            sending.forget();
        }
    }
}

fn lock(sending: &Mutex<Sending>) -> MutexGuard<'_, Sending> {
    sending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sending {
    /// What was read for an attempt before and not yet taken by this one.
    fn left(&self) -> &[u8] {
        self.read.get(self.taken..).unwrap_or_default()
    }

    fn keep(&mut self, frame: &Result<Frame<Bytes>, BoxError>) {
        match frame.as_ref().ok().and_then(Frame::data_ref) {
            Some(data) if self.fits(data) => {
                // Copied: a piece would keep all of the buffer that it was read into.
                self.read.extend_from_slice(data);
                self.taken = self.read.len();
            }
            _ => self.forget(),
        }
    }

    fn fits(&self, data: &Bytes) -> bool {
        !self.last && self.read.len() + data.len() <= OF_ONE && self.kept.take(data.len())
    }

    fn forget(&mut self) {
        self.last = true;
        self.taken = 0;
        self.kept.give_back(std::mem::take(&mut self.read).len());
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The body of one attempt: what was read before, then the rest as it comes.
struct Attempt {
    number: u64,
    sending: Arc<Mutex<Sending>>,
}

impl Body for Attempt {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut sending = lock(&self.sending);
        // A connection that failed may still have an attempt of before.
        if sending.attempts != self.number {
            return Poll::Ready(Some(Err("the request is sent another time".into())));
        }
        if !sending.left().is_empty() {
            let left = Bytes::copy_from_slice(sending.left());
            sending.taken = sending.read.len();
            return Poll::Ready(Some(Ok(Frame::data(left))));
        }
        let frame = ready!(Pin::new(&mut sending.body).poll_frame(cx));
        if let Some(frame) = &frame {
            sending.keep(frame);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let sending = lock(&self.sending);
        sending.left().is_empty() && sending.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let sending = lock(&self.sending);
        let (left, rest) = (sending.left().len() as u64, sending.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + left);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + left);
        }
        hint
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "again_tests.rs"]
mod tests;
