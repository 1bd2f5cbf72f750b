//! The balancer against small servers of its own, told by a test that plays moto.

use std::time::SystemTime;

use super::*;
use crate::ports;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(10);

/// A server on 127.0.9.`ip` that answers every request with its own address, `/stream` in two parts, and an upgrade by
/// echoing what it gets.
async fn server(ip: u8, port: u16) -> CancellationToken {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 9, ip), port))
        .await
        .unwrap();
    let stopped = stop.clone();
    tokio::spawn(async move {
        while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
            tokio::spawn(
                stopped
                    .clone()
                    .run_until_cancelled_owned(answer(stream, ip)),
            );
        }
    });
    stop
}

async fn answer(mut stream: TcpStream, ip: u8) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        if head.contains("upgrade: echo") {
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n").await.unwrap();
            let (mut from, mut to) = stream.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
            return;
        }
        if head.starts_with("post /upload") {
            // Answers before the body has ended: whatever arrives is sent back at once.
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
                .await
                .unwrap();
            let mut body = [0; 10];
            for byte in &mut body {
                *byte = stream.read_u8().await.unwrap();
                stream.write_u8(*byte).await.unwrap();
            }
            continue;
        }
        let body = format!(
            "{ip} {}",
            if head.contains("x-forwarded-for: 127.0.0.1") {
                "forwarded"
            } else {
                "bare"
            }
        );
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: keep-alive\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

const LISTENER: &str = "arn:listener";
const RULE: &str = "arn:listener-rule";

struct World {
    moto: TcpListener,
    told: TcpStream,
    balancer: Balancer,
    service_port: u16,
    port: u16,
    forwards: serde_json::Map<String, serde_json::Value>,
}

impl World {
    async fn new(idle_timeout: Duration) -> Self {
        Self::following(Duration::ZERO, idle_timeout).await
    }

    async fn following(follows_after: Duration, idle_timeout: Duration) -> Self {
        let moto = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (service_port, port) = (ports::free().unwrap(), ports::free().unwrap());
        let at = |arn: &str, port| Frontend {
            arn: arn.to_owned(),
            port,
        };
        let settings = Settings {
            routes_port: moto.local_addr().unwrap().port(),
            passes: Passes::Http,
            frontends: vec![at(LISTENER, port), at(RULE, ports::free().unwrap())],
            follows_after,
            idle_timeout,
        };
        let telling = async {
            let (mut told, _) = moto.accept().await.unwrap();
            tell(&mut told, json!({})).await;
            told
        };
        let (balancer, told) = tokio::join!(Balancer::start(settings), telling);
        Self {
            moto,
            told,
            balancer: balancer.unwrap(),
            service_port,
            port,
            forwards: serde_json::Map::new(),
        }
    }

    /// As [`World::observe_of`] the listener.
    async fn observe(&mut self, a: u32, b: u32, healthy: &[u8]) {
        self.observe_of(LISTENER, a, b, healthy).await;
    }

    /// Group `a` holds 127.0.9.1 and 127.0.9.2, group `b` 127.0.9.3; targets in `healthy` are. The balancer knows it when
    /// this returns, and of the other forwards what it knew.
    async fn observe_of(&mut self, arn: &str, a: u32, b: u32, healthy: &[u8]) {
        let targets = |members: &[u8]| -> Vec<String> {
            let healthy = members.iter().filter(|ip| healthy.contains(ip));
            healthy
                .map(|ip| format!("127.0.9.{ip}:{}", self.service_port))
                .collect()
        };
        let groups = json!([
            {"arn": "a", "weight": a, "targets": targets(&[1, 2])},
            {"arn": "b", "weight": b, "targets": targets(&[3])},
        ]);
        self.forwards.insert(arn.to_owned(), groups);
        self.forwards.insert("arn:other".to_owned(), json!([]));
        tell(&mut self.told, self.forwards.clone().into()).await;
    }

    async fn get(&self) -> (u16, String) {
        self.get_at(0).await
    }

    /// A request to one of the frontends.
    async fn get_at(&self, frontend: usize) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = &self.balancer.urls()[frontend];
        let answer = client.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn upgraded(&self) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap();
        stream
            .write_all(
                b"GET /echo HTTP/1.1\r\nhost: x\r\nupgrade: echo\r\nconnection: Upgrade\r\n\r\n",
            )
            .await
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        stream
    }
}

/// One line, and the balancer's answer to it.
async fn tell(balancer: &mut TcpStream, forwards: serde_json::Value) {
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let line = json!({"at": at.unwrap().as_secs_f64(), "forwards": forwards});
    balancer
        .write_all(format!("{line}\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(balancer.read_u8().await.unwrap(), b'\n');
}

async fn echoes(stream: &mut TcpStream) -> bool {
    let mut back = [0; 5];
    stream.write_all(b"hello").await.is_ok()
        && stream.read_exact(&mut back).await.is_ok()
        && &back == b"hello"
}

#[tokio::test]
async fn unhealthy_targets_get_nothing_and_none_at_all_is_503() {
    let mut world = World::new(LIMIT).await;
    let _servers = [
        server(1, world.service_port).await,
        server(2, world.service_port).await,
    ];
    world.observe(100, 0, &[2]).await;
    for _ in 0..6 {
        assert_eq!(world.get().await, (200, "2 forwarded".to_owned()));
    }
    world.observe(100, 0, &[]).await;
    assert_eq!(world.get().await.0, 503);
}

#[tokio::test]
async fn a_target_that_refuses_is_502() {
    let mut world = World::new(LIMIT).await;
    world.observe(100, 0, &[1]).await;
    assert_eq!(world.get().await.0, 502);
}

#[tokio::test]
async fn requests_on_one_client_connection_follow_the_weights() {
    let mut world = World::new(LIMIT).await;
    let _servers = [
        server(1, world.service_port).await,
        server(3, world.service_port).await,
    ];
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(1)
        .build()
        .unwrap();
    let url = world.balancer.urls().remove(0);
    let get = || async { client.get(&url).send().await.unwrap().text().await.unwrap() };
    world.observe(100, 0, &[1, 3]).await;
    assert_eq!(get().await, "1 forwarded");
    world.observe(0, 100, &[1, 3]).await;
    assert_eq!(get().await, "3 forwarded");
}

#[tokio::test]
async fn an_upgraded_connection_stays_with_its_server_and_dies_with_it() {
    let mut world = World::new(LIMIT).await;
    let first = server(1, world.service_port).await;
    let _third = server(3, world.service_port).await;
    world.observe(100, 0, &[1, 3]).await;
    let mut pinned = world.upgraded().await;
    assert!(echoes(&mut pinned).await);
    world.observe(0, 100, &[3]).await;
    assert!(
        echoes(&mut pinned).await,
        "the switch cut a pinned connection"
    );
    first.cancel();
    let mut rest = [0; 1];
    let end = tokio::time::timeout(LIMIT, pinned.read(&mut rest))
        .await
        .expect("its server is gone, it is not");
    assert!(matches!(end, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_pinned_connection_on_which_nothing_moves_is_closed() {
    let mut world = World::new(Duration::from_millis(300)).await;
    let _first = server(1, world.service_port).await;
    world.observe(100, 0, &[1]).await;
    let mut pinned = world.upgraded().await;
    assert!(echoes(&mut pinned).await);
    let mut rest = [0; 1];
    let end = tokio::time::timeout(LIMIT, pinned.read(&mut rest))
        .await
        .expect("it was kept");
    assert!(matches!(end, Ok(0) | Err(_)));
}

#[tokio::test]
async fn bodies_are_streamed_both_ways_at_once() {
    let mut world = World::new(LIMIT).await;
    let _first = server(1, world.service_port).await;
    world.observe(100, 0, &[1]).await;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, world.port))
        .await
        .unwrap();
    stream
        .write_all(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n0")
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    for byte in b'0'..=b'9' {
        let echoed = tokio::time::timeout(LIMIT, stream.read_u8())
            .await
            .expect("the answer waits for the request's end");
        assert_eq!(echoed.unwrap(), byte);
        if byte < b'9' {
            stream.write_u8(byte + 1).await.unwrap();
        }
    }
}

#[tokio::test]
async fn weights_of_before_hold_for_the_time_set() {
    // Longer than any test: only whether it holds is seen here, how long is seen in `routing`.
    let mut world = World::following(Duration::from_secs(3600), LIMIT).await;
    let _servers = [
        server(1, world.service_port).await,
        server(3, world.service_port).await,
    ];
    world.observe(100, 0, &[1, 3]).await;
    world.observe(0, 100, &[1, 3]).await;
    assert_eq!(world.get().await.1, "1 forwarded");
}

#[tokio::test]
async fn a_lagging_balancer_sends_every_other_request_by_the_weights_of_before() {
    let mut world = World::new(LIMIT).await;
    let _servers = [
        server(1, world.service_port).await,
        server(3, world.service_port).await,
    ];
    world.observe(100, 0, &[1, 3]).await;
    world.balancer.lag(Duration::from_secs(3600));
    world.observe(0, 100, &[1, 3]).await;
    let mut served = Vec::new();
    for _ in 0..4 {
        served.push(world.get().await.1);
    }
    served.sort();
    let (one, three) = ("1 forwarded", "3 forwarded");
    assert_eq!(served, [one, one, three, three]);
}

#[tokio::test]
async fn it_goes_on_by_what_it_knows_until_moto_tells_again() {
    let mut world = World::new(LIMIT).await;
    let _servers = [
        server(1, world.service_port).await,
        server(3, world.service_port).await,
    ];
    world.observe(100, 0, &[1, 3]).await;
    world.told.shutdown().await.unwrap();
    assert_eq!(world.get().await.1, "1 forwarded");
    let again = tokio::time::timeout(LIMIT, world.moto.accept()).await;
    world.told = again.expect("it connects again").unwrap().0;
    world.observe(0, 100, &[1, 3]).await;
    assert_eq!(world.get().await.1, "3 forwarded");
}

#[tokio::test]
async fn each_frontend_follows_the_weights_of_its_own_forward() {
    let mut world = World::new(LIMIT).await;
    let _servers = [
        server(1, world.service_port).await,
        server(3, world.service_port).await,
    ];
    world.observe(100, 0, &[1, 3]).await;
    assert_eq!(world.get_at(1).await.0, 503, "nobody has told of the rule");
    world.observe_of(RULE, 100, 0, &[1, 3]).await;
    world.observe(0, 100, &[1, 3]).await;
    let seen = [world.get_at(0).await.1, world.get_at(1).await.1];
    assert_eq!(seen, ["3 forwarded", "1 forwarded"]);
    world.observe_of(RULE, 0, 100, &[1, 3]).await;
    assert_eq!(world.get_at(1).await.1, "3 forwarded");
}

#[tokio::test]
async fn every_frontend_lags_and_is_held_back_as_the_test_says() {
    let mut world = World::following(Duration::from_secs(3600), LIMIT).await;
    let _servers = [
        server(1, world.service_port).await,
        server(3, world.service_port).await,
    ];
    for forward in [LISTENER, RULE] {
        world.observe_of(forward, 100, 0, &[1, 3]).await;
        world.observe_of(forward, 0, 100, &[1, 3]).await;
    }
    for frontend in [0, 1] {
        assert_eq!(world.get_at(frontend).await.1, "1 forwarded");
    }
    world.balancer.lag(Duration::from_secs(3600));
    world.balancer.follow_after(Duration::ZERO);
    for frontend in [0, 1] {
        let mut served = [
            world.get_at(frontend).await.1,
            world.get_at(frontend).await.1,
        ];
        served.sort();
        assert_eq!(served, ["1 forwarded", "3 forwarded"], "{frontend}");
    }
}
