//! The session endpoint of a server that knows nothing of it, as Ebbtide's functions see it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use ebbtide_endpoint::Gate as _;
use ebbtide_endpoint::admission::Mode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::agent::{Agent, SERVED, Server, has_ended, is_stopped};
use crate::namespace::alone;
use crate::world::{Echo, Session, gate, rules, runtime, until};

fn says(answer: Option<(u16, Value)>, status: u16, fields: &[(&str, Value)]) {
    let (got, body) = answer.expect("the agent runs");
    assert_eq!(got, status, "{body}");
    for (field, value) in fields {
        assert_eq!(&body[field], value, "{field} of {body}");
    }
}

alone! {
    fn a_server_is_drained_sealed_and_stays_sealed() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let ports = [server.port()];
        let mut agent = Agent::start(&ports, directory.path(), "");
        says(agent.ask("GET", "/health", &Value::Null), 200, &[]);
        let mut session = Session::open(server.address).unwrap();
        says(Some(agent.report()), 200, &[("admission", "open".into()), ("busy", 1.into()), ("idle", 0.into())]);

        says(agent.order("drain", 4), 200, &[("admission", "draining".into()), ("epoch", 4.into()), ("busy", 1.into())]);
        assert!(TcpStream::connect(server.address).is_err(), "new sessions are refused");
        session.talk().unwrap();
        says(agent.order("seal", 4), 409, &[("error", "InUse".into()), ("busy", 1.into())]);
        session.talk().unwrap();
        says(agent.order("resume", 3), 409, &[("error", "StaleEpoch".into())]);
        says(agent.order("resume", 5), 200, &[("admission", "open".into())]);
        let other = Session::open(server.address).unwrap();
        says(agent.order("drain", 6), 200, &[("busy", 2.into())]);

        drop((session, other));
        until("the server is sealed", || agent.order("seal", 6).unwrap().0 == 200);
        let sealed = [("admission", "sealed".into()), ("epoch", 6.into()), ("busy", 0.into()), ("idle", 0.into())];
        says(Some(agent.report()), 200, &sealed);
        says(agent.order("resume", 7), 409, &[("error", "Sealed".into())]);
        assert!(TcpStream::connect(server.address).is_err());
        says(agent.ask("GET", "/health", &Value::Null), 200, &[]);

        drop(agent);
        assert!(TcpStream::connect(server.address).is_err(), "without its agent it is sealed all the same");
        let mut agent = Agent::start(&ports, directory.path(), "");
        says(Some(agent.report()), 200, &sealed);
        says(agent.order("seal", 8), 200, &[("epoch", 8.into())]);
    }
}

alone! {
    fn without_a_listening_server_there_is_no_report() {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut agent = Agent::start(&[listener.local_addr().unwrap().port()], directory.path(), "");
        says(Some(agent.report()), 200, &[("busy", 0.into())]);
        drop(listener);
        says(Some(agent.report_once()), 500, &[("error", "Unknown".into())]);
        says(agent.ask("GET", "/health", &Value::Null), 503, &[]);
    }
}

alone! {
    fn a_server_that_is_stopped_holds_what_it_held() {
        let directory = tempfile::tempdir().unwrap();
        let (server, address) = (Server::start(), SERVED);
        let mut agent = Agent::start(&[address.port()], directory.path(), "");
        let mut session = Session::open(address).unwrap();
        until("nothing but the session", || agent.report().1["busy"] == 1);
        kill_process(server.pid(), Signal::STOP).unwrap();
        until("the server is stopped", || is_stopped(server.pid()));
        let _unaccepted = TcpStream::connect(address).unwrap();
        says(agent.order("drain", 2), 200, &[("busy", 2.into())]);
        says(agent.order("seal", 2), 409, &[("error", "InUse".into())]);
        // Its clients may leave: the server has not said goodbye to them.
        kill_process(server.pid(), Signal::CONT).unwrap();
        session.talk().unwrap();
        kill_process(server.pid(), Signal::STOP).unwrap();
        until("the server is stopped", || is_stopped(server.pid()));
        drop(session);
        says(agent.order("seal", 2), 409, &[("error", "InUse".into())]);
    }
}

/// Answers every call of HTTP with this status.
fn http(status: &'static str) -> SocketAddr {
    saying(status, Arc::default())
}

/// The same, with a body that may change.
fn saying(status: &'static str, body: Arc<Mutex<String>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let body = body.lock().unwrap();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = write!(connection, "{head}{body}");
        }
    });
    address
}

alone! {
    fn the_servers_own_check_decides_too() {
        let server = Echo::listen("127.0.0.1:0");
        for (says, status) in [("200 OK", 200), ("503 Not Now", 503), ("302 Found", 503)] {
            let (directory, own) = (tempfile::tempdir().unwrap(), http(says));
            let more = format!("health.url = 'http://{own}/ready'");
            let mut agent = Agent::configured(&[server.port()], directory.path(), "", &more);
            assert_eq!(agent.ask("GET", "/health", &Value::Null).unwrap().0, status, "{says}");
        }
    }
}

alone! {
    fn what_the_server_says_is_in_use_is_in_use() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let body = Arc::new(Mutex::new(r#"{"active": 3}"#.to_owned()));
        let own = saying("200 OK", body.clone());
        let more = format!("busy.url = 'http://{own}/stats'\nbusy.pointer = '/active'");
        let mut agent = Agent::configured(&[server.port()], directory.path(), "", &more);
        says(Some(agent.report()), 200, &[("busy", 3.into()), ("idle", 0.into())]);
        says(agent.order("seal", 1), 409, &[("error", "InUse".into()), ("busy", 3.into())]);
        *body.lock().unwrap() = r#"{"active": "some"}"#.to_owned();
        says(Some(agent.report_once()), 500, &[("error", "Unknown".into())]);
        says(agent.order_once("seal", 1), 500, &[("error", "Unknown".into())]);
        *body.lock().unwrap() = r#"{"active": 0}"#.to_owned();
        says(agent.order("seal", 1), 200, &[("admission", "sealed".into())]);
    }
}

alone! {
    fn a_metric_of_the_server_says_what_is_in_use() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let body = Arc::new(Mutex::new(String::new()));
        let own = saying("200 OK", body.clone());
        let more = format!("[busy]\nurl = 'http://{own}/metrics'\nmetric = 'jobs'\nlabels = {{ state = 'active' }}");
        let mut agent = Agent::configured(&[server.port()], directory.path(), "", &more);
        says(Some(agent.report_once()), 500, &[("error", "Unknown".into())]);
        let jobs = |active| format!("# TYPE jobs gauge\njobs{{state=\"active\",queue=\"a\"}} {active}\njobs{{state=\"idle\"}} 9\n");
        *body.lock().unwrap() = jobs(2);
        says(Some(agent.report()), 200, &[("busy", 2.into()), ("idle", 0.into())]);
        says(agent.order("seal", 1), 409, &[("error", "InUse".into()), ("busy", 2.into())]);
        *body.lock().unwrap() = jobs(0);
        says(agent.order("seal", 1), 200, &[("admission", "sealed".into())]);
    }
}

/// An agent whose busy hook is this script of a shell.
fn asking(server: &Echo, directory: &Path, script: &str) -> Agent {
    let more = format!("busy.command = ['/bin/sh', '-c', '{script}']");
    Agent::configured(&[server.port()], directory, "", &more)
}

alone! {
    fn a_command_says_what_is_in_use_and_has_no_capability() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let file = directory.path().join("in use");
        std::fs::write(&file, "4\n").unwrap();
        let mut agent = asking(&server, directory.path(), &format!("cat \"{}\"", file.display()));
        says(Some(agent.report()), 200, &[("busy", 4.into()), ("idle", 0.into())]);
        says(agent.order("seal", 1), 409, &[("error", "InUse".into()), ("busy", 4.into())]);
        for wrong in ["", "-1", "4.5", "4 5", "many"] {
            std::fs::write(&file, wrong).unwrap();
            says(Some(agent.report_once()), 500, &[("error", "Unknown".into())]);
        }
        std::fs::write(&file, "0").unwrap();
        says(agent.order("seal", 1), 200, &[("admission", "sealed".into())]);
        drop(agent);

        let directory = tempfile::tempdir().unwrap();
        let none = "grep -cE \"^Cap(Inh|Prm|Eff|Amb):.0+$\" /proc/self/status";
        let mut agent = asking(&server, directory.path(), none);
        says(Some(agent.report()), 200, &[("busy", 4.into())]);
    }
}

alone! {
    fn a_command_that_fails_or_hangs_is_unknown_and_is_ended_with_all_that_it_started() {
        let server = Echo::listen("127.0.0.1:0");
        let directory = tempfile::tempdir().unwrap();
        let mut agent = asking(&server, directory.path(), "echo 1; exit 3");
        says(Some(agent.report_once()), 500, &[("error", "Unknown".into())]);
        drop(agent);

        let directory = tempfile::tempdir().unwrap();
        let pids = directory.path().join("pids");
        let hangs = format!("exec 2>/dev/null; sleep 7777 & echo $! >>\"{}\"; echo 0; wait", pids.display());
        let mut agent = asking(&server, directory.path(), &hangs);
        let (status, body) = agent.report_once();
        assert!(status == 500 && body.to_string().contains("took longer than 700 ms"), "{body}");
        for pid in std::fs::read_to_string(&pids).unwrap().lines() {
            let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
            until("what it has started is ended", || has_ended(pid));
        }
    }
}

alone! {
    fn with_keys_unsigned_calls_are_refused_and_the_health_check_is_not() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let keys = directory.path().join("keys");
        std::fs::write(&keys, "a1".repeat(32)).unwrap();
        let more = format!("keys.file = {keys:?}");
        let mut agent = Agent::configured(&[server.port()], directory.path(), "", &more);
        assert_eq!(agent.report().0, 401);
        assert_eq!(agent.order("seal", 1).unwrap().0, 401);
        assert_eq!(agent.ask("GET", "/health", &Value::Null).unwrap().0, 200);
    }
}

/// What somebody may do to the agent's rules.
const HARM: [&str; 5] = [
    "flush chain inet ebbtide input",
    "delete table inet ebbtide",
    "flush ruleset",
    "insert rule inet ebbtide input accept",
    "flush set inet ebbtide sealed; flush set inet ebbtide refused; add element inet ebbtide dropped { 9 }",
];

fn harm(script: &str) {
    assert!(
        Command::new("nft").arg(script).status().unwrap().success(),
        "{script}"
    );
}

alone! {
    fn rules_that_somebody_changes_are_unknown_until_they_are_put_back() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let server = Echo::listen("127.0.0.1:0");
        let gate = gate(&[server.port()]);
        for mode in [Mode::Open, Mode::Draining, Mode::Sealed] {
            for script in HARM {
                until("the rules stand", || gate.set(mode).is_ok() && gate.look().is_ok());
                harm(script);
                let unknown = gate.look().unwrap_err().to_string();
                assert!(gate.shut().is_err() || script == HARM[4], "{mode:?}: {script}");
                until(&format!("{mode:?}: {script}: {unknown}"), || {
                    gate.keep_up();
                    gate.look().is_ok()
                });
                let connected = TcpStream::connect(server.address);
                assert_eq!(connected.is_ok(), mode == Mode::Open, "{mode:?}: {script}");
                drop(connected);
                until("nothing is in use", || gate.look().is_ok_and(|count| count.busy == 0));
            }
        }
    }
}

alone! {
    fn a_session_that_came_in_while_a_seal_did_not_stand_is_not_cut_and_no_report_hides_it() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let server = Echo::listen("127.0.0.1:0");
        let gate = gate(&[server.port()]);
        until("it is sealed", || gate.set(Mode::Sealed).is_ok());
        harm("flush ruleset");
        let mut session = Session::open(server.address).unwrap();
        gate.keep_up();
        let rules = rules(&[server.port()]);
        let standing = rules.standing().unwrap();
        for _ in 0..3 {
            gate.keep_up();
            assert!(rules.standing().unwrap().is_untouched_since(&standing), "the table stays, and who is frozen in it");
            assert!(gate.look().is_err() && gate.set(Mode::Sealed).is_err());
            assert!(TcpStream::connect(server.address).is_err(), "nobody else comes in");
            session.talk().unwrap();
        }
        drop(session);
        until("it is sealed again", || {
            gate.keep_up();
            gate.look().is_ok()
        });
        assert!(TcpStream::connect(server.address).is_err());
    }
}
