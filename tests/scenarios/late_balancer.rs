//! A load balancer that still sends users and clients to blue while blue drains.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ebbtide_local_cloud::options::Options;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tunnel::client::{self, Event};

use crate::scene::Scene;
use crate::sessions::Seen;

/// The load balancer follows so long after blue began to drain, by the test's word: a lag from the switch on would be over
/// before the drain begins where the machine is busy.
const LATE: Duration = Duration::from_secs(5);
const NEVER: Duration = Duration::from_secs(3600);
const TUNNELS: usize = 12;

/// A customer: our client, with an application that sends back what it gets.
struct Customer {
    name: String,
    server: watch::Receiver<Option<String>>,
    refused: Arc<AtomicUsize>,
    cut: Arc<AtomicUsize>,
    _stop: DropGuard,
}

impl Customer {
    async fn open(listener: &str, name: String) -> Self {
        let stop = CancellationToken::new();
        let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
        let options = client::Options {
            url: format!("{}/tunnel/{name}", listener.replacen("http", "ws", 1)),
            ..client::Options::default()
        };
        let echo = |request: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        };
        tokio::spawn(client::run(options, service_fn(echo), told, stop.clone()));
        let (at, mut server) = watch::channel(None);
        let (refused, cut) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (refusals, cuts) = (refused.clone(), cut.clone());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    Event::Connected { server } => drop(at.send_replace(Some(server))),
                    Event::Lost { in_flight, .. } => {
                        refusals.fetch_add(1, Ordering::SeqCst);
                        cuts.fetch_add(in_flight, Ordering::SeqCst);
                    }
                    Event::Closed { in_flight, .. } => {
                        cuts.fetch_add(in_flight, Ordering::SeqCst);
                    }
                    _ => {}
                }
            }
        });
        let open = server.wait_for(Option::is_some);
        let open = tokio::time::timeout(crate::scene::LIMIT, open).await;
        open.expect("it opens in time").expect("the client runs");
        Self {
            name,
            server,
            refused,
            cut,
            _stop: stop.drop_guard(),
        }
    }
}

/// A user of a tunnel: sends bodies through it one after another, until it is over; how many, and what failed.
fn user(listener: &str, tunnel: &str, over: CancellationToken) -> JoinHandle<(usize, Vec<String>)> {
    let url = format!("{listener}/t/{tunnel}/");
    tokio::spawn(async move {
        let (mut sent, mut failed) = (0, Vec::new());
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.expect("a client");
        while !over.is_cancelled() {
            let body = format!("{sent} ").repeat(1 + sent * 617 % 20_000);
            let answer = client.post(&url).body(body.clone()).send().await;
            match answer {
                Ok(answer) if answer.status() == 200 => match answer.text().await {
                    Ok(echoed) if echoed == body => {}
                    other => failed.push(format!("{sent}: another body, {:?}", other.err())),
                },
                Ok(answer) => {
                    let status = answer.status();
                    failed.push(format!("{sent}: {status} {:?}", answer.text().await));
                }
                Err(error) => failed.push(format!("{sent}: {error:?}")),
            }
            sent += 1;
            // Now and then longer than a tunnel stays busy after its last request, else none would move.
            let pause = if sent % 12 == 0 { 2_400 } else { 50 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        (sent, failed)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_the_load_balancer_is_five_seconds_behind_the_drain() {
    // Given a load balancer that does not follow new weights yet, somebody busy on each blue server, and users at work
    let scene = Scene::with(Options {
        follows_after: NEVER,
        ..Options::default()
    })
    .await;
    let listener = scene.cloud.listener().to_owned();
    let mut busy = Vec::new();
    for n in 0..scene.blue().len() {
        busy.push(scene.busy(&format!("busy-{n}")).await);
    }
    let mut holding: Vec<_> = busy.iter().map(|session| session.server.clone()).collect();
    holding.sort_unstable();
    holding.dedup();
    assert_eq!(holding.len(), scene.blue().len(), "{holding:?}");
    let (over, mut customers, mut users) = (CancellationToken::new(), Vec::new(), JoinSet::new());
    for n in 0..TUNNELS {
        let customer = Customer::open(&listener, format!("customer-{n}")).await;
        users.spawn(user(&listener, &customer.name, over.clone()));
        customers.push(customer);
    }
    let count = |of: fn(&Customer) -> &AtomicUsize| -> usize {
        let counts = customers.iter().map(|one| of(one).load(Ordering::SeqCst));
        counts.sum()
    };
    // When a deployment moves them, and clients are sent back to servers that drain for five seconds
    let execution = scene
        .deploy(&json!({
            "bake": {"seconds": 4},
            "drain": {"settleSeconds": 2, "pollSeconds": 2},
        }))
        .await;
    scene
        .then("a client refused by blue", || async {
            Ok(match count(|customer| &customer.refused) {
                0 => Err("none".to_owned()),
                _ => Ok(()),
            })
        })
        .await;
    tokio::time::sleep(LATE).await;
    scene.cloud.balancer().follow_after(Duration::ZERO);
    scene
        .then("every tunnel on green", || async {
            let on_blue = customers.iter().filter(|customer| {
                let server = customer.server.borrow();
                let is_blue = |server: &String| scene.blue().contains(server);
                server.as_ref().is_none_or(is_blue)
            });
            let names: Vec<_> = on_blue.map(|customer| &customer.name).collect();
            Ok(match names.is_empty() {
                true => Ok(()),
                false => Err(format!("{names:?}")),
            })
        })
        .await;
    // Then nobody noticed
    for session in &mut busy {
        assert_eq!(session.seen(), Seen::Asked);
        session.leave();
    }
    scene.promoted(&execution).await;
    over.cancel();
    let (mut sent, mut failed) = (0, Vec::new());
    while let Some(user) = users.join_next().await {
        let (of_one, failures) = user.expect("a user").expect("a user");
        sent += of_one;
        failed.extend(failures);
    }
    assert_eq!(failed, Vec::<String>::new(), "of {sent}");
    assert_eq!(count(|customer| &customer.cut), 0);
    scene.ends().await;
}
