//! `watch --page`: the page, the views that it is sent, and who is refused.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};

use super::{Fake, World, world};

/// A page that is served; its process ends with it.
struct Page {
    port: u16,
    _process: Child,
    _out: Lines<BufReader<ChildStdout>>,
}

impl Page {
    async fn of(fake: &Fake) -> Self {
        let mut command = fake.command(&["watch", "--page", "--every", "1"]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut out = BufReader::new(process.stdout.take().expect("piped")).lines();
        let line = out.next_line().await.expect("text").expect("a line");
        let port = line
            .strip_prefix("http://127.0.0.1:")
            .and_then(|rest| rest.split_once('/'))
            .and_then(|(port, _)| port.parse().ok());
        Self {
            port: port.expect("an address"),
            _process: process,
            _out: out,
        }
    }

    /// The beginning of an answer, up to and with `end`; all of it where `end` does not come.
    async fn asked(&self, method: &str, path: &str, host: &str, end: &str) -> String {
        let connected = TcpStream::connect(("127.0.0.1", self.port)).await;
        let mut connection = connected.expect("it listens");
        let asked =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        connection
            .write_all(asked.as_bytes())
            .await
            .expect("it is sent");
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains(end) {
            let read = connection.read_buf(&mut answer).await.expect("it answers");
            if read == 0 {
                break;
            }
        }
        String::from_utf8(answer).expect("text")
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

#[tokio::test]
async fn the_page_is_served_to_this_machine_alone_and_is_sent_each_view() {
    let fake = Fake::of(world("bake")).await;
    let page = Page::of(&fake).await;
    let host = page.host();
    let answer = page.asked("GET", "/", &host, "</html>").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-security-policy: default-src 'none'"),
        "{answer}"
    );
    assert!(answer.contains("new EventSource"), "{answer}");
    let answer = page.asked("GET", "/events", &host, "\n\n").await;
    let data = answer.split_once("event: view\ndata: ").expect("a view").1;
    let view: Value = serde_json::from_str(data.lines().next().expect("a line")).expect("JSON");
    assert_eq!(view["front"]["name"], "deploy-20261129-161316994");
    for path in ["/", "/events"] {
        let answer = page.asked("GET", path, "rebound.example", "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let answer = page.asked("POST", "/", &host, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[tokio::test]
async fn a_look_that_fails_is_told_to_the_page() {
    let denied = World {
        denied: Some("dynamodb:GetItem"),
        ..World::default()
    };
    let fake = Fake::of(denied).await;
    let page = Page::of(&fake).await;
    let answer = page.asked("GET", "/events", &page.host(), "\n\n").await;
    assert!(
        answer.contains("event: trouble\ndata: GetItem: AccessDenied"),
        "{answer}"
    );
}
