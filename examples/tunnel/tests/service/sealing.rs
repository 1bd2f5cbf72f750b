//! The seal: only with nothing in use, for good, over a restart.

use futures_util::StreamExt;
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::*;

#[tokio::test]
async fn an_idle_session_refuses_the_seal_and_a_sealed_server_takes_nothing() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut foreign = server.foreign("a").await;
    server.reports(json!({ "idle": 1 })).await;
    let (status, answer) = server.seal().await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::CONFLICT, &json!("InUse"))
    );
    foreign.close(None).await.unwrap();
    while soon("end", foreign.next()).await.is_some() {}
    server.reports(json!({ "idle": 0 })).await;
    for _ in 0..2 {
        let (status, report) = server.seal().await;
        assert_eq!(
            (status, &report["admission"]),
            (StatusCode::OK, &json!("sealed"))
        );
    }
    let response = server.get("/t/a/").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["connection"], "close");
    assert!(
        tokio_tungstenite::connect_async(format!("ws://{}/tunnel/a", server.public))
            .await
            .is_err()
    );
    assert_eq!(server.get("/health").await.status(), StatusCode::OK);
    let (status, answer) = server.order("resume", 2, json!({})).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::CONFLICT, &json!("Sealed"))
    );
}

#[tokio::test]
async fn a_restarted_server_remembers_its_seal_and_its_epoch() {
    let mut fleet = Fleet::start(1).await;
    assert_eq!(
        fleet.servers[0].order("seal", 7, json!({})).await.0,
        StatusCode::OK
    );
    fleet.servers.clear();
    let again = fleet.launch("i-1", "i-1", TIMING).await.unwrap();
    let report = again.report().await;
    assert_eq!(
        (&report["admission"], &report["epoch"]),
        (&json!("sealed"), &json!(7))
    );
    assert!(
        tokio_tungstenite::connect_async(format!("ws://{}/tunnel/a", again.public))
            .await
            .is_err()
    );
    let (status, answer) = again.order("seal", 6, json!({})).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::CONFLICT, &json!("StaleEpoch"))
    );
}

#[tokio::test]
async fn a_server_does_not_start_on_another_instances_state() {
    let fleet = Fleet::start(1).await;
    assert_eq!(
        fleet.servers[0].order("resume", 1, json!({})).await.0,
        StatusCode::OK
    );
    let error = fleet
        .launch("i-2", "i-1", TIMING)
        .await
        .err()
        .expect("a refusal")
        .to_string();
    assert!(error.contains("i-1") && error.contains("i-2"), "{error}");
}

#[tokio::test]
async fn a_seal_that_cannot_be_written_is_not_acknowledged() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    // A directory in the file's place: everything works up to the rename.
    std::fs::create_dir(fleet.state_directory().join("i-1.json")).unwrap();
    let (status, answer) = server.seal().await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::INTERNAL_SERVER_ERROR, &json!("NotPersisted"))
    );
    assert_ne!(server.report().await["admission"], "sealed");
    std::fs::remove_dir(fleet.state_directory().join("i-1.json")).unwrap();
    assert_eq!(server.seal().await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_its_user_has_not_read_yet_refuses_the_seal() {
    let fleet = Fleet::start(2).await;
    let mut tunnel = fleet.servers[0].tunnel("a").await;
    // Passed on, so that no session of this server counts it.
    let server = &fleet.servers[1];
    let mut user = tokio::net::TcpStream::connect(server.public).await.unwrap();
    user.write_all(b"GET /t/a/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let (send, body) = pieces();
    tunnel.arrival().await.answer(body);
    // More than the sockets take, given out by the application to its end.
    let size = 24 << 20;
    send.send(vec![b'x'; size].into()).unwrap();
    drop(send);
    server.reports(json!({ "busy": 1 })).await;
    assert_eq!(server.seal().await.0, StatusCode::CONFLICT);
    let mut answer = Vec::new();
    soon("whole answer", user.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(answer.len() > size);
    until("seal", || async {
        match server.seal().await {
            (StatusCode::OK, _) => Ok(()),
            (_, refusal) => Err(refusal.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn requests_and_tunnels_that_race_with_seals_are_served_or_refused_never_cut() {
    for _ in 0..20 {
        let fleet = Fleet::start(1).await;
        let server = &fleet.servers[0];
        let url = format!("ws://{}/tunnel/a", server.public);
        let opening = tokio::spawn(tokio_tungstenite::connect_async(url));
        let (sealed, _) = server.seal().await;
        let opened = opening.await.unwrap().is_ok();
        assert_ne!(
            sealed == StatusCode::OK,
            opened,
            "sealed: {sealed}, opened: {opened}"
        );
    }
}
