//! Signed calls: whoever calls the session endpoint has to have this server's key, and its answers carry it.
//!
//! Owns the keys' file and the memory of what was taken. Refuses with 401, unsigned, what is not signed with a key of this
//! server, is not as it was signed, was signed too long ago, or was taken before (`ebbtide_signature` decides which).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, Request as Received, State};
use axum::http::{HeaderMap, Response, StatusCode, header, request};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse as _;
use ebbtide_signature::{
    Answer, Key, Refused, Replays, Request, Signed, sign_answer, verify_request,
};

use crate::endpoint::Endpoint;
use crate::http::problem;
use crate::wire::LARGEST_BODY;

/// More keys than two masters and their successors give no server has.
const MOST_KEYS: usize = 4;

/// What becomes of a call that is not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// It is refused.
    Refused,
    /// It is taken. For the release in which servers get their keys, before the stack gets its secret: servers that demand
    /// signatures would not be read by functions that do not sign yet.
    Taken,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum NoKeys {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not as the function issue-keys answers: one key a line, of 64 hexadecimal digits, one to four of them.
    #[error("{0}: expected one to four lines, each a key of 64 hexadecimal digits")]
    Malformed(PathBuf),
}

/// Verifies calls and signs answers.
#[derive(Debug)]
pub struct Guard {
    file: PathBuf,
    unsigned: Unsigned,
    clock: fn() -> u64,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    keys: Arc<[Key]>,
    /// Of which change of the file they are.
    changed: Option<SystemTime>,
    replays: Replays,
}

impl Guard {
    /// A guard with the keys of this file: one a line, as the function issue-keys answers them. When a call comes with a key
    /// that is unknown, a file that has changed is read again, so a rotation needs no restart.
    ///
    /// # Errors
    /// When there are no keys to read.
    pub fn of_file(path: impl Into<PathBuf>, unsigned: Unsigned) -> Result<Self, NoKeys> {
        Self::at(path.into(), unsigned, now)
    }

    fn at(file: PathBuf, unsigned: Unsigned, clock: fn() -> u64) -> Result<Self, NoKeys> {
        let (keys, changed) = (read(&file)?, changed(&file));
        Ok(Self {
            file,
            unsigned,
            clock,
            memory: Mutex::new(Memory {
                keys,
                changed,
                replays: Replays::starting(clock()),
            }),
        })
    }

    /// Takes a call, or says why not.
    fn admit(&self, call: &Call) -> Result<Admitted, Refused> {
        let request = call.request();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let first = verify_request(&request, &call.head.headers, &memory.keys);
        if matches!(first, Err(Refused::UnknownKey(..))) {
            self.read_again(&mut memory);
        }
        let keys = Arc::clone(&memory.keys);
        let Signed {
            key,
            created,
            nonce,
        } = verify_request(&request, &call.head.headers, &keys)?;
        memory.replays.take(created, &nonce, (self.clock)())?;
        let place = keys.iter().position(|known| known.id() == key.id());
        Ok(Admitted {
            place: place.unwrap_or_default(),
            keys,
        })
    }

    /// What cannot be read now changes nothing: the keys that are known go on.
    fn read_again(&self, memory: &mut Memory) {
        let changed = changed(&self.file);
        if changed == memory.changed {
            return;
        }
        match read(&self.file) {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the keys were read again");
                (memory.keys, memory.changed) = (keys, changed);
            }
            Err(error) => tracing::warn!(%error, "the keys cannot be read again"),
        }
    }
}

/// The key that a call was signed with.
struct Admitted {
    keys: Arc<[Key]>,
    place: usize,
}

/// A request whose body has been read.
struct Call {
    head: request::Parts,
    body: Bytes,
    authority: String,
    path: String,
}

impl Call {
    fn new(head: request::Parts, body: Bytes) -> Self {
        let host = head.headers.get(header::HOST);
        let host = host.and_then(|value| value.to_str().ok());
        let authority = head.uri.authority().map(|authority| authority.as_str());
        // Where the router is nested, its own path is the rest of what was asked for.
        let original = head.extensions.get::<OriginalUri>();
        let path = original.map_or(&head.uri, |original| &original.0).path();
        Self {
            authority: host.or(authority).unwrap_or_default().to_owned(),
            path: path.to_owned(),
            head,
            body,
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.head.method,
            authority: &self.authority,
            path: &self.path,
            body: &self.body,
        }
    }
}

impl Endpoint {
    /// The paths of [`Endpoint::router`], behind this guard.
    pub fn signed_router(&self, guard: Guard) -> Router {
        self.router()
            .layer(from_fn_with_state(Arc::new(guard), guarded))
    }
}

async fn guarded(
    State(guard): State<Arc<Guard>>,
    received: Received,
    next: Next,
) -> Response<Body> {
    let (head, body) = received.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        let message = "an order has at most 64 KiB";
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "InvalidRequest", message);
    };
    let call = Call::new(head, body);
    let inner = Received::from_parts(call.head.clone(), Body::from(call.body.clone()));
    match guard.admit(&call) {
        Ok(admitted) => {
            let answer = next.run(inner).await;
            signed(&call, &admitted, answer, (guard.clock)()).await
        }
        Err(Refused::Unsigned) if guard.unsigned == Unsigned::Taken => next.run(inner).await,
        Err(refused) => {
            tracing::warn!(%refused, path = call.path, "a call was refused");
            let message = format!("the call is refused: {refused}");
            problem(StatusCode::UNAUTHORIZED, "NotSigned", &message)
        }
    }
}

async fn signed(call: &Call, by: &Admitted, answer: Response<Body>, now: u64) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    // Every answer of the endpoint is in memory already.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = Answer {
        status: head.status,
        body: &body,
    };
    let asked: (&Request<'_>, &HeaderMap) = (&call.request(), &call.head.headers);
    sign_answer(&answer, &mut head.headers, asked, &by.keys[by.place], now);
    Response::from_parts(head, Body::from(body))
}

fn read(path: &Path) -> Result<Arc<[Key]>, NoKeys> {
    let text = std::fs::read_to_string(path).map_err(|error| NoKeys::Unreadable {
        path: path.into(),
        error,
    })?;
    let keys: Result<Vec<Key>, _> = text.split_whitespace().map(Key::read).collect();
    match keys {
        Ok(keys) if (1..=MOST_KEYS).contains(&keys.len()) => Ok(keys.into()),
        _ => Err(NoKeys::Malformed(path.into())),
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|it| it.modified()).ok()
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "guard_tests.rs"]
mod tests;
