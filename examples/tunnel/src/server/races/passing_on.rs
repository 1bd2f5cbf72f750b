//! Two servers: a request that one carries for the other, against the seals of both and the drain of one.

use std::sync::Arc;
use std::time::Duration;

use ebbtide_endpoint::order::What;
use http::StatusCode;
use shuttle::future::{spawn, yield_now};

use super::people::{Client, ask, tunnels};
use super::world::{Network, Server};
use super::{explore, happened};
use crate::close;
use crate::sync::{chance, sleep};

struct Two {
    asked: Server,
    holder: Server,
    network: Network,
}

impl Two {
    fn start() -> Arc<Self> {
        let network = Network::default();
        let (asked, holder) = (Server::of_two(1, &network), Server::of_two(2, &network));
        Arc::new(Self {
            asked,
            holder,
            network,
        })
    }

    async fn at_rest(&self) {
        self.asked.at_rest().await;
        self.holder.at_rest().await;
        self.network.end();
    }
}

fn told(status: StatusCode) {
    match status {
        StatusCode::OK => happened("answer"),
        StatusCode::SERVICE_UNAVAILABLE => happened("refused"),
        StatusCode::NOT_FOUND => happened("no tunnel"),
        StatusCode::BAD_GATEWAY => happened("client left"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_request_passed_on_against_both_seals() {
    let must = ["answer", "refused", "passed on"];
    explore(
        "both seals against a request passed on",
        1500,
        &must,
        || async {
            let two = Two::start();
            let client = tunnels(&two.holder, &["a"]).await.remove(0);
            let asking = spawn({
                let two = two.clone();
                async move { told(ask(&two.asked, "a").await) }
            });
            let sealing = [false, true].map(|holder| {
                let two = two.clone();
                spawn(async move {
                    if holder {
                        two.holder.seal(1).await
                    } else {
                        two.asked.seal(1).await
                    }
                })
            });
            if chance() < 0.5 {
                asking.await.unwrap();
                client.leave().await;
            } else {
                yield_now().await;
                client.leave().await;
                asking.await.unwrap();
            }
            for sealed in sealing {
                sealed.await.unwrap();
            }
            if two.asked.shared.metrics.passed_on.get() > 0 {
                happened("passed on");
            }
            two.at_rest().await;
        },
    );
}

#[test]
fn a_request_passed_on_against_the_holders_drain() {
    let must = ["answer", "no tunnel", "closed", "passed on"];
    explore(
        "the holder's drain against a request passed on",
        1500,
        &must,
        || async {
            let two = Two::start();
            let client = tunnels(&two.holder, &["a"]).await.remove(0);
            let asking = spawn({
                let two = two.clone();
                async move {
                    sleep(Duration::from_millis(30)).await;
                    let status = ask(&two.asked, "a").await;
                    assert_ne!(status, StatusCode::BAD_GATEWAY, "a busy session was closed");
                    told(status);
                }
            });
            let drain = What::Drain {
                per_second: 20.0,
                lease: Duration::from_secs(60),
            };
            two.holder.order(1, drain).await.unwrap();
            assert_eq!(client.closed().await, Some(close::RESTART));
            happened("closed");
            asking.await.unwrap();
            if two.asked.shared.metrics.passed_on.get() > 0 {
                happened("passed on");
            }
            two.holder.seal(1).await;
            two.at_rest().await;
        },
    );
}

#[test]
fn a_tunnel_that_moves_between_servers() {
    let must = ["answer", "moved"];
    explore(
        "a tunnel that moves against its requests",
        1000,
        &must,
        || async {
            let two = Two::start();
            let first = tunnels(&two.holder, &["a"]).await.remove(0);
            let asking = spawn({
                let two = two.clone();
                async move { ask(&two.holder, "a").await }
            });
            sleep(Duration::from_millis(1)).await;
            let second = Client::connect(&two.asked, "a").unwrap();
            let status = asking.await.unwrap();
            assert_ne!(status, StatusCode::BAD_GATEWAY, "a request was cut");
            told(status);
            sleep(Duration::from_secs(10)).await;
            match first.leave().await {
                Some(close::REPLACED) => happened("moved"),
                // The notice came too late for its sender's patience.
                _ => happened("not told"),
            }
            second.leave().await;
            two.at_rest().await;
        },
    );
}
