//! The chat, whose session endpoint is the library's, keeps every rule.

use std::sync::Arc;
use std::time::Duration;

use ebbtide_conformance::{Verdict, try_server};
use tokio::net::TcpStream;

use crate::chat;
use crate::process::{INSTANCE, Process, Start, listen};

/// Waits until both its ports take connections.
pub(crate) async fn up(process: &Process) {
    let private = process.private();
    for address in [process.public(), private] {
        while TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}

/// The rules that are tried with keys alone.
pub(crate) const OF_KEYS: [&str; 8] = [
    "signed-answers",
    "unsigned",
    "other-key",
    "several-keys",
    "altered",
    "replay",
    "skew",
    "restart-refuses",
];

/// No rule fails, and those that are not tried are these.
pub(crate) fn assert_right(verdict: &Verdict, not_tried: &[&str]) {
    println!("{verdict}");
    assert!(
        verdict.conforms() && verdict.not_tried() == not_tried,
        "{verdict}"
    );
}

#[tokio::test]
async fn the_chat() {
    let start: Start = Arc::new(|public, private, state| {
        Box::pin(async move {
            let idle_after = Duration::from_millis(300);
            let state = state.to_str().unwrap();
            let (chat, sessions) = chat::routes(INSTANCE, state, idle_after).unwrap();
            let (public, private) = (listen(public).await, listen(private).await);
            let _ = tokio::join!(
                axum::serve(public, chat).into_future(),
                axum::serve(private, sessions).into_future()
            );
        })
    });
    let process = Process::new(start);
    up(&process).await;
    let verdict = try_server(process.subject("/chat", Some("hello"))).await;
    assert_right(&verdict.unwrap(), &OF_KEYS);
}
