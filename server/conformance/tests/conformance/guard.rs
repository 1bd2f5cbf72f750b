//! Signatures in front of a session endpoint, written by hand, small and right, that can be made wrong in one thing.
//!
//! What a signature is it asks `ebbtide_signature`; a fault takes what that refuses, or leaves out what it adds.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header, request};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use ebbtide_signature::{
    Answer, Key, Refused, Replays, Request as Asked, Signed, sign_answer, verify_request,
};
use serde_json::json;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    UnsignedTaken,
    ReadsNotGuarded,
    CarriedOutAndRefused,
    OtherKeyTaken,
    SignatureNotChecked,
    FirstSignatureOnly,
    DigestNotChecked,
    ReplayTaken,
    SkewTaken,
    RestartForgets,
    AnswerUnsigned,
    RefusalUnsigned,
    AnswerToAnother,
    AnswerByAnother,
}

pub(crate) struct Guard {
    fault: Fault,
    keys: Vec<Key>,
    replays: Mutex<Replays>,
    /// The headers of the call before.
    before: Mutex<HeaderMap>,
}

/// The keys of a file.
pub(crate) fn keys(text: &str) -> Vec<Key> {
    let keys = text.split_whitespace().map(Key::read);
    keys.map(Result::unwrap).collect()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

struct Call {
    head: request::Parts,
    body: Bytes,
}

impl Call {
    fn asked(&self) -> Asked<'_> {
        let host = self.head.headers.get(header::HOST).unwrap();
        Asked {
            method: &self.head.method,
            authority: host.to_str().unwrap(),
            path: self.head.uri.path(),
            body: &self.body,
        }
    }
}

impl Guard {
    pub(crate) fn new(fault: Fault, keys: Vec<Key>) -> Self {
        Self {
            fault,
            keys,
            replays: Mutex::new(Replays::starting(now())),
            before: Mutex::default(),
        }
    }

    pub(crate) fn before(self, orders: Router) -> Router {
        orders.layer(from_fn_with_state(Arc::new(self), guarded))
    }

    /// Which key the call was signed with.
    fn admit(&self, call: &Call) -> Result<usize, Refused> {
        let mut headers = call.head.headers.clone();
        if self.fault == Fault::FirstSignatureOnly {
            for name in ["signature-input", "signature"] {
                cut(&mut headers, &HeaderName::from_static(name));
            }
        }
        let found = verify_request(&call.asked(), &headers, &self.keys);
        let Signed {
            key,
            created,
            nonce,
        } = found?;
        let mut replays = self.replays.lock().unwrap();
        replays.take(created, &nonce, now())?;
        let place = self.keys.iter().position(|known| known.id() == key.id());
        Ok(place.unwrap())
    }

    /// Whether it takes what has to be refused for this.
    fn overlooks(&self, refused: &Refused, call: &Call) -> bool {
        match self.fault {
            Fault::UnsignedTaken => *refused == Refused::Unsigned,
            Fault::ReadsNotGuarded => call.head.method == Method::GET,
            Fault::OtherKeyTaken => matches!(refused, Refused::UnknownKey(..)),
            Fault::SignatureNotChecked => *refused == Refused::Wrong,
            Fault::DigestNotChecked => *refused == Refused::Altered,
            Fault::ReplayTaken => *refused == Refused::Replayed,
            Fault::SkewTaken => matches!(refused, Refused::Skewed(_)),
            Fault::RestartForgets => *refused == Refused::BeforeStart,
            _ => false,
        }
    }

    async fn sign(&self, call: &Call, place: usize, answer: Response) -> Response {
        let (mut head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let before =
            std::mem::replace(&mut *self.before.lock().unwrap(), call.head.headers.clone());
        let signed = match self.fault {
            Fault::AnswerUnsigned => false,
            Fault::RefusalUnsigned => head.status == StatusCode::OK,
            _ => true,
        };
        if signed {
            let asked = match self.fault {
                Fault::AnswerToAnother if before.contains_key("signature") => &before,
                _ => &call.head.headers,
            };
            let another = Key::read(&"5a".repeat(32)).unwrap();
            let key = match self.fault {
                Fault::AnswerByAnother => &another,
                _ => &self.keys[place],
            };
            let answer = Answer {
                status: head.status,
                body: &body,
            };
            let asked = (&call.asked(), asked);
            sign_answer(&answer, &mut head.headers, asked, key, now());
        }
        Response::from_parts(head, Body::from(body))
    }
}

/// Leaves the first entry.
fn cut(headers: &mut HeaderMap, name: &HeaderName) {
    if let Some(text) = headers.get(name).and_then(|value| value.to_str().ok()) {
        let first = text.split(", ").next().unwrap();
        let first = first.parse().unwrap();
        headers.insert(name, first);
    }
}

async fn guarded(State(guard): State<Arc<Guard>>, received: Request, next: Next) -> Response {
    let (head, body) = received.into_parts();
    let Ok(body) = to_bytes(body, 64 * 1024).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let call = Call { head, body };
    let inner = Request::from_parts(call.head.clone(), Body::from(call.body.clone()));
    match guard.admit(&call) {
        Ok(place) => guard.sign(&call, place, next.run(inner).await).await,
        Err(refused) if guard.overlooks(&refused, &call) => {
            guard.sign(&call, 0, next.run(inner).await).await
        }
        Err(refused) => {
            if guard.fault == Fault::CarriedOutAndRefused {
                next.run(inner).await;
            }
            let problem = json!({"error": "NotSigned", "message": refused.to_string()});
            (StatusCode::UNAUTHORIZED, Json(problem)).into_response()
        }
    }
}
