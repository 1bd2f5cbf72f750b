//! Names, paths and headers of a forwarded request, and when its work ends.

use http_body_util::Empty;

use super::super::parts;
use super::*;

#[test]
fn the_name_ends_at_the_first_slash() {
    assert_eq!(split("a/b/c"), ("a", "/b/c"));
    assert_eq!(split("a/"), ("a", "/"));
    assert_eq!(split("a"), ("a", "/"));
    assert_eq!(split("a//b%2Fc"), ("a", "//b%2Fc"));
}

#[test]
fn names_need_no_escaping() {
    assert!(valid("Tunnel-1.a_b~"));
    for name in ["", "a b", "a%20", "ä", &"x".repeat(129)] {
        assert!(!valid(name), "{name}");
    }
}

#[test]
fn the_application_sees_its_own_path_and_the_users_host() {
    let request = Request::get("/t/a/x//y?q=%20")
        .header("host", "example.org:8080")
        .header("upgrade", "h2c");
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    let request = with_authority(onward(request, "/x//y").unwrap());
    assert_eq!(
        request.uri().to_string(),
        "http://example.org:8080/x//y?q=%20"
    );
    assert!(request.headers().is_empty());
}

#[tokio::test]
async fn an_error_counts_until_it_has_left() {
    let directory = tempfile::tempdir().unwrap();
    let shared = parts(directory.path(), Duration::ZERO);
    let place = shared.endpoint.enter_request().unwrap();
    let work = Work {
        in_flight: None,
        carried: None,
        _place: place,
    };
    let request = Request::new(outgoing(Empty::<bytes::Bytes>::new()));
    let request = Again::new(request, &shared.kept);
    let outbox = Outbox::default();
    let response = send(&shared, "nobody", request, work, outbox.clone()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let in_use = || shared.endpoint.state().in_use;
    assert_eq!(in_use(), 1);
    // hyper has taken the whole answer, and not yet flushed it.
    drop(response);
    assert_eq!(in_use(), 1);
    outbox.clear();
    assert_eq!(in_use(), 0);
}
