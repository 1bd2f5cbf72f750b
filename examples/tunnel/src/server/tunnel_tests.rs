//! Busy, idle, retiring and closing, at chosen instants.

use std::pin::pin;

use futures_util::poll;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::*;

const REST: Duration = Duration::from_secs(2);

fn tunnel(now: Instant) -> Arc<Tunnel> {
    Tunnel::new(1, "a".into(), 0, now)
}

fn idle(tunnel: &Tunnel, now: Instant) -> bool {
    matches!(tunnel.activity(now, REST), Activity::Idle { .. })
}

#[test]
fn a_tunnel_that_never_carried_a_request_is_idle_at_once() {
    let now = Instant::now();
    let tunnel = tunnel(now);
    assert!(idle(&tunnel, now));
    assert!(tunnel.close_if_idle(now, REST, "reconnect in 0 ms".into()));
}

#[test]
fn a_tunnel_is_busy_during_a_request_and_for_a_rest_after_it() {
    let now = Instant::now();
    let tunnel = tunnel(now);
    let request = tunnel.begin(now, REST).unwrap();
    assert!(!idle(&tunnel, now + REST * 100), "no time limit");
    drop(request);
    let ended = Instant::now();
    assert!(!idle(&tunnel, ended));
    assert!(!tunnel.close_if_idle(ended, REST, String::new()));
    assert!(idle(&tunnel, ended + REST));
}

#[test]
fn busy_since_spans_requests_with_short_pauses() {
    let now = Instant::now();
    let tunnel = tunnel(now);
    drop(tunnel.begin(now, REST).unwrap());
    let ended = Instant::now();
    let second = tunnel.begin(ended + REST / 2, REST).unwrap();
    assert_eq!(
        tunnel.activity(ended + REST, REST),
        Activity::Busy { since: now }
    );
    drop(second);
    let later = Instant::now() + REST * 2;
    let _third = tunnel.begin(later, REST).unwrap();
    assert_eq!(
        tunnel.activity(later, REST),
        Activity::Busy { since: later }
    );
}

#[test]
fn a_closing_tunnel_takes_no_request_and_a_tunnel_with_a_request_is_not_closed() {
    let now = Instant::now();
    let closing = tunnel(now);
    assert!(closing.close_if_idle(now, REST, String::new()));
    assert!(closing.begin(now, REST).is_none());
    assert!(
        !closing.close_if_idle(now, REST, String::new()),
        "only once"
    );
    let busy = tunnel(now);
    let _request = busy.begin(now, REST).unwrap();
    assert!(!busy.close_if_idle(now + REST * 9, REST, String::new()));
}

#[test]
fn a_replaced_tunnel_finishes_its_requests_takes_none_and_then_closes() {
    let now = Instant::now();
    let old = tunnel(now);
    let first = old.begin(now, REST).unwrap();
    let second = old.begin(now, REST).unwrap();
    old.retire();
    assert!(old.begin(now, REST).is_none());
    drop(first);
    assert_eq!(old.phase(), Phase::Retiring);
    drop(second);
    assert_eq!(old.phase(), replaced());
}

#[test]
fn a_request_and_a_close_at_the_same_moment_never_both_win() {
    for _ in 0..300 {
        let now = Instant::now();
        let tunnel = tunnel(now);
        let other = tunnel.clone();
        let closing = std::thread::spawn(move || other.close_if_idle(now, REST, String::new()));
        let request = tunnel.begin(now, REST);
        assert_eq!(closing.join().unwrap(), request.is_none());
    }
}

#[tokio::test]
async fn a_user_who_hangs_up_first_does_not_take_the_connection_with_it() {
    let tunnel = tunnel(Instant::now());
    // A task that has done enough for now makes every socket wait, pipes too.
    while poll!(pin!(tokio::task::consume_budget())).is_ready() {}
    assert!(poll!(pin!(tunnel.http2())).is_pending());
    let attached = async {
        loop {
            tunnel.changed.notified().await;
            if let Some(pipe) = tunnel.take_attachment() {
                return pipe;
            }
        }
    };
    let bound = Duration::from_secs(30);
    let mut pipe = timeout(bound, attached).await.expect("a connection");
    let mut preface = [0; 24];
    let read = timeout(bound, pipe.read_exact(&mut preface)).await;
    read.expect("a preface").unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(timeout(bound, tunnel.http2()).await.unwrap().is_ok());
    assert!(
        tunnel.take_attachment().is_none(),
        "there is one connection"
    );
}

#[tokio::test]
async fn requests_beyond_what_the_tunnel_holds_wait_their_turn() {
    let now = Instant::now();
    let tunnel = tunnel(now);
    let mut sharing = Vec::new();
    for _ in 0..STREAMS {
        let mut request = tunnel.begin(now, REST).unwrap();
        request.take_turn().await.unwrap();
        sharing.push(request);
    }
    let mut next = tunnel.begin(now, REST).unwrap();
    {
        let mut turn = pin!(next.take_turn());
        assert!(poll!(turn.as_mut()).is_pending());
        sharing.pop();
        assert!(matches!(poll!(turn), std::task::Poll::Ready(Ok(()))));
    }
    let mut last = tunnel.begin(now, REST).unwrap();
    let mut turn = pin!(last.take_turn());
    assert!(poll!(turn.as_mut()).is_pending());
    tunnel.over(close::NORMAL, "");
    assert!(matches!(poll!(turn), std::task::Poll::Ready(Err(_))));
}
