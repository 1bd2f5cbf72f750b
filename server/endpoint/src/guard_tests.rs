//! A server behind a guard: who is answered, and who is not.

use std::cell::Cell;

use axum::http::{HeaderValue, Method};
use ebbtide_signature::{Master, verify_answer};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower_service::Service as _;

use super::*;
use crate::sessions::tests::AllIdle;

/// Now, and a minute after the server's start.
const NOW: u64 = 1_800_000_000;

thread_local! {
    /// The clock of this thread's test.
    static CLOCK: Cell<u64> = const { Cell::new(NOW) };
}

fn guard(file: &Path, unsigned: Unsigned, started: u64) -> Guard {
    CLOCK.set(started);
    let guard = Guard::at(file.to_owned(), unsigned, || CLOCK.get()).unwrap();
    CLOCK.set(NOW);
    guard
}
const HOST: &str = "10.0.0.4:7070";

fn key(master: u8, instance: &str) -> Key {
    let text = format!("a master of more than thirty-two characters, {master}");
    Master::new(&text.into()).unwrap().key_of(instance)
}

fn write(file: &Path, keys: &[Key]) {
    let lines: Vec<_> = keys.iter().map(Key::write).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.expose_secret()).collect();
    std::fs::write(file, lines.join("\n")).unwrap();
}

struct Server {
    router: Router,
    endpoint: Endpoint,
    directory: tempfile::TempDir,
}

impl Server {
    fn start(unsigned: Unsigned) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys");
        write(&file, &[key(1, "i-1")]);
        let sessions = Arc::new(AllIdle(vec![].into()));
        let state = directory.path().join("state.json");
        let endpoint = Endpoint::start("i-1", state, sessions).unwrap();
        let guard = guard(&file, unsigned, NOW - 60);
        Self {
            router: endpoint.signed_router(guard),
            endpoint,
            directory,
        }
    }

    async fn call(&mut self, call: &Sent) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = Received::builder().method(&call.method).uri(&call.path);
        *request.headers_mut().unwrap() = call.headers.clone();
        let request = request.body(Body::from(call.body.clone())).unwrap();
        let answer = self.router.call(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.status, head.headers, body)
    }

    /// What it says of a call that it refuses; such an answer is not signed.
    async fn refused(&mut self, call: &Sent) -> String {
        let (status, headers, body) = self.call(call).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(!headers.contains_key("signature"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"], "NotSigned");
        body["message"].as_str().unwrap().to_owned()
    }
}

/// A call as it was sent.
#[derive(Clone)]
struct Sent {
    method: Method,
    path: String,
    body: String,
    headers: HeaderMap,
}

impl Sent {
    fn unsigned(method: Method, path: &str, body: String) -> Self {
        let headers = [(header::HOST, HeaderValue::from_static(HOST))];
        Self {
            method,
            path: path.to_owned(),
            body,
            headers: headers.into_iter().collect(),
        }
    }

    fn read() -> Self {
        Self::unsigned(Method::GET, "/sessions", String::new())
    }

    fn seal() -> Self {
        let order = json!({"instance": "i-1", "deployment": "spring", "epoch": 7});
        Self::unsigned(Method::POST, "/sessions/seal", order.to_string())
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            authority: HOST,
            path: &self.path,
            body: self.body.as_bytes(),
        }
    }

    fn signed(&self, keys: &[Key], created: u64, nonce: &str) -> Self {
        let mut headers = self.headers.clone();
        ebbtide_signature::sign_request(&self.request(), &mut headers, keys, created, nonce);
        Self {
            headers,
            ..self.clone()
        }
    }

    fn by(&self, key: Key) -> Self {
        self.signed(&[key], NOW + 1, "nonce")
    }
}

#[tokio::test]
async fn who_has_the_key_is_answered_and_every_answer_is_signed() {
    let mut server = Server::start(Unsigned::Refused);
    let place = server.endpoint.enter_session().unwrap();
    let wrong_method = Sent::unsigned(Method::GET, "/sessions/seal", String::new());
    let ill_formed = Sent::unsigned(Method::POST, "/sessions/seal", "{".to_owned());
    let calls = [
        (Sent::read(), StatusCode::OK),
        (Sent::seal(), StatusCode::CONFLICT),
        (wrong_method, StatusCode::METHOD_NOT_ALLOWED),
        (ill_formed, StatusCode::BAD_REQUEST),
    ];
    for (number, (call, expected)) in calls.into_iter().enumerate() {
        let call = call.signed(&[key(1, "i-1")], NOW + 1, &format!("nonce-{number}"));
        let (status, headers, body) = server.call(&call).await;
        assert_eq!(status, expected);
        let answer = Answer {
            status,
            body: &body,
        };
        let asked = (&call.request(), &call.headers);
        let verified = verify_answer(&answer, &headers, asked, &[key(1, "i-1")]);
        assert_eq!(verified, Ok(()), "{} {}", call.method, call.path);
        let stranger = verify_answer(&answer, &headers, asked, &[key(1, "i-2")]);
        assert!(stranger.is_err());
    }
    drop(place);
}

#[tokio::test]
async fn who_has_not_is_refused_and_changes_nothing() {
    let mut server = Server::start(Unsigned::Refused);
    let said = server.refused(&Sent::seal()).await;
    assert_eq!(said, "the call is refused: it is not signed");
    for stranger in [key(2, "i-1"), key(1, "i-2")] {
        let known = key(1, "i-1");
        let said = server.refused(&Sent::seal().by(stranger)).await;
        let expected = format!("and known is {}", known.id());
        assert!(said.ends_with(&expected), "{said}");
        assert!(!said.contains(known.write().expose_secret()));
    }
    let mut altered = Sent::seal().by(key(1, "i-1"));
    altered.body = altered.body.replace('7', "8");
    let said = server.refused(&altered).await;
    assert!(said.ends_with("its body is not the one that was signed"));
    let mut elsewhere = Sent::seal().by(key(1, "i-1"));
    elsewhere.path = "/sessions/resume".to_owned();
    let said = server.refused(&elsewhere).await;
    assert!(said.ends_with("its signature is wrong"), "{said}");
    let report = server.endpoint.report();
    assert_eq!((report.admission, report.epoch), ("open", 0));
}

#[tokio::test]
async fn a_call_is_taken_once_and_not_from_before_the_start_or_far_from_now() {
    let mut server = Server::start(Unsigned::Refused);
    let keys = || [key(1, "i-1")];
    let once = Sent::seal().signed(&keys(), NOW + 1, "nonce");
    assert_eq!(server.call(&once).await.0, StatusCode::OK);
    let said = server.refused(&once).await;
    assert!(said.ends_with("it was taken before"), "{said}");
    for (created, away) in [(NOW - 31, "-31 s"), (NOW + 3, "3 s")] {
        let said = server
            .refused(&Sent::read().signed(&keys(), created, "n"))
            .await;
        assert!(said.contains(away), "{said}");
    }
    // A restart forgets what was taken, so it takes nothing of before.
    let file = server.directory.path().join("keys");
    let restarted = guard(&file, Unsigned::Refused, NOW - 1);
    server.router = server.endpoint.signed_router(restarted);
    let said = server.refused(&once).await;
    assert!(said.contains("before this server started"), "{said}");
}

#[tokio::test]
async fn a_key_that_came_with_a_rotation_is_read_from_the_file() {
    let mut server = Server::start(Unsigned::Refused);
    let rotated = |nonce: &str| Sent::read().signed(&[key(2, "i-1")], NOW + 1, nonce);
    let said = server.refused(&rotated("a")).await;
    assert!(said.contains("it is signed with"), "{said}");
    // A file that cannot be read changes nothing.
    let file = server.directory.path().join("keys");
    let later = |seconds| SystemTime::now() + std::time::Duration::from_secs(seconds);
    std::fs::write(&file, "no key").unwrap();
    let set = |time| {
        std::fs::File::open(&file)
            .unwrap()
            .set_modified(time)
            .unwrap()
    };
    set(later(1));
    server.refused(&rotated("b")).await;
    let former = Sent::read().by(key(1, "i-1"));
    assert_eq!(server.call(&former).await.0, StatusCode::OK);
    write(&file, &[key(2, "i-1"), key(1, "i-1")]);
    set(later(2));
    assert_eq!(server.call(&rotated("c")).await.0, StatusCode::OK);
    // Each is answered with the key that it was signed with.
    for (number, known) in [key(1, "i-1"), key(2, "i-1")].into_iter().enumerate() {
        let keys = [known];
        let call = Sent::read().signed(&keys, NOW + 1, &format!("of-{number}"));
        let (status, headers, body) = server.call(&call).await;
        let answer = Answer {
            status,
            body: &body,
        };
        let asked = (&call.request(), &call.headers);
        assert_eq!(verify_answer(&answer, &headers, asked, &keys), Ok(()));
    }
    // Signed with both, by functions that know both masters: taken as one.
    let both = Sent::read().signed(&[key(2, "i-1"), key(1, "i-1")], NOW + 1, "d");
    assert_eq!(server.call(&both).await.0, StatusCode::OK);
    assert!(server.refused(&both).await.ends_with("it was taken before"));
}

#[tokio::test]
async fn unsigned_calls_are_taken_where_that_was_chosen_and_wrong_ones_are_not() {
    let mut server = Server::start(Unsigned::Taken);
    let (status, headers, _) = server.call(&Sent::read()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!headers.contains_key("signature"));
    let (status, headers, _) = server.call(&Sent::seal().by(key(1, "i-1"))).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers.contains_key("signature"));
    server.refused(&Sent::seal().by(key(2, "i-1"))).await;
}

#[tokio::test]
async fn the_path_that_counts_is_the_one_that_was_called() {
    let mut server = Server::start(Unsigned::Refused);
    server.router = Router::new().nest("/private", server.router);
    let mut call = Sent::read();
    call.path = "/private/sessions".to_owned();
    let call = call.by(key(1, "i-1"));
    assert_eq!(server.call(&call).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_unread() {
    let mut server = Server::start(Unsigned::Taken);
    let large = " ".repeat(LARGEST_BODY + 1);
    let call = Sent::unsigned(Method::POST, "/sessions/seal", large);
    assert_eq!(server.call(&call).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn the_clock_that_ships_goes() {
    // 2024, in seconds since 1970.
    assert!(now() > 1_704_067_200);
}

#[test]
fn a_file_without_keys_is_refused_and_its_text_is_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    let start = || Guard::of_file(&file, Unsigned::Refused).unwrap_err();
    assert!(matches!(start(), NoKeys::Unreadable { .. }));
    let many = vec![key(1, "i-1").write().expose_secret().to_owned(); 5].join("\n");
    for text in ["", "a secret that was pasted in", &many] {
        std::fs::write(&file, text).unwrap();
        let refused = start();
        assert!(matches!(refused, NoKeys::Malformed(_)));
        assert!(!refused.to_string().contains("pasted"));
    }
}
