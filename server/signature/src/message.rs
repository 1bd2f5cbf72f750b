//! What of a request and of its answer is signed, and what is demanded of those that come in.

use http::{HeaderMap, HeaderName, Method, StatusCode};
use sfv::{BareItem, Dictionary, InnerList, Item, KeyRef, ListEntry, Parser};

use crate::base::{Component, base, dictionary, value};
use crate::digest::{self, CONTENT_DIGEST};
use crate::key::Key;
use crate::refused::Refused;

const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
/// What marks a signature as one of this protocol.
const OF_REQUEST: &str = "ebbtide";
const OF_ANSWER: &str = "ebbtide-answer";
const ALGORITHM: &str = "hmac-sha256";
/// More text, signatures or nonce than any signer sends is not read.
const MOST_TEXT: usize = 4_096;
const MOST_SIGNATURES: usize = 4;
const MOST_NONCE: usize = 64;

const COVERED_OF_REQUEST: [Component; 4] = [
    Component::of("@method"),
    Component::of("@authority"),
    Component::of("@path"),
    Component::of("content-digest"),
];

/// The request's signature has its nonce in it: an answer to another request, or to the same one before, does not fit.
const COVERED_OF_ANSWER: [Component; 7] = [
    Component::of("@status"),
    Component::of("content-digest"),
    Component::of_request("@method"),
    Component::of_request("@authority"),
    Component::of_request("@path"),
    Component::of_request("content-digest"),
    Component::of_request("signature"),
];

/// A request, apart from its headers.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Address and port, as its `Host` says.
    pub authority: &'a str,
    /// Its path, without a query.
    pub path: &'a str,
    /// Its body; none is an empty one.
    pub body: &'a [u8],
}

/// An answer, apart from its headers.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: &'a [u8],
}

/// A request that was signed with a known key.
#[derive(Debug)]
pub struct Signed<'k> {
    /// The key.
    pub key: &'k Key,
    /// When it was signed, in seconds since 1970, by the signer's clock.
    pub created: u64,
    /// What makes it the only one of its second.
    pub nonce: String,
}

/// Signs a request with each of these keys, so that a server that knows one of them takes it: sets `Content-Digest`,
/// `Signature-Input` and `Signature`. No nonce may be given twice in a second.
pub fn sign_request(
    request: &Request<'_>,
    headers: &mut HeaderMap,
    keys: &[Key],
    created: u64,
    nonce: &str,
) {
    headers.insert(CONTENT_DIGEST, digest::of(request.body));
    let covered = keys.iter().map(|key| {
        let parameters = parameters(OF_REQUEST, key, created, Some(nonce));
        (key, list(&COVERED_OF_REQUEST, parameters))
    });
    sign(covered.collect(), headers, |headers, name, of_request| {
        request.value(headers, name).filter(|_| !of_request)
    });
}

/// Finds who has signed a request. Whether it was taken before, [`Replays`](crate::Replays) knows.
///
/// # Errors
/// If nobody known has, or if something of it was changed.
pub fn verify_request<'k>(
    request: &Request<'_>,
    headers: &HeaderMap,
    keys: &'k [Key],
) -> Result<Signed<'k>, Refused> {
    let found = find(headers, OF_REQUEST, keys)?;
    found.covers(&COVERED_OF_REQUEST)?;
    found.verify(|name, of_request| request.value(headers, name).filter(|_| !of_request))?;
    digest::check(headers, request.body)?;
    let nonce = found.text("nonce").filter(|it| it.len() <= MOST_NONCE);
    Ok(Signed {
        key: found.key,
        created: found.created()?,
        nonce: nonce.ok_or(Refused::Malformed("nonce"))?.to_owned(),
    })
}

/// Signs the answer to a signed request, with the key that [`verify_request`] found.
pub fn sign_answer(
    answer: &Answer<'_>,
    headers: &mut HeaderMap,
    (request, asked): (&Request<'_>, &HeaderMap),
    key: &Key,
    created: u64,
) {
    headers.insert(CONTENT_DIGEST, digest::of(answer.body));
    let covered = list(
        &COVERED_OF_ANSWER,
        parameters(OF_ANSWER, key, created, None),
    );
    sign(
        vec![(key, covered)],
        headers,
        |headers, name, of_request| {
            if of_request {
                request.value(asked, name)
            } else {
                answer.value(headers, name)
            }
        },
    );
}

/// Checks that an answer is by one of these keys, and to this request, as [`sign_request`] has signed it.
///
/// # Errors
/// If it is not.
pub fn verify_answer(
    answer: &Answer<'_>,
    headers: &HeaderMap,
    (request, asked): (&Request<'_>, &HeaderMap),
    keys: &[Key],
) -> Result<(), Refused> {
    let found = find(headers, OF_ANSWER, keys)?;
    found.covers(&COVERED_OF_ANSWER)?;
    found.verify(|name, of_request| {
        if of_request {
            request.value(asked, name)
        } else {
            answer.value(headers, name)
        }
    })?;
    digest::check(headers, answer.body)
}

impl Request<'_> {
    fn value(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        match name {
            "@method" => Some(self.method.as_str().to_owned()),
            "@authority" => Some(self.authority.to_ascii_lowercase()),
            "@path" => Some(self.path.to_owned()),
            "content-digest" => value(headers, &CONTENT_DIGEST),
            "signature" => value(headers, &SIGNATURE),
            _ => None,
        }
    }
}

impl Answer<'_> {
    fn value(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        match name {
            "@status" => Some(self.status.as_u16().to_string()),
            "content-digest" => value(headers, &CONTENT_DIGEST),
            _ => None,
        }
    }
}

/// A signature by a known key.
struct Found<'k> {
    key: &'k Key,
    covered: InnerList,
    signature: Vec<u8>,
}

fn find<'k>(headers: &HeaderMap, tag: &str, keys: &'k [Key]) -> Result<Found<'k>, Refused> {
    let inputs = read(headers, &SIGNATURE_INPUT, "Signature-Input")?;
    let signatures = read(headers, &SIGNATURE, "Signature")?;
    let mut unknown = Vec::new();
    for (label, input) in inputs {
        let ListEntry::InnerList(covered) = input else {
            return Err(Refused::Malformed("Signature-Input"));
        };
        if text(&covered, "tag") != Some(tag) {
            continue;
        }
        let id = text(&covered, "keyid").ok_or(Refused::Malformed("keyid"))?;
        let Some(key) = keys.iter().find(|key| key.id() == id) else {
            // It came from outside: what is no id of ours is not repeated in a message.
            let is_id = id.len() <= 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            unknown.push(if is_id { id.to_owned() } else { "?".to_owned() });
            continue;
        };
        if text(&covered, "alg").is_some_and(|algorithm| algorithm != ALGORITHM) {
            return Err(Refused::Malformed("alg"));
        }
        let Some(ListEntry::Item(signature)) = signatures.get(&label) else {
            return Err(Refused::Malformed("Signature"));
        };
        let BareItem::ByteSequence(signature) = &signature.bare_item else {
            return Err(Refused::Malformed("Signature"));
        };
        return Ok(Found {
            key,
            signature: signature.clone(),
            covered,
        });
    }
    match unknown.is_empty() {
        true => Err(Refused::Unsigned),
        false => {
            let known: Vec<&str> = keys.iter().map(Key::id).collect();
            Err(Refused::UnknownKey(unknown.join(", "), known.join(", ")))
        }
    }
}

fn read(
    headers: &HeaderMap,
    name: &HeaderName,
    called: &'static str,
) -> Result<Dictionary, Refused> {
    let text = value(headers, name).ok_or(Refused::Unsigned)?;
    let parsed = Parser::new(&text).parse::<Dictionary>();
    parsed
        .ok()
        .filter(|it| text.len() <= MOST_TEXT && it.len() <= MOST_SIGNATURES)
        .ok_or(Refused::Malformed(called))
}

impl Found<'_> {
    fn covers(&self, components: &[Component]) -> Result<(), Refused> {
        let is_covered = |it: &Component| self.covered.items.iter().any(|item| it.is(item));
        match components.iter().find(|it| !is_covered(it)) {
            Some(missing) => Err(Refused::NotCovered(missing.name)),
            None => Ok(()),
        }
    }

    fn verify(&self, value: impl Fn(&str, bool) -> Option<String>) -> Result<(), Refused> {
        let base = base(&self.covered, value)?;
        match self.key.has_signed(&base, &self.signature) {
            true => Ok(()),
            false => Err(Refused::Wrong),
        }
    }

    fn text(&self, parameter: &str) -> Option<&str> {
        text(&self.covered, parameter)
    }

    fn created(&self) -> Result<u64, Refused> {
        let created = self.covered.params.get("created");
        created
            .and_then(BareItem::as_integer)
            .and_then(|seconds| u64::try_from(seconds).ok())
            .ok_or(Refused::Malformed("created"))
    }
}

fn text<'a>(covered: &'a InnerList, parameter: &str) -> Option<&'a str> {
    let value = covered.params.get(parameter)?;
    value.as_string().map(|text| text.as_str())
}

fn sign(
    covered: Vec<(&Key, InnerList)>,
    headers: &mut HeaderMap,
    value: impl Fn(&HeaderMap, &str, bool) -> Option<String>,
) {
    let (mut inputs, mut signatures) = (Vec::new(), Vec::new());
    for (index, (key, list)) in covered.into_iter().enumerate() {
        // What is covered here is what every message has; a base that could not be built would be signed as nothing.
        let base = base(&list, |name, of_request| value(headers, name, of_request));
        let Ok(base) = base else { continue };
        let signature = BareItem::ByteSequence(key.sign(&base).to_vec());
        let label = format!("ebbtide-{}", index + 1);
        signatures.push((label.clone(), ListEntry::Item(Item::new(signature))));
        inputs.push((label, ListEntry::InnerList(list)));
    }
    headers.insert(SIGNATURE_INPUT, dictionary(inputs));
    headers.insert(SIGNATURE, dictionary(signatures));
}

fn list(components: &[Component], parameters: Vec<(&'static str, BareItem)>) -> InnerList {
    let items = components.iter().filter_map(|it| it.item()).collect();
    let mut list = InnerList::new(items);
    for (name, value) in parameters {
        if let Ok(name) = KeyRef::from_str(name) {
            list.params.insert(name.to_owned(), value);
        }
    }
    list
}

fn parameters(
    tag: &'static str,
    key: &Key,
    created: u64,
    nonce: Option<&str>,
) -> Vec<(&'static str, BareItem)> {
    let string = |text: &str| sfv::String::from_string(text.to_owned()).ok();
    let created = sfv::Integer::try_from(created).ok();
    let parameters = [
        ("created", created.map(BareItem::Integer)),
        ("nonce", nonce.and_then(string).map(BareItem::String)),
        ("alg", string(ALGORITHM).map(BareItem::String)),
        ("keyid", string(key.id()).map(BareItem::String)),
        ("tag", string(tag).map(BareItem::String)),
    ];
    parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

#[cfg(test)]
mod tests;
