//! Content-Digest (RFC 9530), SHA-256.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, Dictionary, ListEntry, Parser};
use sha2::{Digest as _, Sha256};

use crate::base::{bytes_field, value};
use crate::refused::Refused;

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const ALGORITHM: &str = "sha-256";

pub(crate) fn of(body: &[u8]) -> HeaderValue {
    let sum: [u8; 32] = Sha256::digest(body).into();
    bytes_field(ALGORITHM, &sum)
}

/// Whether the digest that the headers carry is the body's.
pub(crate) fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), Refused> {
    let malformed = Refused::Malformed("Content-Digest");
    let text = value(headers, &CONTENT_DIGEST).ok_or_else(|| malformed.clone())?;
    let parsed: Dictionary = Parser::new(&text).parse().map_err(|_| malformed.clone())?;
    let Some(ListEntry::Item(item)) = parsed.get(ALGORITHM) else {
        return Err(malformed);
    };
    let BareItem::ByteSequence(told) = &item.bare_item else {
        return Err(malformed);
    };
    let sum: [u8; 32] = Sha256::digest(body).into();
    if told.as_slice() == sum {
        Ok(())
    } else {
        Err(Refused::Altered)
    }
}
