//! Many idle sessions closed, while others talk and while the closed ones speak again at the wrong moment: nobody is closed
//! who has spoken and was answered within the time that counts, and what was acknowledged is kept.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::Scope;
use std::time::{Duration, Instant};

use crate::agent::Agent;
use crate::client::{Client, Ended};
use crate::closing::closed;
use crate::namespace::alone;
use crate::target::Target;
use crate::world::until;

/// Longer than a thread of a busy machine waits for its turn.
const IDLE_AFTER: Duration = Duration::from_secs(6);
/// The kernel tells time in steps of at most so much.
const TICK: Duration = Duration::from_millis(20);
const TALKING: usize = 8;
/// How often a session speaks out of its turn, at most.
const OUT_OF_TURN: u64 = 2;

/// What has been seen of the sessions that were closed.
#[derive(Debug, Default)]
struct Tally {
    /// What a session has to be silent for before it is closed.
    idle_after: Duration,
    closed: usize,
    /// They had said something, and it was too late.
    said_in_vain: usize,
    /// Messages of sessions that spoke in time, and were left alone.
    left_alone: u64,
    acknowledged: u64,
    lost: u64,
    /// Between an end and the next, where one was due.
    gaps: Vec<Duration>,
}

impl Tally {
    fn new(idle_after: Duration) -> Self {
        Self {
            idle_after,
            ..Self::default()
        }
    }

    /// Takes in a client whose session is over, one way or another.
    fn count(&mut self, target: &Target, client: &Client) {
        let answered = client.answered();
        self.acknowledged += answered;
        if let Some(kept) = target.kept(client) {
            self.lost += answered.saturating_sub(kept);
            assert!(
                kept <= answered,
                "{}: {} was closed while its message was worked on",
                target.name,
                client.name
            );
        }
    }

    fn ended(&mut self, target: &Target, client: &Client, ended: &Ended) {
        assert!(
            ended.after + TICK >= self.idle_after,
            "{}: {} was closed in use: {ended:?}",
            target.name,
            client.name
        );
        self.closed += 1;
        self.said_in_vain += usize::from(ended.unanswered);
        self.left_alone += client.answered() - 1;
        self.count(target, client);
    }

    fn closings_a_second(&self) -> f64 {
        let mut gaps = self.gaps.clone();
        gaps.sort();
        let median = gaps.get(gaps.len() / 2);
        median.map_or(f64::NAN, |median| 1.0 / median.as_secs_f64())
    }
}

/// Opens sessions in a row.
fn opened(target: &Target, number: u64, idle: usize) -> Vec<Client> {
    (0..idle)
        .map(|client| target.open(format!("idle{number}.{client}")))
        .collect()
}

/// Sessions that are heard to their ends; at the latest when this is dropped, so that a test that fails ends too.
struct Followed<'scope> {
    ends: Receiver<(usize, Ended)>,
    clients: &'scope [Client],
}

impl Drop for Followed<'_> {
    fn drop(&mut self) {
        self.clients.iter().for_each(Client::leave);
    }
}

/// Hears each of them to its end, and says which has ended.
fn followed<'scope>(
    scope: &'scope Scope<'scope, '_>,
    clients: &'scope [Client],
) -> Followed<'scope> {
    let (end, ends) = mpsc::channel();
    for (number, client) in clients.iter().enumerate() {
        let end = end.clone();
        scope.spawn(move || {
            let ended = loop {
                if let Some(ended) = client.hear().expect("an orderly end") {
                    break ended;
                }
            };
            let _ = end.send((number, ended));
        });
    }
    Followed { ends, clients }
}

/// Whenever one has ended the next in line speaks, which is being closed just then.
fn next_speak(followed: &Followed<'_>, target: &Target, tally: &mut Tally) {
    let clients = followed.clients;
    let mut line: VecDeque<(usize, u64)> = (0..clients.len()).map(|client| (client, 0)).collect();
    let mut last: Option<Instant> = None;
    for (client, ended) in &followed.ends {
        line.retain(|(other, _)| *other != client);
        tally.ended(target, &clients[client], &ended);
        let before = last.replace(ended.at);
        tally
            .gaps
            .extend(before.map(|before| ended.at.saturating_duration_since(before)));
        let Some((next, spoken)) = line.pop_front_if(|(_, spoken)| *spoken < OUT_OF_TURN) else {
            continue;
        };
        // Each time a little later, from before the freeze until after the end.
        let step = u64::try_from(client).unwrap() * 7 % 50;
        std::thread::sleep(Duration::from_millis(step));
        clients[next].say();
        line.push_back((next, spoken + 1));
    }
    assert!(line.is_empty(), "not all have ended in order");
}

/// Opens `idle` sessions and has the agent close them.
fn round(target: &Target, agent: &mut Agent, number: u64, idle: usize, tally: &mut Tally) {
    let clients = opened(target, number, idle);
    agent.order("drain", 1);
    std::thread::scope(|scope| {
        next_speak(&followed(scope, &clients), target, tally);
    });
    until("all of them", || closed(agent) == idle);
    drop(clients);
    until("only the others are there", || {
        let report = agent.report().1;
        (&report["busy"], &report["idle"]) == (&TALKING.into(), &0.into())
    });
    agent.order("resume", 1);
}

fn configured(target: &Target, directory: &Path, steps: &str, idle_after: Duration) -> Agent {
    let idle_after = idle_after.as_secs();
    let more = format!("idleAfterSeconds = {idle_after}\ncloseIdle = true");
    Agent::configured(&[target.port()], directory, steps, &more)
}

/// Each time that the agent has found a session idle and has not shut it down, all of them speak. Whose session is closed has
/// spoken in vain, and nothing of that was taken; the others are answered.
fn all_speak_before_one_is_shut_down(target: &Target, idle: usize) {
    let directory = tempfile::tempdir().unwrap();
    let clients = opened(target, 0, idle);
    let steps: Vec<_> = (1..=100)
        .map(|time| format!("found idle:{time}:stop"))
        .collect();
    let idle_after = Duration::from_secs(1);
    let mut agent = configured(target, directory.path(), &steps.join(","), idle_after);
    agent.order("drain", 1);
    let mut tally = Tally::new(idle_after);
    let mut open = vec![true; idle];
    std::thread::scope(|scope| {
        let followed = followed(scope, &clients);
        while open.contains(&true) {
            until("the next is about to be closed, or has ended", || {
                for (client, ended) in followed.ends.try_iter() {
                    open[client] = false;
                    tally.ended(target, &clients[client], &ended);
                }
                agent.is_stopped() || !open.contains(&true)
            });
            let still_open = clients.iter().zip(&open).filter(|(_, open)| **open);
            still_open.for_each(|(client, _)| client.say());
            agent.go_on();
        }
    });
    assert_eq!(
        (tally.said_in_vain, tally.lost),
        (idle, 0),
        "{}",
        target.name
    );
}

/// Closes `idle` sessions, `rounds` times, while eight others talk.
fn closes_the_idle_alone(target: &Target, idle: usize, rounds: u64) -> Tally {
    let directory = tempfile::tempdir().unwrap();
    let talking: Vec<_> = (0..TALKING)
        .map(|client| target.open(format!("talking{client}")))
        .collect();
    let mut agent = configured(target, directory.path(), "", IDLE_AFTER);
    let (begun, done, mut tally) = (
        Instant::now(),
        AtomicBool::new(false),
        Tally::new(IDLE_AFTER),
    );
    std::thread::scope(|scope| {
        for client in &talking {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    client.talk().expect("a session in use goes on");
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for number in 1..=rounds {
                round(target, &mut agent, number, idle, &mut tally);
                eprintln!(
                    "{}: {} closed in {:?}",
                    target.name,
                    tally.closed,
                    begun.elapsed()
                );
            }
        }));
        done.store(true, Ordering::SeqCst);
        rounds.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
    });
    for client in &talking {
        tally.count(target, client);
    }
    eprintln!(
        "{}: {} closed in {:?}, {:.1} a second; {} had spoken too late, {} times one was left alone for what it said; \
         {} messages acknowledged, {} of them lost",
        target.name,
        tally.closed,
        begun.elapsed(),
        tally.closings_a_second(),
        tally.said_in_vain,
        tally.left_alone,
        tally.acknowledged,
        tally.lost
    );
    assert_eq!(tally.lost, 0, "{}", target.name);
    tally
}

fn closes_a_thousand(target: &Target) {
    let tally = closes_the_idle_alone(target, 200, 5);
    assert!(
        tally.said_in_vain > 0 && tally.left_alone > 0,
        "{}: nobody spoke at the wrong moment, so the race was not exercised",
        target.name
    );
}

alone! {
    fn sessions_in_use_are_not_closed_while_the_others_are() {
        closes_the_idle_alone(&Target::echo("127.0.0.1:0"), 20, 1);
    }
}

alone! {
    fn sessions_in_use_on_mosquitto_are_not_closed_while_the_others_are() {
        closes_the_idle_alone(&Target::mosquitto(), 20, 1);
    }
}

alone! {
    fn what_clients_of_mosquitto_say_to_a_session_that_is_shut_down_is_not_taken() {
        all_speak_before_one_is_shut_down(&Target::mosquitto(), 5);
    }
}

alone! {
    #[ignore = "wants nginx"]
    fn what_clients_of_nginx_say_to_a_session_that_is_shut_down_is_not_taken() {
        all_speak_before_one_is_shut_down(&Target::nginx(), 5);
    }
}

alone! {
    #[ignore = "wants redis"]
    fn what_clients_of_redis_say_to_a_session_that_is_shut_down_is_not_taken() {
        all_speak_before_one_is_shut_down(&Target::redis(), 5);
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn a_thousand_idle_sessions_end_in_order_while_others_talk() {
        closes_a_thousand(&Target::echo("127.0.0.1:0"));
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn a_thousand_idle_sessions_on_mosquitto_end_in_order() {
        closes_a_thousand(&Target::mosquitto());
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn a_thousand_idle_sessions_on_nginx_end_in_order() {
        closes_a_thousand(&Target::nginx());
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn a_thousand_idle_sessions_on_redis_end_in_order() {
        closes_a_thousand(&Target::redis());
    }
}
