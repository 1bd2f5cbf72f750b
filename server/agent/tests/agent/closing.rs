//! Closing idle sessions of a server that does not know: whatever its client says meanwhile is answered, or was never
//! acknowledged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::agent::Agent;
use crate::namespace::alone;
use crate::world::{Echo, Session, until};

const IDLE: &str = "idleAfterSeconds = 1\ncloseIdle = true";
/// Longer than a thread of a busy machine waits for its turn.
const SLOWLY_IDLE: &str = "idleAfterSeconds = 6\ncloseIdle = true";

struct World {
    server: Echo,
    directory: tempfile::TempDir,
}

impl World {
    fn new(address: &str) -> Self {
        Self {
            server: Echo::listen(address),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn agent(&self, steps: &str) -> Agent {
        Agent::configured(&[self.server.port()], self.directory.path(), steps, IDLE)
    }

    /// A draining agent that stops itself at `step`, while it closes the one session.
    fn stopped_at(&self, step: &str) -> (Agent, Session) {
        let session = Session::open(self.server.address).unwrap();
        let mut agent = self.agent(&format!("{step}:1:stop"));
        assert_eq!(agent.order("drain", 1).unwrap().0, 200);
        agent.stopped();
        (agent, session)
    }
}

fn closed(agent: &mut Agent) -> Value {
    agent.report().1["closed"].clone()
}

alone! {
    fn an_idle_session_ends_as_if_its_client_had_left() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let world = World::new(address);
            let mut sessions: Vec<_> = (0..3).map(|_| Session::open(world.server.address).unwrap()).collect();
            let mut agent = world.agent("");
            agent.order("drain", 1);
            for session in &mut sessions {
                assert_eq!(session.hear().unwrap(), None, "an orderly end");
            }
            until("all are counted", || closed(&mut agent) == 3);
            drop(sessions);
            until("the server is sealed", || agent.order("seal", 1).unwrap().0 == 200);
        }
    }
}

alone! {
    fn a_session_that_its_client_uses_before_the_freeze_is_left_alone() {
        let world = World::new("127.0.0.1:0");
        let mut session = Session::open(world.server.address).unwrap();
        let mut agent = world.agent("chosen:1:stop,left alone:1:stop");
        agent.order("drain", 1);
        agent.stopped();
        session.talk().unwrap();
        agent.go_on();
        agent.stopped();
        session.talk().unwrap();
        agent.go_on();
        assert_eq!(session.hear().unwrap(), None, "once it is idle anew it is closed");
        until("it is counted", || closed(&mut agent) == 1);
    }
}

alone! {
    fn what_a_frozen_client_says_is_not_acknowledged() {
        for step in ["frozen", "found idle", "shut down"] {
            let world = World::new("127.0.0.1:0");
            let (mut agent, mut session) = world.stopped_at(step);
            session.say();
            assert_eq!(session.unacknowledged(), 5, "{step}");
            agent.go_on();
            // A stop that outlasted the freeze: then it was found, and answered.
            match session.hear() {
                Ok(Some(heard)) => assert_eq!(&heard, b"hello", "{step}"),
                Ok(None) => assert_eq!(session.unacknowledged(), 5, "{step}"),
                Err(error) => panic!("{step}: {error}"),
            }
            agent.report();
        }
    }
}

alone! {
    fn killed_before_it_has_shut_a_session_down_it_loses_nothing() {
        for step in ["chosen", "frozen", "found idle", "took freeze", "did freeze", "took shut down"] {
            for victim in ["kill", "kill the other"] {
            // The helper shuts down what it was told to, if it may.
            if (step, victim) == ("took shut down", "kill the other") {
                continue;
            }
            let world = World::new("127.0.0.1:0");
            let mut session = Session::open(world.server.address).unwrap();
            let mut agent = world.agent(&format!("{step}:1:{victim}"));
            agent.order("drain", 1);
            agent.ended();
            session.talk().unwrap();
            }
        }
    }
}

/// Closes `idle` sessions, `rounds` times, while eight others talk.
fn closes_the_idle_alone(idle: u64, rounds: u64) {
    let world = World::new("127.0.0.1:0");
    let (address, port) = (world.server.address, world.server.port());
    let (ended, talked) = (AtomicBool::new(false), AtomicU64::new(0));
    let open = || Session::open(address).unwrap();
    let mut busy: Vec<_> = (0..8).map(|_| open()).collect();
    let mut agent = Agent::configured(&[port], world.directory.path(), "", SLOWLY_IDLE);
    std::thread::scope(|scope| {
        for session in &mut busy {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) {
                    session.talk().unwrap();
                    talked.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        for _ in 0..rounds {
            let mut sessions: Vec<_> = (0..idle).map(|_| open()).collect();
            agent.order("drain", 1);
            for session in &mut sessions {
                assert_eq!(session.hear().unwrap(), None, "an orderly end");
            }
            until("all of them", || closed(&mut agent) == idle);
            sessions.clear();
            until("only the others are there", || {
                let report = agent.report().1;
                (&report["busy"], &report["idle"]) == (&8.into(), &0.into())
            });
            agent.order("resume", 1);
        }
        ended.store(true, Ordering::SeqCst);
    });
    let talked = talked.load(Ordering::SeqCst);
    eprintln!("{talked} answers while {} were closed", idle * rounds);
}

alone! {
    fn sessions_in_use_are_not_closed_while_the_others_are() {
        closes_the_idle_alone(20, 1);
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn a_thousand_idle_sessions_end_in_order_while_others_talk() {
        closes_the_idle_alone(200, 5);
    }
}
