//! A second tunnel of the same name.

use serde_json::json;

use super::harness::*;

#[tokio::test]
async fn it_takes_new_requests_while_the_first_finishes_its_own_and_leaves_for_good() {
    let fleet = Fleet::start(1).await;
    let server = &fleet.servers[0];
    let mut first = server.tunnel("a").await;
    let earlier = server.spawn_get("/t/a/earlier");
    let arrived = first.arrival().await;
    let mut second = server.tunnel("a").await;
    server.reports(json!({ "busy": 1, "idle": 1 })).await;
    let later = server.spawn_get("/t/a/later");
    second.arrival().await.answer(text("second"));
    assert_eq!(read(later.await.unwrap()).await, "second");
    assert!(first.nothing_arrived());
    arrived.answer(text("first"));
    assert_eq!(read(earlier.await.unwrap()).await, "first");
    assert_eq!(
        u16::from(first.closed().await.code),
        tunnel::close::REPLACED
    );
    soon("end of the first client", &mut first.running)
        .await
        .unwrap();
    server.reports(json!({ "busy": 0, "idle": 1 })).await;
}

#[tokio::test]
async fn it_replaces_one_on_another_server_too() {
    let fleet = Fleet::start(2).await;
    let mut first = fleet.servers[0].tunnel("a").await;
    // The list of peers is read again within a second or so: until then nobody hears of the second tunnel.
    let _probe = fleet.servers[0].tunnel("probe").await;
    assert_eq!(
        read(
            fleet.servers[1]
                .send("POST", "/t/probe/echo", text("known"))
                .await
        )
        .await,
        "known"
    );
    let mut second = fleet.servers[1].tunnel("a").await;
    assert_eq!(
        u16::from(first.closed().await.code),
        tunnel::close::REPLACED
    );
    let response = fleet.servers[0].spawn_get("/t/a/");
    second.arrival().await.answer(text("second"));
    assert_eq!(read(response.await.unwrap()).await, "second");
}

#[tokio::test]
async fn one_whose_client_says_nothing_replaces_none_on_another_server() {
    let fleet = Fleet::start(2).await;
    let (here, there) = (&fleet.servers[0], &fleet.servers[1]);
    let mut live = here.tunnel("a").await;
    let mut moving = here.tunnel("moving").await;
    // Until then the servers do not know each other.
    let response = there.send("POST", "/t/a/echo", text("known")).await;
    assert_eq!(read(response).await, "known");
    // As a handshake that its client gave up: nobody reads or answers there.
    let _abandoned = there.foreign("a").await;
    let _moved = there.tunnel("moving").await;
    // Notices come in order, so one about the abandoned tunnel would have come by now.
    assert_eq!(
        u16::from(moving.closed().await.code),
        tunnel::close::REPLACED
    );
    let response = here.spawn_get("/t/a/");
    live.arrival().await.answer(text("live"));
    assert_eq!(read(response.await.unwrap()).await, "live");
}
