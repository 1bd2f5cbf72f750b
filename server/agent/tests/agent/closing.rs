//! Closing idle sessions of a server that does not know: whatever its client says meanwhile is answered, or was never
//! acknowledged.

use serde_json::Value;

use crate::agent::Agent;
use crate::namespace::alone;
use crate::world::{Echo, Session, until};

const IDLE: &str = "idleAfterSeconds = 1\ncloseIdle = true";

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

pub(crate) fn closed(agent: &mut Agent) -> Value {
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
