//! What counts as busy, case by case.

use std::net::SocketAddr;
use std::time::Duration;

use netlink_packet_sock_diag::inet::SocketId;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn socket(sent_ago: u32, received_ago: u32) -> Socket {
    Socket {
        id: SocketId::new_v4(),
        cookie: 7,
        port: 1883,
        peer: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        established: true,
        inode: 99,
        unread: 0,
        unacknowledged: 0,
        traffic: Some(Traffic {
            sent_ago: sent_ago * SECOND,
            received_ago: received_ago * SECOND,
            sent: 1000,
            received: 1000,
        }),
    }
}

fn policy(after: u64, answer_within: Option<u64>, keepalive_bytes: u64) -> IdlePolicy {
    IdlePolicy {
        after: Some(Duration::from_secs(after)),
        answer_within: answer_within.map(Duration::from_secs),
        keepalive_bytes,
        close: true,
    }
}

fn is_idle(policy: IdlePolicy, socket: &Socket) -> bool {
    let count = Sessions::new(policy).seen(std::slice::from_ref(socket), Instant::now());
    assert_eq!(count.busy + count.idle, 1);
    count.idle == 1
}

#[test]
fn silent_for_long_enough_is_idle_if_the_operator_has_said_how_long_that_is() {
    assert!(is_idle(policy(30, None, 0), &socket(30, 30)));
    assert!(!is_idle(policy(30, None, 0), &socket(29, 40)));
    assert!(!is_idle(IdlePolicy::default(), &socket(90_000, 90_000)));
}

#[test]
fn a_client_that_spoke_last_waits_for_an_answer_until_the_limit() {
    assert!(!is_idle(policy(30, None, 0), &socket(90_000, 80_000)));
    assert!(!is_idle(policy(30, Some(60), 0), &socket(90, 59)));
    assert!(is_idle(policy(30, Some(60), 0), &socket(90, 60)));
}

#[test]
fn what_is_on_its_way_or_not_accepted_or_half_closed_is_busy() {
    let idle = socket(60, 60);
    assert!(is_idle(policy(30, None, 0), &idle));
    for busy in [
        Socket {
            established: false,
            ..idle.clone()
        },
        Socket {
            inode: 0,
            ..idle.clone()
        },
        Socket {
            unread: 1,
            ..idle.clone()
        },
        Socket {
            unacknowledged: 1,
            ..idle.clone()
        },
        Socket {
            traffic: None,
            ..idle
        },
    ] {
        assert!(!is_idle(policy(30, None, 0), &busy), "{busy:?}");
    }
}

/// The same connection some seconds later, after some bytes more, which have just passed.
fn later(before: &Socket, bytes: u64) -> Socket {
    let mut socket = before.clone();
    if let Some(traffic) = &mut socket.traffic {
        traffic.received += bytes;
        (traffic.sent_ago, traffic.received_ago) = (2 * SECOND, SECOND);
    }
    socket
}

#[test]
fn pings_are_no_data_and_more_than_pings_are() {
    for (bytes, idle) in [(8, 1), (9, 0)] {
        let mut sessions = Sessions::new(policy(30, None, 8));
        let (first, now) = (socket(25, 25), Instant::now());
        assert_eq!(sessions.seen(std::slice::from_ref(&first), now).idle, 0);
        let pinged = later(&first, bytes);
        let count = sessions.seen(&[pinged], now + 10 * SECOND);
        assert_eq!(
            (count.idle, sessions.last()),
            (idle, count),
            "{bytes} bytes"
        );
    }
}

#[test]
fn the_longest_busy_is_remembered_by_its_socket() {
    let mut sessions = Sessions::new(policy(30, None, 0));
    let (first, start) = (socket(0, 0), Instant::now());
    let mut oldest =
        |socket: &Socket, at: Instant| sessions.seen(std::slice::from_ref(socket), at).oldest_busy;
    assert_eq!(oldest(&first, start), Some(start));
    assert_eq!(oldest(&first, start + SECOND), Some(start));
    assert_eq!(oldest(&first, start + 60 * SECOND), None);
    let (talks, again) = (later(&first, 50), start + 90 * SECOND);
    assert_eq!(oldest(&talks, again), Some(again));
    let other = Socket { cookie: 8, ..talks };
    assert_eq!(oldest(&other, again + SECOND), Some(again + SECOND));
}
