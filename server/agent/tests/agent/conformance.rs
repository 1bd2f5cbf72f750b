//! Every rule of the session endpoint, tried on a server that knows nothing of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ebbtide_conformance::{Doer, Hands, NotOpened, Opener, Outcome, Session, Subject, try_server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::agent::{Agent, ENDPOINT};
use crate::namespace::alone;
use crate::world::{Echo, runtime};

const CLOSES: &str = "idleAfterSeconds = 2\ncloseIdle = true";

/// Opens sessions; a busy one says something all the time.
fn opener(server: SocketAddr, busy: bool) -> Opener {
    Arc::new(move || {
        Box::pin(async move {
            let refused = |error: std::io::Error| NotOpened(error.to_string());
            let mut stream = TcpStream::connect(server).await.map_err(refused)?;
            stream.write_all(b"hello").await.map_err(refused)?;
            stream.read_exact(&mut [0; 5]).await.map_err(refused)?;
            Ok(Session::new(async move {
                let mut due = tokio::time::interval(Duration::from_millis(100));
                let mut heard = [0; 64];
                loop {
                    tokio::select! {
                        _ = due.tick(), if busy => { let _ = stream.write_all(b"busy").await; }
                        read = stream.read(&mut heard) => if !matches!(read, Ok(1..)) { return },
                    }
                }
            }))
        })
    })
}

/// Kills the agent and starts it again, on what it has kept or on nothing.
fn starter(
    agent: &Arc<Mutex<Option<Agent>>>,
    server: &Echo,
    directory: PathBuf,
    fresh: bool,
) -> Doer {
    let (agent, port) = (agent.clone(), server.port());
    Arc::new(move || {
        let mut agent = agent.lock().unwrap();
        drop(agent.take());
        if fresh {
            let _ = std::fs::remove_file(directory.join("state.json"));
        }
        let mut started = Agent::configured(&[port], &directory, "", CLOSES);
        started.report();
        *agent = Some(started);
        Box::pin(std::future::ready(Ok(())))
    })
}

alone! {
    #[ignore = "takes minutes"]
    fn every_rule_is_kept() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let agent = Arc::default();
        let starts = |fresh| starter(&agent, &server, directory.path().into(), fresh);
        let (restart, fresh) = (starts(false), starts(true));
        let subject = Subject {
            url: format!("http://{ENDPOINT}/sessions"),
            instance: None,
            keys: Arc::default(),
            hands: Hands {
                open: Some(opener(server.address, false)),
                busy: Some(opener(server.address, true)),
                restart: Some(restart),
                fresh: Some(fresh.clone()),
            },
            limit: Duration::from_secs(3),
            patience: Duration::from_secs(60),
            rounds: 10,
        };
        let verdict = runtime().block_on(async {
            fresh().await.unwrap();
            try_server(subject).await.unwrap()
        });
        eprintln!("{verdict}");
        let passed = |line: &&ebbtide_conformance::Line| matches!(line.outcome, Outcome::Passed(_));
        let failed = verdict.lines.iter().any(|line| matches!(line.outcome, Outcome::Failed(_)));
        // All but the eight of signed calls.
        assert!(!failed && verdict.lines.iter().filter(passed).count() == 25, "{verdict}");
    }
}
