//! The example of signed calls in docs/session-endpoint.yaml is what the signer makes.

use axum::http::{HeaderMap, Method, StatusCode};
use ebbtide_signature::{Answer, Key, Request, sign_answer, sign_request};

use crate::signed::digits;

const DOCUMENT: &str = include_str!("../../../../docs/session-endpoint.yaml");
const ORDER: &str =
    r#"{"instance":"i-0123456789abcdef0","deployment":"2026-11-22-spring","epoch":7}"#;
const REPORT: &str = r#"{"version":1,"instance":"i-0123456789abcdef0","admission":"sealed","epoch":7,"busy":0,"idle":0,"closed":49,"oldestBusySeconds":0}"#;

/// As the document shows them.
fn shown(headers: &HeaderMap) -> Vec<String> {
    let names = ["Content-Digest", "Signature-Input", "Signature"];
    names
        .map(|name| format!("{name}: {}\n", headers[name].to_str().unwrap()))
        .into()
}

#[test]
fn its_example_is_what_the_signer_makes() {
    let key = Key::read(&digits("a1")).unwrap();
    let request = Request {
        method: &Method::POST,
        authority: "10.0.0.4:7070",
        path: "/sessions/seal",
        body: ORDER.as_bytes(),
    };
    let mut asked = HeaderMap::new();
    let keys = std::slice::from_ref(&key);
    sign_request(&request, &mut asked, keys, 1_800_000_000, "nonce-1");
    let answer = Answer {
        status: StatusCode::OK,
        body: REPORT.as_bytes(),
    };
    let mut answered = HeaderMap::new();
    let to = (&request, &asked);
    sign_answer(&answer, &mut answered, to, &key, 1_800_000_001);
    let shown = [shown(&asked), shown(&answered)].concat();
    let bodies = [ORDER, REPORT].map(|body| format!("{body}\n"));
    for line in shown.into_iter().chain(bodies) {
        assert!(DOCUMENT.contains(&line), "the document lacks\n{line}");
        println!("{line}");
    }
}
