//! Whatever is posted to the session endpoint: an answer that says what is so, no panic, and nothing taken back.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use serde_json::Value;
use tower_service::Service;

use super::*;
use crate::sessions::tests::AllIdle;

/// JSON values that an order's field may have, most of them wrong.
fn value() -> impl Strategy<Value = String> {
    let odd = [
        "null",
        "true",
        "\"\"",
        "\"i-1\"",
        "\"i-2\"",
        "[]",
        "{}",
        "-1",
        "0",
        "1",
        "1.5",
        "60",
        "86400",
        "86401",
        "1e-320",
        "1e-7",
        "1e308",
        "1e400",
        "-0.0",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551616",
    ];
    prop_oneof![
        select(odd.map(str::to_owned).to_vec()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no other", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
    ]
}

/// An order, right but for one field in some cases.
fn order() -> impl Strategy<Value = String> {
    let epoch = prop_oneof![3 => (0u64..4).prop_map(|epoch| epoch.to_string()), 1 => value()];
    let pace = prop_oneof![
        Just("5".to_owned()),
        any::<f64>().prop_map(|pace| format!("{:e}", pace.abs())),
        value()
    ];
    let lease = prop_oneof![3 => (1u64..=86_400).prop_map(|lease| lease.to_string()), 1 => value()];
    let instance = prop_oneof![4 => Just("\"i-1\"".to_owned()), 1 => value()];
    (instance, epoch, pace, lease).prop_map(|(instance, epoch, pace, lease)| {
        format!(
            r#"{{"instance":{instance},"deployment":"spring","epoch":{epoch},"perSecond":{pace},"leaseSeconds":{lease}}}"#
        )
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let cut = (order(), any::<prop::sample::Index>())
        .prop_map(|(order, at)| order[..at.index(order.len())].to_owned());
    let large = Just(" ".repeat(LARGEST_BODY + 1));
    prop_oneof![
        12 => order().prop_map(String::into_bytes),
        2 => value().prop_map(String::into_bytes),
        2 => cut.prop_map(String::into_bytes),
        2 => noise,
        1 => large.prop_map(String::into_bytes),
    ]
}

/// What a server may never take back.
#[derive(Debug, Default, PartialEq, PartialOrd)]
struct Promised {
    sealed: bool,
    epoch: u64,
}

async fn post(router: &mut Router, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let request = axum::http::Request::post(path)
        .body(Body::from(body))
        .unwrap();
    let response = router
        .call(request)
        .await
        .unwrap_or_else(|never| match never {});
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn tell(posts: Vec<(&'static str, Vec<u8>)>, in_use: bool) {
    let directory = tempfile::tempdir().unwrap();
    let sessions = Arc::new(AllIdle(vec![1, 2, 3].into()));
    let state = directory.path().join("state.json");
    let endpoint = Endpoint::start("i-1", state, sessions).unwrap();
    let place = in_use.then(|| endpoint.enter_request().unwrap());
    let mut router = endpoint.router();
    let mut promised = Promised::default();
    for (path, body) in posts {
        let (status, answer) = post(&mut router, path, body).await;
        tokio::task::yield_now().await;
        let problem = answer["error"].as_str().map(str::to_owned);
        match status.as_u16() {
            200 => assert_eq!(problem, None),
            400 | 409 | 413 => assert!(problem.is_some(), "{answer}"),
            other => panic!("{other}: {answer}"),
        }
        let report = endpoint.report();
        let now = Promised {
            sealed: report.admission == "sealed",
            epoch: report.epoch,
        };
        assert!(
            now.sealed >= promised.sealed && now.epoch >= promised.epoch,
            "{promised:?}, then {now:?}"
        );
        assert!(!(now.sealed && in_use), "sealed with a request in use");
        assert_eq!(endpoint.state().in_use, u64::from(in_use));
        promised = now;
    }
    drop(place);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_post_brings_the_server_down_or_takes_a_promise_back(
        posts in prop::collection::vec((select(vec!["/sessions/drain", "/sessions/resume", "/sessions/seal"]), body()), 1..10),
        in_use: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tell(posts, in_use));
    }
}
