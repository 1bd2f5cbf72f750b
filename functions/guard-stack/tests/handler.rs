//! guard-stack against a record in memory, and a CloudFormation that listens at the URL which it gives.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use ebbtide_aws::fake::{Fake, Fault, LISTENER, arn};
use ebbtide_rules::record::Record;
use guard_stack::handle;
use serde_json::{Value, json};

/// What CloudFormation was told, and how often it answers 500 before it listens.
#[derive(Clone, Default)]
struct Told {
    answers: Arc<Mutex<Vec<Value>>>,
    deaf: Arc<Mutex<usize>>,
}

async fn listen(State(told): State<Told>, headers: HeaderMap, body: String) -> StatusCode {
    let mut deaf = told.deaf.lock().unwrap();
    if *deaf > 0 {
        *deaf -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    // A presigned URL is for a request without one.
    assert_eq!(headers.get("content-type"), None);
    told.answers
        .lock()
        .unwrap()
        .push(serde_json::from_str(&body).unwrap());
    StatusCode::OK
}

async fn cloud_formation(told: Told) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/answer", put(listen)).with_state(told);
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/answer?signature=secret")
}

fn settings(service: &str, letters: &[&str]) -> Value {
    let groups: Vec<String> = letters.iter().map(|it| arn(it)).collect();
    json!({
        "ServiceToken": "arn:token", "ServiceTimeout": "180", "Guards": "settings", "ServiceName": service,
        "ListenerArn": LISTENER, "TargetGroupArns": groups.join(","),
    })
}

fn event(kind: &str, resource: &str, properties: &Value) -> Value {
    json!({
        "RequestType": kind, "RequestId": "request", "StackId": "stack", "ResourceType": format!("Custom::{resource}"),
        "LogicalResourceId": resource, "PhysicalResourceId": "it", "ResourceProperties": properties,
    })
}

fn update(was: &Value, is: &Value) -> Value {
    let mut event = event("Update", "SettingsGuard", is);
    event["OldResourceProperties"] = was.clone();
    event
}

fn deletion() -> Value {
    let properties = json!({"Guards": "deletion", "ServiceName": "tunnel", "Before": []});
    event("Delete", "DeletionGuard", &properties)
}

/// What CloudFormation hears of this event.
async fn answer(fake: &Fake, event: Value) -> Value {
    heard(fake, event, Told::default()).await.unwrap()
}

async fn heard(fake: &Fake, mut event: Value, told: Told) -> Result<Value, String> {
    event["ResponseURL"] = json!(cloud_formation(told.clone()).await);
    let request = serde_json::from_value(event).unwrap();
    let handled = Box::pin(handle(&fake.table(), request)).await;
    handled.map_err(|failed| failed.to_string())?;
    let answers = told.answers.lock().unwrap();
    assert_eq!(answers.len(), 1);
    Ok(answers[0].clone())
}

fn free() -> Fake {
    let fake = Fake::new();
    fake.world().record = Some(Record::default());
    fake
}

#[tokio::test]
async fn what_comes_is_welcome_whatever_the_record_says() {
    let fake = Fake::new();
    fake.fail("GetItem", Fault::Unreachable);
    let mut created = event("Create", "SettingsGuard", &settings("tunnel", &["a", "b"]));
    created
        .as_object_mut()
        .unwrap()
        .remove("PhysicalResourceId");
    let told = answer(&fake, created).await;
    let expected = json!({
        "Status": "SUCCESS", "Reason": null, "PhysicalResourceId": "SettingsGuard", "StackId": "stack",
        "RequestId": "request", "LogicalResourceId": "SettingsGuard",
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_setting_that_a_deployment_needs_is_not_taken_away() {
    let was = settings("tunnel", &["a", "b", "c"]);
    let is = settings("tunnel", &["a", "c"]);
    let told = answer(&Fake::new(), update(&was, &is)).await;
    assert_eq!(
        (&told["Status"], &told["PhysicalResourceId"]),
        (&json!("FAILED"), &json!("it"))
    );
    let reason = told["Reason"].as_str().unwrap();
    assert!(
        reason.contains("deployment deploy-1 holds the front"),
        "{reason}"
    );
    assert!(reason.contains("takes away: tunnel-b"), "{reason}");
    assert_eq!(
        answer(&free(), update(&was, &is)).await["Status"],
        "SUCCESS"
    );
    let back = answer(&Fake::new(), update(&is, &was)).await;
    assert_eq!(
        back["Status"], "SUCCESS",
        "CloudFormation rolls back what was refused"
    );
}

#[tokio::test]
async fn another_name_asks_about_the_record_of_before() {
    let (was, is) = (
        settings("tunnel", &["a", "b"]),
        settings("chat", &["a", "b"]),
    );
    let told = answer(&Fake::new(), update(&was, &is)).await;
    assert!(
        told["Reason"]
            .as_str()
            .unwrap()
            .contains("keep ServiceName tunnel"),
        "{told}"
    );
}

#[tokio::test]
async fn a_stack_with_work_left_is_not_deleted_and_one_without_is() {
    let told = answer(&Fake::new(), deletion()).await;
    assert_eq!(told["Status"], "FAILED");
    assert!(
        told["Reason"]
            .as_str()
            .unwrap()
            .contains("then delete the stack again"),
        "{told}"
    );
    assert_eq!(answer(&free(), deletion()).await["Status"], "SUCCESS");
    let fake = Fake::new();
    fake.world().retires("a");
    assert_eq!(answer(&fake, deletion()).await["Status"], "FAILED");
}

#[tokio::test]
async fn each_guard_minds_its_own() {
    let fake = Fake::new();
    let settings = settings("tunnel", &["a", "b"]);
    let gone = event("Delete", "SettingsGuard", &settings);
    assert_eq!(answer(&fake, gone).await["Status"], "SUCCESS");
    let mut changed = event("Update", "DeletionGuard", &deletion()["ResourceProperties"]);
    changed["OldResourceProperties"] = json!({"Guards": "deletion", "ServiceName": "chat"});
    assert_eq!(answer(&fake, changed).await["Status"], "SUCCESS");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_refuses() {
    for fault in [Fault::Refused("AccessDeniedException"), Fault::Unreachable] {
        let fake = free();
        fake.fail("GetItem", fault);
        let told = answer(&fake, deletion()).await;
        assert_eq!(told["Status"], "FAILED");
        assert!(
            told["Reason"]
                .as_str()
                .unwrap()
                .contains("could not be read"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn cloud_formation_is_told_again_where_it_did_not_hear() {
    let told = Told::default();
    *told.deaf.lock().unwrap() = 2;
    assert_eq!(
        heard(&free(), deletion(), told).await.unwrap()["Status"],
        "SUCCESS"
    );
    let told = Told::default();
    *told.deaf.lock().unwrap() = 9;
    let failed = heard(&free(), deletion(), told).await.unwrap_err();
    assert!(
        failed.contains("status 500") && !failed.contains("secret"),
        "{failed}"
    );
}
