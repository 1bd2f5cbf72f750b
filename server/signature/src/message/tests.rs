//! What is signed holds for this message alone: each part changed, left out, of another key or another request is refused.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::key::Master;

const GET: Method = Method::GET;
const POST: Method = Method::POST;

fn key(master: u8, instance: &str) -> Key {
    let text = format!("a master of more than thirty-two characters, {master}");
    Master::new(&text.into()).unwrap().key_of(instance)
}

fn seal(body: &str) -> Request<'_> {
    Request {
        method: &POST,
        authority: "10.0.0.4:7070",
        path: "/sessions/seal",
        body: body.as_bytes(),
    }
}

fn signed(request: &Request<'_>, keys: &[Key]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    sign_request(request, &mut headers, keys, 1_800_000_000, "nonce-1");
    headers
}

fn answered(asked: (&Request<'_>, &HeaderMap), body: &str, key: &Key) -> HeaderMap {
    let mut headers = HeaderMap::new();
    sign_answer(&ok(body), &mut headers, asked, key, 1_800_000_001);
    headers
}

fn ok(body: &str) -> Answer<'_> {
    Answer {
        status: StatusCode::OK,
        body: body.as_bytes(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers[name].to_str().unwrap()
}

#[test]
fn a_signed_request_is_taken_and_says_when_and_with_what_it_was_signed() {
    let request = seal("{}");
    let headers = signed(&request, &[key(1, "i-1")]);
    let known = [key(2, "i-1"), key(1, "i-1")];
    let found = verify_request(&request, &headers, &known).unwrap();
    assert_eq!(found.key.id(), known[1].id());
    assert_eq!(
        (found.created, found.nonce.as_str()),
        (1_800_000_000, "nonce-1")
    );
    let input = format!(
        "ebbtide-1=(\"@method\" \"@authority\" \"@path\" \"content-digest\");created=1800000000;nonce=\"nonce-1\"\
         ;alg=\"hmac-sha256\";keyid=\"{}\";tag=\"ebbtide\"",
        found.key.id()
    );
    assert_eq!(text(&headers, &SIGNATURE_INPUT), input);
    // As openssl says of the body {}.
    let digest = "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:";
    assert_eq!(text(&headers, &CONTENT_DIGEST), digest);
}

#[test]
fn a_server_that_knows_the_former_key_alone_takes_what_is_signed_with_both() {
    let request = seal("{}");
    let headers = signed(&request, &[key(2, "i-1"), key(1, "i-1")]);
    for master in [1, 2] {
        let known = [key(master, "i-1")];
        let found = verify_request(&request, &headers, &known).unwrap();
        assert_eq!(found.key.id(), known[0].id());
        // And its answer is taken by whoever has both.
        let headers_of_answer = answered((&request, &headers), "{}", found.key);
        let both = [key(2, "i-1"), key(1, "i-1")];
        let asked = (&request, &headers);
        assert_eq!(
            verify_answer(&ok("{}"), &headers_of_answer, asked, &both),
            Ok(())
        );
    }
}

#[test]
fn a_key_of_another_master_or_of_another_server_is_refused() {
    let request = seal("{}");
    let headers = signed(&request, &[key(1, "i-1")]);
    for known in [key(2, "i-1"), key(1, "i-2")] {
        let refused = verify_request(&request, &headers, std::slice::from_ref(&known)).unwrap_err();
        let expected = Refused::UnknownKey(key(1, "i-1").id().to_owned(), known.id().to_owned());
        assert_eq!(refused, expected);
    }
    // Nor does it help to name the right one.
    let (right, wrong) = (key(1, "i-1"), key(2, "i-1"));
    let mut headers = signed(&request, std::slice::from_ref(&wrong));
    let input = text(&headers, &SIGNATURE_INPUT).replace(wrong.id(), right.id());
    headers.insert(SIGNATURE_INPUT, input.parse().unwrap());
    let refused = verify_request(&request, &headers, &[right]).unwrap_err();
    assert_eq!(refused, Refused::Wrong);
}

#[test]
fn nothing_of_a_request_can_be_changed() {
    let keys = [key(1, "i-1")];
    let request = seal("{}");
    let headers = signed(&request, &keys);
    let refused = |request: &Request<'_>| verify_request(request, &headers, &keys).unwrap_err();
    assert_eq!(
        refused(&Request {
            method: &GET,
            ..request
        }),
        Refused::Wrong
    );
    let path = "/sessions/resume";
    assert_eq!(refused(&Request { path, ..request }), Refused::Wrong);
    let authority = "10.0.0.5:7070";
    assert_eq!(
        refused(&Request {
            authority,
            ..request
        }),
        Refused::Wrong
    );
    assert_eq!(refused(&seal("{} ")), Refused::Altered);
    // A body with a digest of its own.
    let mut headers = headers.clone();
    headers.insert(CONTENT_DIGEST, digest::of(b"{} "));
    let refused = verify_request(&seal("{} "), &headers, &keys).unwrap_err();
    assert_eq!(refused, Refused::Wrong);
}

#[test]
fn a_later_time_or_another_nonce_needs_another_signature() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    let headers = signed(&request, &keys);
    for (from, to) in [("1800000000", "1800000060"), ("nonce-1", "nonce-2")] {
        let mut headers = headers.clone();
        let input = text(&headers, &SIGNATURE_INPUT).replace(from, to);
        headers.insert(SIGNATURE_INPUT, input.parse().unwrap());
        let refused = verify_request(&request, &headers, &keys).unwrap_err();
        assert_eq!(refused, Refused::Wrong);
    }
}

#[test]
fn what_is_not_signed_or_not_for_this_is_refused() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    let refused = |headers: &HeaderMap| verify_request(&request, headers, &keys).unwrap_err();
    assert_eq!(refused(&HeaderMap::new()), Refused::Unsigned);
    let mut headers = signed(&request, &keys);
    let input = text(&headers, &SIGNATURE_INPUT).replace("tag=\"ebbtide\"", "tag=\"other\"");
    headers.insert(SIGNATURE_INPUT, input.parse().unwrap());
    assert_eq!(refused(&headers), Refused::Unsigned);
    headers.insert(
        SIGNATURE_INPUT,
        HeaderValue::from_static("nothing of the kind ("),
    );
    assert_eq!(refused(&headers), Refused::Malformed("Signature-Input"));
    // An answer is no request.
    let asked = signed(&request, &keys);
    let answer = answered((&request, &asked), "{}", &keys[0]);
    assert_eq!(refused(&answer), Refused::Unsigned);
}

#[test]
fn a_signature_that_leaves_something_out_is_refused() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    for left_out in COVERED_OF_REQUEST {
        let rest: Vec<Component> = COVERED_OF_REQUEST
            .into_iter()
            .filter(|it| *it != left_out)
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_DIGEST, digest::of(request.body));
        let parameters = parameters(OF_REQUEST, &keys[0], 1_800_000_000, Some("n"));
        let covered = vec![(&keys[0], list(&rest, parameters))];
        sign(covered, &mut headers, |headers, name, _| {
            request.value(headers, name)
        });
        let refused = verify_request(&request, &headers, &keys).unwrap_err();
        assert_eq!(refused, Refused::NotCovered(left_out.name));
    }
}

#[test]
fn another_signers_order_of_parameters_and_a_second_signature_are_taken() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    let mut headers = signed(&request, &keys);
    let mut parameters = parameters(OF_REQUEST, &keys[0], 1_800_000_000, Some("n"));
    parameters.reverse();
    let components: Vec<Component> = COVERED_OF_REQUEST.into_iter().rev().collect();
    let covered = vec![(&keys[0], list(&components, parameters))];
    sign(covered, &mut headers, |headers, name, _| {
        request.value(headers, name)
    });
    assert!(verify_request(&request, &headers, &keys).is_ok());
    let beside = |name: &HeaderName, other: &str| {
        let text = format!("{other}, {}", text(&headers, name));
        (name.clone(), text.parse::<HeaderValue>().unwrap())
    };
    let beside = [
        beside(&SIGNATURE_INPUT, "proxy=(\"@method\");keyid=\"x\""),
        beside(&SIGNATURE, "proxy=:AAAA:"),
        (CONTENT_DIGEST, headers[CONTENT_DIGEST].clone()),
    ];
    let headers: HeaderMap = beside.into_iter().collect();
    assert!(verify_request(&request, &headers, &keys).is_ok());
}

#[test]
fn an_answer_is_bound_to_its_request_its_server_and_its_body() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    let headers = signed(&request, &keys);
    let answer = answered((&request, &headers), "report", &keys[0]);
    let verify = |given: &Answer<'_>, asked: (&Request<'_>, &HeaderMap), keys: &[Key]| {
        verify_answer(given, &answer, asked, keys)
    };
    let right = ok("report");
    assert_eq!(verify(&right, (&request, &headers), &keys), Ok(()));
    // The same request, sent again: another nonce, another signature.
    let mut again = HeaderMap::new();
    sign_request(&request, &mut again, &keys, 1_800_000_000, "nonce-2");
    assert_eq!(
        verify(&right, (&request, &again), &keys),
        Err(Refused::Wrong)
    );
    let other = seal("{\"epoch\":2}");
    assert_eq!(
        verify(&right, (&other, &signed(&other, &keys)), &keys),
        Err(Refused::Wrong)
    );
    let conflict = Answer {
        status: StatusCode::CONFLICT,
        ..right
    };
    assert_eq!(
        verify(&conflict, (&request, &headers), &keys),
        Err(Refused::Wrong)
    );
    let altered = verify(&ok("another"), (&request, &headers), &keys);
    assert_eq!(altered, Err(Refused::Altered));
    // A stranger on a reused address has another key.
    let stranger = answered((&request, &headers), "report", &key(1, "i-2"));
    let refused = verify_answer(&right, &stranger, (&request, &headers), &keys).unwrap_err();
    assert!(matches!(refused, Refused::UnknownKey(..)));
    let unsigned = verify_answer(&right, &HeaderMap::new(), (&request, &headers), &keys);
    assert_eq!(unsigned, Err(Refused::Unsigned));
    // What was asked is no answer to itself.
    let echoed = verify_answer(&right, &headers, (&request, &headers), &keys);
    assert_eq!(echoed, Err(Refused::Unsigned));
}

#[test]
fn a_component_with_a_parameter_that_is_not_understood_is_refused() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    for parameter in ["sf", "req=?0", "tr"] {
        let mut headers = signed(&request, &keys);
        let with = format!("\"@path\";{parameter}");
        let input = text(&headers, &SIGNATURE_INPUT).replace("\"@path\"", &with);
        headers.insert(SIGNATURE_INPUT, input.parse().unwrap());
        let refused = verify_request(&request, &headers, &keys).unwrap_err();
        assert_eq!(refused, Refused::NotCovered("@path"), "{parameter}");
    }
}

#[test]
fn more_text_or_signatures_than_any_signer_sends_are_not_read() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    let headers = signed(&request, &keys);
    let with = |more: &str| {
        let mut headers = headers.clone();
        let input = format!("{}{more}", text(&headers, &SIGNATURE_INPUT));
        headers.insert(SIGNATURE_INPUT, input.parse().unwrap());
        verify_request(&request, &headers, &keys).map(|found| found.created)
    };
    assert_eq!(with(", b=(), c=(), d=()"), Ok(1_800_000_000));
    let malformed = Err(Refused::Malformed("Signature-Input"));
    assert_eq!(with(", b=(), c=(), d=(), e=()"), malformed);
    assert_eq!(
        with(&format!(", b=();x=\"{}\"", "y".repeat(5_000))),
        malformed
    );
}

#[test]
fn a_key_id_from_outside_is_not_repeated() {
    let (keys, request) = ([key(1, "i-1")], seal("{}"));
    let mut headers = signed(&request, &keys);
    let input = text(&headers, &SIGNATURE_INPUT).replace(keys[0].id(), "somebody's text");
    headers.insert(SIGNATURE_INPUT, input.parse().unwrap());
    let refused = verify_request(&request, &headers, &keys).unwrap_err();
    assert!(!refused.to_string().contains("somebody"), "{refused}");
}

proptest! {
    /// Whatever comes in, nothing panics, and nothing is taken.
    #[test]
    fn headers_from_outside_are_refused(input in ".{0,200}", signature in ".{0,200}", digest in ".{0,80}") {
        let (keys, request) = ([key(1, "i-1")], seal("{}"));
        let mut headers = HeaderMap::new();
        for (name, text) in [(SIGNATURE_INPUT, &input), (SIGNATURE, &signature), (CONTENT_DIGEST, &digest)] {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                headers.insert(name, value);
            }
        }
        prop_assert!(verify_request(&request, &headers, &keys).is_err());
        let asked = signed(&request, &keys);
        let answer = verify_answer(&ok("{}"), &headers, (&request, &asked), &keys);
        prop_assert!(answer.is_err());
    }

    /// One byte of a signed message changed: it is refused, or it means the same.
    #[test]
    fn a_changed_byte_is_found(at in 0_usize..500, to in 0x20_u8..0x7f) {
        let (keys, request) = ([key(1, "i-1")], seal("{}"));
        let headers = signed(&request, &keys);
        let mut texts: Vec<Vec<u8>> = [&SIGNATURE_INPUT, &SIGNATURE, &CONTENT_DIGEST]
            .map(|name| headers[name].as_bytes().to_vec())
            .to_vec();
        let mut at = at % texts.iter().map(Vec::len).sum::<usize>();
        for text in &mut texts {
            if at < text.len() {
                text[at] = to;
                break;
            }
            at -= text.len();
        }
        let names = [SIGNATURE_INPUT, SIGNATURE, CONTENT_DIGEST];
        let changed: HeaderMap = names
            .into_iter()
            .zip(texts)
            .map(|(name, text)| (name, HeaderValue::from_bytes(&text).unwrap()))
            .collect();
        if let Ok(found) = verify_request(&request, &changed, &keys) {
            prop_assert_eq!((found.created, found.nonce.as_str()), (1_800_000_000, "nonce-1"));
        }
    }
}
