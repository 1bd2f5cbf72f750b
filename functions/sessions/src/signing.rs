//! A call's signature, and what is demanded of its answer's.

use std::time::{SystemTime, UNIX_EPOCH};

use ebbtide_rules::report::UnknownReason;
use ebbtide_signature::{Answer, Key, Refused, Request, sign_request, verify_answer};
use http::{HeaderMap, Method};
use reqwest::StatusCode;

/// A call as it was signed: its answer is bound to it.
pub(crate) struct Sent {
    method: Method,
    authority: String,
    path: String,
    body: Vec<u8>,
    headers: HeaderMap,
}

impl Sent {
    /// Signs a request; none without keys.
    pub(crate) fn sign(request: &mut reqwest::Request, keys: &[Key]) -> Option<Self> {
        if keys.is_empty() {
            return None;
        }
        let url = request.url();
        let host = url.host_str().unwrap_or_default();
        let mut sent = Self {
            method: request.method().clone(),
            // As the client writes Host: without the port that is HTTP's own.
            authority: url
                .port()
                .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            path: url.path().to_owned(),
            body: request
                .body()
                .and_then(|body| body.as_bytes())
                .unwrap_or_default()
                .to_vec(),
            headers: HeaderMap::new(),
        };
        let nonce = format!("{:032x}", rand::random::<u128>());
        let mut headers = HeaderMap::new();
        sign_request(&sent.request(), &mut headers, keys, now(), &nonce);
        request.headers_mut().extend(headers.clone());
        sent.headers = headers;
        Some(sent)
    }

    /// Refuses an answer unless it is by one of these keys, to this call. What nothing follows from need not be signed: it
    /// is Unknown either way, and its status says why.
    pub(crate) fn verify(
        &self,
        answer: &Answer<'_>,
        headers: &HeaderMap,
        keys: &[Key],
    ) -> Result<(), UnknownReason> {
        match answer.status {
            StatusCode::UNAUTHORIZED => return Err(UnknownReason::SignatureRefused),
            StatusCode::OK | StatusCode::CONFLICT => {}
            _ => return Ok(()),
        }
        match verify_answer(answer, headers, (&self.request(), &self.headers), keys) {
            Ok(()) => Ok(()),
            Err(Refused::Unsigned) => Err(UnknownReason::Unsigned),
            Err(_) => Err(UnknownReason::ForeignSignature),
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            authority: &self.authority,
            path: &self.path,
            body: &self.body,
        }
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
