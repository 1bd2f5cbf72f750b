//! The user's WebSockets against servers that misbehave in every way we know: what is wrong is told, and nothing stays open.
#![expect(clippy::unwrap_used, reason = "a test's own functions may fail it")]

use std::time::Duration;

use ebbtide_rules::green_test::SocketAnswer;
use ebbtide_rules::plan::WebSockets;
use ebbtide_rules::report::UnknownReason;
use ebbtide_sessions::fake::{Accepted, Call, Fleet, Trouble};
use ebbtide_sessions::{Limits, SessionClient};
use tokio::time::Instant;

/// For so long each is held.
const SECONDS: u32 = 1;

/// What becomes of the fleet's WebSockets at these paths, with a client that waits so long for an answer.
async fn answers_within(
    total: Duration,
    fleet: &Fleet,
    paths: &[&str],
    until: Instant,
) -> Vec<Vec<SocketAnswer>> {
    let connect = Duration::from_secs(60);
    let client = SessionClient::within(Limits { connect, total }, fleet.endpoint()).unwrap();
    let sockets = WebSockets {
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
        seconds: SECONDS,
    };
    let port = fleet.endpoint().port;
    let answers = client
        .checks()
        .sockets(&fleet.listed(), port, &sockets, until)
        .await;
    let of_server = |answers: Vec<(String, SocketAnswer)>| {
        for ((path, _), asked) in answers.iter().zip(paths) {
            assert_eq!(path, asked);
        }
        answers.into_iter().map(|(_, answer)| answer).collect()
    };
    answers.into_iter().map(of_server).collect()
}

/// The same with a client that a busy machine does not make give up.
async fn answers(fleet: &Fleet, paths: &[&str]) -> Vec<Vec<SocketAnswer>> {
    let minute = Duration::from_secs(60);
    answers_within(minute, fleet, paths, Instant::now() + 2 * minute).await
}

async fn answer_to(trouble: Trouble) -> SocketAnswer {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Socket, trouble);
    answers(&fleet, &["/tunnel"]).await.remove(0).remove(0)
}

#[tokio::test]
async fn a_socket_is_held_and_closed_and_leaves_no_session() {
    let fleet = Fleet::start(3).await;
    let all = answers(&fleet, &["/tunnel/*", "/chat"]).await;
    assert_eq!(all, vec![vec![SocketAnswer::Held; 2]; 3]);
    for server in &fleet.servers {
        assert_eq!(server.asked(Call::Socket).len(), 2);
        let inside = server.inside();
        let own = format!("/tunnel/{}", inside.instance);
        assert_eq!(inside.paths, [&own, "/chat"]);
        assert_eq!(inside.idle, 0, "a session is left");
    }
}

#[tokio::test]
async fn a_message_is_dropped_and_one_that_is_too_large_ends_it() {
    let says = |bytes| Trouble::Accepts(Accepted::Says(bytes));
    assert_eq!(answer_to(says(64 * 1024)).await, SocketAnswer::Held);
    assert_eq!(answer_to(says(64 * 1024 + 1)).await, SocketAnswer::Garbled);
}

#[tokio::test]
async fn a_server_that_accepts_and_hangs_up_or_closes_does_not_hold_it() {
    let hung_up = answer_to(Trouble::Accepts(Accepted::HangsUp)).await;
    assert!(
        matches!(hung_up, SocketAnswer::HungUp { .. }),
        "{hung_up:?}"
    );
    for ping in [1, 2] {
        let closes = Accepted::ClosesAfterPing(ping, 1011);
        let closed = answer_to(Trouble::Accepts(closes)).await;
        let expected = |answer: &SocketAnswer| match answer {
            SocketAnswer::Closed { code, after } => {
                *code == Some(1011) && (ping == 1 || *after >= u64::from(SECONDS))
            }
            _ => false,
        };
        assert!(expected(&closed), "{closed:?} after ping {ping}");
    }
}

#[tokio::test]
async fn what_is_no_handshake_opens_nothing() {
    assert_eq!(
        answer_to(Trouble::Status(200)).await,
        SocketAnswer::Status(200)
    );
    let elsewhere = Trouble::Redirect("http://127.0.0.1:1/".to_owned());
    assert_eq!(answer_to(elsewhere).await, SocketAnswer::Status(302));
    assert_eq!(
        answer_to(Trouble::WrongAccept).await,
        SocketAnswer::NotAWebSocket("Sec-WebSocket-Accept")
    );
    let mut dead = Fleet::start(1).await;
    dead.kill(0).await;
    assert_eq!(
        answers(&dead, &["/tunnel", "/chat"]).await,
        [[SocketAnswer::Unknown(UnknownReason::Refused)]]
    );
}

#[tokio::test]
async fn a_server_that_answers_no_handshake_or_no_ping_is_given_up() {
    let soon = Duration::from_secs(2);
    let later = Instant::now() + Duration::from_secs(120);
    for (trouble, expected) in [
        (
            Trouble::Hang,
            SocketAnswer::Unknown(UnknownReason::TimedOut),
        ),
        (Trouble::Accepts(Accepted::Deaf), SocketAnswer::NoPong),
    ] {
        let fleet = Fleet::start(1).await;
        fleet.servers[0].trouble(Call::Socket, trouble);
        let told = answers_within(soon, &fleet, &["/tunnel", "/chat"], later).await;
        assert_eq!(told, [[expected]]);
    }
}

#[tokio::test]
async fn what_is_not_over_when_the_time_of_all_checks_is_is_given_up() {
    let fleet = Fleet::start(1).await;
    fleet.servers[0].trouble(Call::Socket, Trouble::Accepts(Accepted::Deaf));
    let minute = Duration::from_secs(60);
    let told = answers_within(minute, &fleet, &["/tunnel"], Instant::now()).await;
    assert_eq!(told, [[SocketAnswer::Unknown(UnknownReason::TimedOut)]]);
}
