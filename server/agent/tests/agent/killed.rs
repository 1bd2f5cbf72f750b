//! The agent killed at each of its steps, and never started again: nobody is cut, nobody is kept out for longer than an
//! element lasts before a seal is on disk, and no promise is broken.

use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use crate::agent::Agent;
use crate::namespace::alone;
use crate::world::{Echo, Session, until};

/// The elements of the agent's sets that never lapse, and the longest time-out of the others in seconds.
fn elements() -> (Vec<Value>, u64) {
    let listed = Command::new("nft")
        .args(["-j", "list", "table", "inet", "ebbtide"])
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let elements = listed["nftables"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|object| object["set"]["elem"].as_array());
    let (lasting, lapsing): (Vec<_>, Vec<_>) = elements
        .flatten()
        .cloned()
        .partition(|element| element["elem"]["timeout"].is_null());
    (
        lasting,
        lapsing
            .iter()
            .filter_map(|element| element["elem"]["timeout"].as_u64())
            .max()
            .unwrap_or(0),
    )
}

/// Nothing stands that does not lapse by itself, and then newcomers come in.
fn lapses(server: &Echo) {
    let (lasting, longest) = elements();
    assert!(
        lasting.is_empty() && longest <= 2,
        "{lasting:?}, {longest} s"
    );
    until("newcomers come in", || {
        Session::open(server.address).is_ok()
    });
}

fn state(directory: &tempfile::TempDir) -> String {
    std::fs::read_to_string(directory.path().join("state.json")).unwrap_or_default()
}

fn is_sealed_on_disk(directory: &tempfile::TempDir) -> bool {
    state(directory).contains(r#""sealed": true"#)
}

/// Whoever takes the step kills itself, or the other process of the agent.
const VICTIMS: [&str; 2] = ["kill", "kill the other"];

/// Every one of these steps, with every victim.
fn at_each<'a>(steps: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    steps
        .iter()
        .flat_map(|step| VICTIMS.map(|victim| format!("{step}:{victim}")))
}

fn draining_with_sessions(step: &str) {
    let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
    let mut sessions: Vec<_> = (0..5)
        .map(|_| Session::open(server.address).unwrap())
        .collect();
    let mut agent = Agent::start(&[server.port()], directory.path(), step);
    for order in ["drain", "seal"] {
        if agent.order(order, 1).is_none() {
            break;
        }
    }
    agent.ended();
    for session in &mut sessions {
        session.talk().unwrap();
    }
    lapses(&server);
}

alone! {
    fn killed_while_it_drains_it_cuts_nobody() {
        for step in at_each(&[
            "installed:1", "set open:1", "set draining:1", "refused:1", "set draining:2",
            "took install:1", "did install:1", "took accept:1", "did accept:1", "took look:1", "did look:1",
            "took refuse:1", "did refuse:1", "took lift:1", "did lift:1",
        ]) {
            draining_with_sessions(&step);
        }
    }
}

/// Somebody comes in between the look and the drop of a seal; the agent dies at `step`.
fn sealing_while_one_comes(step: &str) {
    let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
    let mut agent = Agent::start(
        &[server.port()],
        directory.path(),
        &format!("looked:1:stop,{step}"),
    );
    agent.report();
    agent.begin("seal", 1);
    agent.stopped();
    let mut session = Session::open(server.address).unwrap();
    agent.go_on();
    agent.ended();
    session.talk().unwrap();
    assert!(!is_sealed_on_disk(&directory), "{step}");
    lapses(&server);
    session.talk().unwrap();
    // Started again it takes up where it was: not sealed.
    let mut agent = Agent::start(&[server.port()], directory.path(), "");
    assert_eq!(agent.report().1["admission"], "open");
}

alone! {
    fn killed_while_it_tries_a_seal_it_cuts_nobody_who_comes_in_meanwhile() {
        for step in at_each(&[
            "dropped:1", "barred:1", "set open:2", "took drop:1", "did drop:1", "took lift:1", "did lift:1",
        ]) {
            sealing_while_one_comes(&step);
        }
    }
}

fn killed_sealing(step: &str) -> (Echo, tempfile::TempDir) {
    let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
    let mut agent = Agent::start(&[server.port()], directory.path(), step);
    agent.report();
    assert!(
        agent.order("seal", 1).is_none(),
        "{step}: it is not acknowledged"
    );
    agent.ended();
    (server, directory)
}

alone! {
    fn killed_before_the_seal_is_on_disk_it_has_promised_nothing() {
        for step in at_each(&["looked:1", "dropped:1", "barred:1", "counted:1", "took drop:1", "did drop:1"]) {
            let (server, directory) = killed_sealing(&step);
            assert!(!is_sealed_on_disk(&directory), "{step}");
            lapses(&server);
        }
    }
}

/// The agent dies at `step`, when the seal is on disk and not in the kernel.
fn sealed_on_disk_alone(step: &str) {
    let (server, directory) = killed_sealing(step);
    assert!(is_sealed_on_disk(&directory), "{step}");
    lapses(&server);
    let mut session = Session::open(server.address).unwrap();
    let mut agent = Agent::start(&[server.port()], directory.path(), "");
    let (status, report) = agent.report();
    assert_eq!(
        (status, &report["admission"]),
        (200, &"draining".into()),
        "{step}: {report}"
    );
    assert!(
        TcpStream::connect(server.address).is_err(),
        "nobody else comes in"
    );
    session.talk().unwrap();
    assert_eq!(agent.order("seal", 1).unwrap().0, 409);
    assert_eq!(agent.order("resume", 1).unwrap().0, 409);
    session.talk().unwrap();
    drop(session);
    until("it is sealed", || agent.order("seal", 1).unwrap().0 == 200);
    assert!(TcpStream::connect(server.address).is_err());
}

alone! {
    fn killed_once_the_seal_is_on_disk_it_seals_when_it_is_started_again_and_cuts_nobody() {
        for step in ["written:1:kill", "written:1:kill the other", "took seal:1:kill"] {
            sealed_on_disk_alone(step);
        }
    }
}

alone! {
    fn a_helper_whose_listener_dies_in_the_middle_of_a_seal_may_finish_it() {
        let (server, directory) = killed_sealing("took seal:1:kill the other");
        assert!(is_sealed_on_disk(&directory));
        let mut agent = Agent::start(&[server.port()], directory.path(), "");
        assert_eq!(agent.report().1["admission"], "sealed");
    }
}

alone! {
    fn killed_once_the_rule_stands_it_keeps_its_promise() {
        for step in at_each(&["sealed:1", "set sealed:1", "did seal:1"]) {
            let (server, directory) = killed_sealing(&step);
            assert!(is_sealed_on_disk(&directory));
            assert_eq!(elements().0, [Value::from(server.port())], "{step}");
            assert!(TcpStream::connect(server.address).is_err());
            let mut agent = Agent::start(&[server.port()], directory.path(), "");
            assert_eq!(agent.report().1["admission"], "sealed", "{step}");
        }
    }
}

alone! {
    fn killed_as_it_starts_again_it_keeps_its_promise() {
        let (server, directory) = killed_sealing("set sealed:1:kill");
        for _ in 0..2 {
            let mut agent = Agent::start(&[server.port()], directory.path(), "installed:1:kill");
            agent.ended();
            assert_eq!(elements().0, [Value::from(server.port())]);
            until("what is dropped is refused again", || {
                elements().1 == 0 && TcpStream::connect(server.address).is_err()
            });
        }
        let mut agent = Agent::start(&[server.port()], directory.path(), "");
        assert_eq!(agent.report().1["admission"], "sealed");
    }
}

alone! {
    #[ignore = "takes minutes"]
    fn killed_a_hundred_times_at_each_of_its_steps_it_cuts_nobody() {
        let rounds = std::env::var("EBBTIDE_ROUNDS").map_or(100, |rounds| rounds.parse().unwrap());
        for round in 0..rounds {
            for step in at_each(&["set draining:1", "refused:1", "did refuse:1"]) {
                draining_with_sessions(&step);
            }
            for step in at_each(&["dropped:1", "barred:1", "took drop:1"]) {
                sealing_while_one_comes(&step);
            }
            for step in at_each(&["counted:1"]) {
                let (server, _directory) = killed_sealing(&step);
                lapses(&server);
            }
            for step in at_each(&["sealed:1"]) {
                killed_sealing(&step);
            }
            eprintln!("round {round}");
        }
    }
}
