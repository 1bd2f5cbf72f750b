//! A load balancer that is late: it still sends users and clients to a server that drains, while tunnels move.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tunnel::client::Event;

use super::harness::*;
use super::moving::balance;

const TUNNELS: usize = 20;

/// A user with a connection that is kept: requests with a body one after another, each to be sent back.
async fn work(n: usize, balancer: SocketAddr, done: Arc<AtomicUsize>, stop: CancellationToken) {
    let user = user();
    let mut round = 0;
    while !stop.is_cancelled() {
        let body = format!("{n} {round} ").repeat(1 + round % 500);
        let url = format!("http://{balancer}/t/t{n}/echo/{round}");
        let asked = user.request(request("POST", url, text(body.clone())));
        let response = soon("response", asked).await.expect("a response");
        let status = response.status();
        let answer = read(response).await;
        assert_eq!((status, answer), (StatusCode::OK, body));
        done.fetch_add(1, Ordering::SeqCst);
        // Sometimes longer than the idle time, else no tunnel moves.
        let pause = if round % 20 == 0 { 300 } else { 20 };
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..pause))).await;
        round += 1;
    }
}

/// Counts the refusals that a client sees; fails the test if a tunnel ends with a request in flight.
async fn client(mut tunnel: Tunnel, refused: watch::Sender<usize>, server: watch::Sender<String>) {
    while let Some(event) = tunnel.events.recv().await {
        match event {
            Event::Closed { in_flight, .. } => assert_eq!(in_flight, 0),
            Event::Lost { error, in_flight } => {
                assert!(in_flight == 0 && error.contains("503"), "{error}");
                refused.send_modify(|refused| *refused += 1);
            }
            Event::Connected { server: at } => drop(server.send_replace(at)),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_its_tunnel_is_refused_by_the_server_that_drains() {
    let timing = Timing {
        idle_after: Duration::from_millis(100),
        ..TIMING
    };
    let fleet = Fleet::timed(2, timing).await;
    let (blue, green) = (&fleet.servers[0], &fleet.servers[1]);
    let (switch, current) = watch::channel(blue.public);
    let (balancer, _accepting) = balance(current).await;
    let (stop, done) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let (mut users, mut clients, mut seen) = (JoinSet::new(), JoinSet::new(), Vec::new());
    for n in 0..TUNNELS {
        let mut tunnel = Tunnel::start(balancer, &format!("t{n}"));
        tunnel.connected().await;
        let (refused, refusals) = watch::channel(0);
        let (server, place) = watch::channel(blue.instance.clone());
        clients.spawn(client(tunnel, refused, server));
        users.spawn(work(n, balancer, done.clone(), stop.clone()));
        seen.push((refusals, place));
    }
    // Blue drains, and the load balancer has not learned of it: every client is refused, some again and again.
    until("three refusals of every client", async || {
        blue.drain(100.0, 60).await;
        let refusals: Vec<usize> = seen
            .iter()
            .map(|(refusals, _)| *refusals.borrow())
            .collect();
        match refusals.iter().all(|refusals| *refusals >= 3) {
            true => Ok(()),
            false => Err(format!("{refusals:?}")),
        }
    })
    .await;
    blue.reports(json!({ "idle": 0, "closed": TUNNELS })).await;
    switch.send_replace(green.public);
    for (_, place) in &mut seen {
        let moved = place.wait_for(|at| *at == green.instance);
        soon("tunnel on green", moved).await.expect("a client");
    }
    // Whoever waited is answered, and every user goes on.
    let before = done.load(Ordering::SeqCst);
    until("more requests", || async {
        match done.load(Ordering::SeqCst) - before {
            some if some > TUNNELS * 2 => Ok(()),
            few => Err(few.to_string()),
        }
    })
    .await;
    stop.cancel();
    while let Some(ended) = users.join_next().await {
        ended.expect("no failed request");
    }
    assert!(clients.try_join_next().is_none(), "no session was cut");
}

#[tokio::test]
async fn a_connection_that_is_kept_loses_no_request_to_the_drain_and_ends_with_the_seal() {
    let fleet = Fleet::start(2).await;
    let (blue, green) = (&fleet.servers[0], &fleet.servers[1]);
    let _tunnel = green.tunnel("a").await;
    let mut at_work = TcpStream::connect(blue.public).await.unwrap();
    let mut idle = TcpStream::connect(blue.public).await.unwrap();
    let kept = "HTTP/1.1 200 OK\r\n";
    for user in [&mut at_work, &mut idle] {
        let answer = ask(user, "/health").await;
        assert!(
            answer.starts_with(kept) && !answer.contains("close"),
            "{answer}"
        );
    }
    // Asked in the moment in which the order arrives, or after it: the answer says that this connection ends.
    blue.drain(1.0, 60).await;
    let answer = ask(&mut at_work, "/t/a/echo").await;
    assert!(answer.starts_with(kept), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    // And one on which nothing is asked ends before the instance does.
    blue.reports(json!({ "busy": 0, "idle": 0 })).await;
    assert_eq!(blue.seal().await.0, StatusCode::OK);
    assert_eq!(soon("end", idle.read(&mut [0; 1])).await.unwrap(), 0);
}

/// Asks on this connection; the head of the answer.
async fn ask(user: &mut TcpStream, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    user.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = soon("answer", user.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}
