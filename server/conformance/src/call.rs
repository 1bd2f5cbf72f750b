//! One call as it goes out: signed or not, and whether an answer is the one to it.
//!
//! Owns what of a call is signed, and the ways in which a signed one is spoiled on purpose.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ebbtide_signature::{Answer, Key, Refused, Request, sign_request, verify_answer};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use crate::server;

const CONTENT_DIGEST: &str = "content-digest";
const SIGNATURE: &str = "signature";
const SIGNATURE_INPUT: &str = "signature-input";
/// What the signer calls its first signature.
const FIRST: &str = "ebbtide-1=";
/// More than any server has.
const MOST_KEYS: usize = 4;

/// Reads a server's keys from its file: one a line, of 64 hexadecimal digits, one to four of them.
///
/// # Errors
/// What to do about the file; its text is not repeated.
pub fn read_keys(file: &Path) -> Result<Arc<[Key]>, String> {
    let shown = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("--keys: {shown}: {error}"))?;
    let keys: Result<Vec<Key>, _> = text.split_whitespace().map(Key::read).collect();
    match keys {
        Ok(keys) if (1..=MOST_KEYS).contains(&keys.len()) => Ok(keys.into()),
        _ => Err(format!(
            "--keys: {shown}: give one to four lines, each a key of 64 hexadecimal digits, as the server reads them"
        )),
    }
}

/// A call, however often it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: HeaderMap,
}

impl Call {
    /// The same, signed with each of these keys at this time, in seconds since 1970, under a nonce of its own.
    pub(crate) fn signed(&self, keys: &[Key], created: u64) -> Self {
        let mut headers = self.headers.clone();
        let nonce = format!("{:032x}", rand::random::<u128>());
        self.with_request(|request| sign_request(request, &mut headers, keys, created, &nonce));
        Self {
            headers,
            ..self.clone()
        }
    }

    /// Whether this is the answer to this very call, by one of these keys.
    pub(crate) fn verify(&self, answer: &server::Answer, keys: &[Key]) -> Result<(), Refused> {
        let given = Answer {
            status: StatusCode::from_u16(answer.status).unwrap_or_default(),
            body: &answer.body,
        };
        self.with_request(|request| {
            verify_answer(&given, &answer.headers, (request, &self.headers), keys)
        })
    }

    /// The same, but its signature says that it is by another key.
    pub(crate) fn under_the_name_of(&self, signer: &Key, other: &Key) -> Self {
        let mut call = self.clone();
        call.change(SIGNATURE_INPUT, |text| {
            text.replace(signer.id(), other.id())
        });
        call
    }

    /// The same, with another call's signature before its own.
    pub(crate) fn behind(&self, other: &Self) -> Self {
        let mut call = self.clone();
        for name in [SIGNATURE_INPUT, SIGNATURE] {
            let first = other.text(name).replacen(FIRST, "another=", 1);
            call.change(name, |own| format!("{first}, {own}"));
        }
        call
    }

    /// The same with another body, still with the digest of the former.
    pub(crate) fn altered(&self, body: Vec<u8>) -> Self {
        Self {
            body,
            ..self.clone()
        }
    }

    /// The same with another body and the digest of that.
    pub(crate) fn altered_with_digest(&self, body: Vec<u8>) -> Self {
        let mut call = self.altered(body);
        // Whoever signs it computes the digest; with no key there is nothing else to it.
        if let Some(digest) = call.signed(&[], 0).headers.remove(CONTENT_DIGEST) {
            call.headers.insert(CONTENT_DIGEST, digest);
        }
        call
    }

    fn text(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    fn change(&mut self, name: &'static str, to: impl FnOnce(&str) -> String) {
        if let Ok(value) = HeaderValue::from_str(&to(self.text(name))) {
            self.headers.insert(name, value);
        }
    }

    fn with_request<T>(&self, act: impl FnOnce(&Request<'_>) -> T) -> T {
        act(&Request {
            method: &self.method,
            authority: &authority(&self.url),
            path: self.url.path(),
            body: &self.body,
        })
    }
}

/// As the client writes it into `Host`: without the port that is HTTP's own.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
