//! Behind a gate: it shuts before anything is written, refuses for good only afterwards, and what it cannot tell is no report.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::admission::Refusal;
use crate::endpoint::Endpoint;
use crate::order::{Order, What};
use crate::sessions::SessionNumber;

/// A gate that writes down what is asked of it, with whether the seal is on disk, and answers as it is told.
#[derive(Default)]
struct Scripted {
    file: Mutex<Option<std::path::PathBuf>>,
    asked: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<Result<(), Refused>>>,
    holds: Mutex<Count>,
    blind: Mutex<bool>,
    /// One session is idle, and closing it takes until this says something.
    closes: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl Scripted {
    fn asked(&self, what: &str) -> Result<(), Refused> {
        let file = self.file.lock().unwrap();
        let text = file
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok());
        let sealed = text.is_some_and(|text| text.contains(r#""sealed": true"#));
        let disk = if sealed { ", sealed on disk" } else { "" };
        self.asked.lock().unwrap().push(format!("{what}{disk}"));
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }

    fn answers(&self, answers: impl IntoIterator<Item = Result<(), Refused>>) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Sessions for Scripted {
    fn count(&self) -> Count {
        *self.holds.lock().unwrap()
    }

    fn idle(&self) -> Vec<SessionNumber> {
        let closes = self.closes.lock().unwrap();
        closes.iter().map(|_| 7).collect()
    }

    fn close_if_idle(&self, _: SessionNumber) -> bool {
        let Some(closed) = self.closes.lock().unwrap().take() else {
            return false;
        };
        self.asked.lock().unwrap().push("closes".into());
        tokio::task::block_in_place(|| closed.recv_timeout(Duration::from_secs(20)).is_ok())
    }
}

impl Gate for Scripted {
    fn agent(&self) -> &'static str {
        "scripted 1"
    }

    fn shut(&self) -> Result<(), Refused> {
        self.asked("shut")
    }

    fn set(&self, mode: Mode) -> Result<(), Refused> {
        self.asked(&format!("{mode:?}"))
    }

    fn look(&self) -> Result<Count, Unknown> {
        if *self.blind.lock().unwrap() {
            return Err(Unknown("the rules are gone".into()));
        }
        Ok(self.count())
    }
}

struct World {
    gate: Arc<Scripted>,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let (gate, directory) = (Arc::<Scripted>::default(), tempfile::tempdir().unwrap());
        *gate.file.lock().unwrap() = Some(directory.path().join("state.json"));
        Self { gate, directory }
    }

    fn start(&self) -> Endpoint {
        let file = self.directory.path().join("state.json");
        Endpoint::behind(self.gate.clone(), "i-1", file).unwrap()
    }
}

fn order(what: What) -> Order {
    Order {
        instance: "i-1".into(),
        deployment: "spring".into(),
        epoch: 3,
        what,
    }
}

const DRAIN: What = What::Drain {
    per_second: 5.0,
    lease: Duration::from_secs(60),
};

fn in_use() -> Result<(), Refused> {
    Err(Refusal::InUse(2).into())
}

fn broken() -> Result<(), Refused> {
    Err(Refused::Unknown("nft does not answer".into()))
}

#[tokio::test]
async fn a_seal_shuts_first_then_is_written_and_then_refuses_for_good() {
    let world = World::new();
    let endpoint = world.start();
    endpoint.order(order(DRAIN)).await.unwrap();
    endpoint.order(order(What::Resume)).await.unwrap();
    endpoint.order(order(What::Seal)).await.unwrap();
    let expected = ["Open", "Draining", "Open", "shut", "Sealed, sealed on disk"];
    assert_eq!(world.gate.taken(), expected);
    assert_eq!(endpoint.state().mode, Mode::Sealed);
    // Asked again, it is found out again.
    endpoint.order(order(What::Seal)).await.unwrap();
    assert_eq!(world.gate.taken().len(), 2);
}

#[tokio::test]
async fn a_seal_that_finds_something_in_use_changes_nothing() {
    for (first, mode) in [(What::Resume, Mode::Open), (DRAIN, Mode::Draining)] {
        let world = World::new();
        let endpoint = world.start();
        endpoint.order(order(first)).await.unwrap();
        world.gate.taken();
        world.gate.answers([in_use()]);
        let refused = endpoint.order(order(What::Seal)).await.unwrap_err();
        assert!(matches!(refused, Refused::Admission(Refusal::InUse(2))));
        assert_eq!(world.gate.taken(), ["shut".to_owned(), format!("{mode:?}")]);
        assert_eq!(endpoint.state().mode, mode);
        assert_eq!(world.start().state().mode, Mode::Open, "nothing is on disk");
    }
}

#[tokio::test]
async fn a_seal_that_is_written_and_not_enforced_is_none_yet_and_has_no_way_back() {
    for failed in [in_use(), broken()] {
        let world = World::new();
        let endpoint = world.start();
        world.gate.answers([Ok(()), failed]);
        endpoint.order(order(What::Seal)).await.unwrap_err();
        assert_eq!(endpoint.state().mode, Mode::Sealing);
        let report = endpoint.look().await.unwrap();
        assert_eq!(report.admission, "draining");
        assert_eq!(report.agent, Some("scripted 1"));
        let refused = endpoint.order(order(What::Resume)).await.unwrap_err();
        assert!(matches!(refused, Refused::Admission(Refusal::Sealed)));
        world.gate.answers([in_use()]);
        endpoint.order(order(What::Seal)).await.unwrap_err();
        assert_eq!(endpoint.state().mode, Mode::Sealing);
        endpoint.order(order(What::Seal)).await.unwrap();
        assert_eq!(endpoint.look().await.unwrap().admission, "sealed");
    }
}

#[tokio::test]
async fn an_order_that_the_gate_does_not_follow_is_not_acknowledged() {
    let world = World::new();
    let endpoint = world.start();
    world.gate.answers([broken()]);
    let refused = endpoint.order(order(DRAIN)).await.unwrap_err();
    assert_eq!((refused.status(), refused.name()), (500, "Unknown"));
    assert_eq!(endpoint.state().mode, Mode::Open);
    endpoint.order(order(DRAIN)).await.unwrap();
    world.gate.answers([broken()]);
    endpoint.order(order(What::Resume)).await.unwrap_err();
    assert_eq!(endpoint.state().mode, Mode::Draining);
}

#[tokio::test]
async fn a_sealed_server_starts_sealed_only_if_nothing_came_in_meanwhile() {
    let world = World::new();
    world.start().order(order(What::Seal)).await.unwrap();
    world.gate.taken();
    assert_eq!(world.start().state().mode, Mode::Sealed);
    assert_eq!(world.gate.taken(), ["Sealed, sealed on disk"]);
    world.gate.answers([in_use()]);
    let endpoint = world.start();
    assert_eq!(endpoint.state().mode, Mode::Sealing);
    endpoint.order(order(What::Seal)).await.unwrap();
    assert_eq!(endpoint.state().mode, Mode::Sealed);
    world.gate.answers([broken()]);
    let file = world.directory.path().join("state.json");
    assert!(Endpoint::behind(world.gate.clone(), "i-1", file).is_err());
}

#[tokio::test]
async fn what_the_gate_cannot_tell_is_no_report() {
    let world = World::new();
    let endpoint = world.start();
    *world.gate.blind.lock().unwrap() = true;
    assert!(endpoint.look().await.is_err());
    *world.gate.blind.lock().unwrap() = false;
    endpoint.order(order(What::Seal)).await.unwrap();
    assert_eq!(endpoint.look().await.unwrap().admission, "sealed");
    world.gate.holds.lock().unwrap().busy = 1;
    let unknown = endpoint.look().await.unwrap_err().to_string();
    assert!(unknown.contains("1 sessions came in"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_while_a_session_is_closed_keeps_no_thread_from_the_others() {
    let world = World::new();
    let endpoint = world.start();
    let (close, closes) = std::sync::mpsc::channel();
    *world.gate.closes.lock().unwrap() = Some(closes);
    endpoint.order(order(DRAIN)).await.unwrap();
    while !world.gate.taken().contains(&"closes".to_owned()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // More askers than threads: reports, and orders to go on and to stop.
    let asking: Vec<_> = (0..4)
        .map(|asker| {
            let endpoint = endpoint.clone();
            tokio::spawn(async move {
                match asker {
                    0 => endpoint.order(order(What::Resume)).await.unwrap(),
                    _ => drop(endpoint.look().await.unwrap()),
                }
            })
        })
        .collect();
    for _ in 0..100 {
        tokio::spawn(tokio::task::yield_now()).await.unwrap();
    }
    assert!(
        !asking[0].is_finished(),
        "no session is closed once a resume is answered"
    );
    close.send(()).unwrap();
    for asked in asking {
        asked.await.unwrap();
    }
    assert_eq!(endpoint.look().await.unwrap().closed, 1);
}
