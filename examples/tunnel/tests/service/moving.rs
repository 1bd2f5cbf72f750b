//! Many tunnels at work while they move from server to server, there and back: what users and clients see.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Response, StatusCode};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tunnel::client::Event;

use super::harness::*;

const TUNNELS: usize = 30;

/// A load balancer for connections: new ones go to whoever is current.
pub(crate) async fn balance(
    current: watch::Receiver<SocketAddr>,
) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let server = *current.borrow();
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(server).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    (address, AbortOnDropHandle::new(accepting))
}

/// Answers requests after a while of their own; fails the test if a connection ends with a request in flight.
async fn application(n: usize, mut tunnel: Tunnel, places: Places) {
    loop {
        tokio::select! {
            arrived = tunnel.arrivals.recv() => {
                let Some(arrived) = arrived else { return };
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(rand::random_range(0..150))).await;
                    let path = arrived.path().to_owned();
                    // The user never hangs up in this test, so somebody waits.
                    arrived.answer.send(Response::new(text(path))).expect("somebody waits for the answer");
                });
            }
            event = tunnel.events.recv() => match event {
                Some(Event::Closed { in_flight, .. } | Event::Lost { in_flight, .. }) => assert_eq!(in_flight, 0),
                Some(Event::Connected { server }) => places.lock().unwrap()[n] = server,
                Some(_) => {}
                None => return,
            },
        }
    }
}

/// A user of one tunnel: requests and pauses, some longer than the idle time.
async fn work(n: usize, balancer: SocketAddr, done: Arc<AtomicUsize>, stop: CancellationToken) {
    for round in 0.. {
        if stop.is_cancelled() {
            return;
        }
        let asked = request(
            "GET",
            format!("http://{balancer}/t/t{n}/{n}/{round}"),
            text(""),
        );
        let response = soon("response", user().request(asked))
            .await
            .expect("a response");
        let status = response.status();
        let answer = read(response).await;
        assert_eq!(
            (status, answer.as_str()),
            (StatusCode::OK, format!("/{n}/{round}").as_str())
        );
        done.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..400))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_and_no_busy_session_is_closed() {
    let fleet = Fleet::timed(
        2,
        Timing {
            idle_after: Duration::from_millis(100),
            ..TIMING
        },
    )
    .await;
    let (switch, current) = watch::channel(fleet.servers[0].public);
    let (balancer, _accepting) = balance(current).await;
    let (stop, done) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let places = Arc::new(Mutex::new(vec![String::new(); TUNNELS]));
    let (mut applications, mut users) = (JoinSet::new(), JoinSet::new());
    for n in 0..TUNNELS {
        let tunnel = Tunnel::start(balancer, &format!("t{n}"));
        applications.spawn(application(n, tunnel, places.clone()));
        users.spawn(work(n, balancer, done.clone(), stop.clone()));
    }
    let mut epoch = 0;
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        let (from, to) = (&fleet.servers[from], &fleet.servers[to]);
        epoch += 1;
        until("all tunnels", || all_on(&places, from)).await;
        let before = done.load(Ordering::SeqCst);
        assert_eq!(to.order("resume", epoch, json!({})).await.0, StatusCode::OK);
        switch.send_replace(to.public);
        let order = json!({ "perSecond": 200, "leaseSeconds": 60 });
        assert_eq!(from.order("drain", epoch, order).await.0, StatusCode::OK);
        from.reports(json!({ "busy": 0, "idle": 0, "closed": TUNNELS }))
            .await;
        until("all tunnels", || all_on(&places, to)).await;
        assert!(done.load(Ordering::SeqCst) > before);
    }
    assert_eq!(
        fleet.servers[0].order("seal", epoch, json!({})).await.0,
        StatusCode::OK
    );
    stop.cancel();
    while let Some(ended) = users.join_next().await {
        ended.expect("no failed request");
    }
    assert!(
        applications.try_join_next().is_none(),
        "no cut session, and no client that gave up"
    );
}

/// Where each tunnel's client is connected, as it was told.
type Places = Arc<Mutex<Vec<String>>>;

async fn all_on(places: &Places, server: &Running) -> Result<(), String> {
    let places = places.lock().unwrap();
    if places.iter().all(|place| *place == server.instance) {
        Ok(())
    } else {
        Err(format!("{places:?}"))
    }
}
