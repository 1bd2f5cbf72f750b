//! The session endpoint's own rules, and metrics.

use http::StatusCode;
use serde_json::{Value, json};

use super::harness::*;

#[tokio::test]
async fn a_fresh_server_reports_version_1_open_and_empty() {
    let fleet = Fleet::start(1).await;
    let expected = json!({
        "version": 1, "instance": "i-1", "admission": "open", "epoch": 0,
        "busy": 0, "idle": 0, "closed": 0, "oldestBusySeconds": 0,
    });
    assert_eq!(fleet.servers[0].report().await, expected);
}

#[tokio::test]
async fn a_lower_epoch_and_another_instance_are_refused_with_the_report_beside() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    assert_eq!(server.order("resume", 5, json!({})).await.1["epoch"], 5);
    for what in ["drain", "resume", "seal"] {
        let more = json!({ "perSecond": 1, "leaseSeconds": 60 });
        let (status, answer) = server.order(what, 4, more.clone()).await;
        assert_eq!(
            (status, &answer["error"]),
            (StatusCode::CONFLICT, &json!("StaleEpoch")),
            "{what}"
        );
        assert_eq!(
            (&answer["epoch"], &answer["admission"]),
            (&json!(5), &json!("open"))
        );
        let body = json!({ "instance": "i-2", "deployment": "spring", "epoch": 6, "perSecond": 1, "leaseSeconds": 60 });
        let (status, answer) = server
            .private("POST", &format!("/sessions/{what}"), body.to_string())
            .await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            (status, &answer["error"]),
            (StatusCode::CONFLICT, &json!("WrongInstance")),
            "{what}"
        );
        assert_eq!(
            (&answer["epoch"], &answer["version"]),
            (&json!(5), &json!(1))
        );
    }
}

#[tokio::test]
async fn an_ill_formed_order_is_refused_in_json_and_changes_nothing() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let named = r#""instance":"i-1","deployment":"spring","epoch":1"#;
    for (what, body) in [
        ("seal", String::new()),
        ("seal", "{".into()),
        ("seal", r#"{"instance":"i-1","deployment":"spring"}"#.into()),
        (
            "resume",
            r#"{"instance":"i-1","deployment":"spring","epoch":-1}"#.into(),
        ),
        (
            "resume",
            r#"{"instance":"i-1","deployment":"spring","epoch":9007199254740992}"#.into(),
        ),
        ("drain", format!("{{{named}}}")),
        (
            "drain",
            format!(r#"{{{named},"perSecond":0,"leaseSeconds":60}}"#),
        ),
        (
            "drain",
            format!(r#"{{{named},"perSecond":-5,"leaseSeconds":60}}"#),
        ),
        (
            "drain",
            format!(r#"{{{named},"perSecond":5,"leaseSeconds":1.5}}"#),
        ),
        (
            "drain",
            format!(r#"{{{named},"perSecond":5,"leaseSeconds":0}}"#),
        ),
        (
            "drain",
            format!(r#"{{{named},"perSecond":"5","leaseSeconds":60}}"#),
        ),
    ] {
        let (status, answer) = server
            .private("POST", &format!("/sessions/{what}"), body.clone())
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what} {body}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["error"], "InvalidRequest");
    }
    let large = format!(r#"{{{named},"more":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(
        server.private("POST", "/sessions/seal", large).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let report = server.report().await;
    assert_eq!(
        (&report["admission"], &report["epoch"]),
        (&json!("open"), &json!(0))
    );
}

#[tokio::test]
async fn the_age_of_the_oldest_busy_session_is_told() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut tunnel = server.tunnel("a").await;
    let _response = server.spawn_get("/t/a/");
    let _arrived = tunnel.arrival().await;
    server
        .reports(json!({ "busy": 1, "oldestBusySeconds": 1 }))
        .await;
}

#[tokio::test]
async fn metrics_are_on_the_private_port_only() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let _tunnel = server.tunnel("a").await;
    let (status, metrics) = server.private("GET", "/metrics", "").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "tunnel_idle 1",
        "tunnel_busy 0",
        "tunnel_in_use 1",
        "tunnel_admission 0",
        "tunnel_opened_total 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} in {metrics}"
        );
    }
    for path in ["/metrics", "/sessions", "/peers/reserve"] {
        assert_eq!(
            server.get(path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
