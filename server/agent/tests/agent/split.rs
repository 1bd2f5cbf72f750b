//! The two processes of the agent: what the one that listens may not do, and what becomes of it without the other.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ebbtide_agent::channel::Channel;
use ebbtide_agent::orders::{Change, Orders};
use ebbtide_agent::rules::Begin;
use ebbtide_agent::sockets::{Detail, connections, listeners};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::agent::{Agent, ENDPOINT, INSTANCE};
use crate::commands::itself;
use crate::namespace::alone;
use crate::world::{Echo, PATIENCE, Session, helper, rules, runtime, until};

/// The program itself, with no more than the capability that its unit gives it.
struct Program(Child);

impl Program {
    fn start(server: &Echo, directory: &std::path::Path) -> Self {
        let (config, state) = (directory.join("agent.toml"), directory.join("state.json"));
        let text = format!(
            "ports = [{}]\nlisten = '{ENDPOINT}'\ninstance = '{INSTANCE}'\nstateFile = {state:?}",
            server.port()
        );
        fs::write(&config, text).unwrap();
        let mut setpriv = Command::new("setpriv");
        let only = "-all,+net_admin";
        setpriv.args([
            "--bounding-set",
            only,
            "--inh-caps",
            only,
            "--ambient-caps",
            only,
        ]);
        let started = setpriv
            .arg(itself())
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .spawn();
        let program = Self(started.expect("setpriv runs (package util-linux)"));
        until("it listens", || {
            !listeners(ENDPOINT.port()).unwrap().is_empty()
        });
        program
    }

    /// The process below it that is no `nft`.
    fn listener(&self) -> u32 {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let below = |number: &u32| {
            field(&format!("/proc/{number}/status"), "PPid") == self.0.id().to_string()
        };
        let listens = |number: &u32| {
            fs::read_to_string(format!("/proc/{number}/cmdline"))
                .is_ok_and(|line| line.ends_with("listen\0"))
        };
        let mut found = numbers.filter(below).filter(listens);
        found.next().expect("the listening process")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

fn capabilities(status: &str, set: &str) -> u64 {
    u64::from_str_radix(&field(status, set), 16).unwrap_or_else(|_| panic!("{status} has {set}"))
}

/// The inodes of its sockets.
fn holds(process: u32) -> BTreeSet<String> {
    let table = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .flatten();
    table
        .filter_map(|entry| fs::read_link(entry.path()).ok()?.to_str().map(Into::into))
        .collect()
}

alone! {
    fn the_process_that_listens_has_no_capability_and_the_one_that_has_does_not_listen() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let program = Program::start(&server, directory.path());
        let (helper, listener) = (program.0.id(), program.listener());
        let mut threads = 0;
        for thread in fs::read_dir(format!("/proc/{listener}/task")).unwrap() {
            let status = thread.unwrap().path().join("status").to_str().unwrap().to_owned();
            for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
                assert_eq!(capabilities(&status, set), 0, "{set} of {status}");
            }
            assert_eq!(field(&status, "NoNewPrivs"), "1");
            threads += 1;
        }
        assert!(threads > 1, "those of its runtime too");
        assert_ne!(capabilities(&format!("/proc/{helper}/status"), "CapEff"), 0);
        let socket = format!("socket:[{}]", listeners(ENDPOINT.port()).unwrap()[0]);
        assert!(holds(listener).contains(&socket) && !holds(helper).contains(&socket));
    }
}

alone! {
    fn whoever_may_shrink_the_bounding_set_leaves_nothing_in_it() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let config = directory.path().join("agent.toml");
        drop(Program::start(&server, directory.path()));
        until("it has ended", || listeners(ENDPOINT.port()).unwrap().is_empty());
        let program = Program(Command::new(itself()).arg("--config").arg(config).stdin(Stdio::null()).spawn().unwrap());
        until("it listens", || !listeners(ENDPOINT.port()).unwrap().is_empty());
        assert_eq!(capabilities(&format!("/proc/{}/status", program.listener()), "CapBnd"), 0);
    }
}

/// Asks a helper as nobody does who is in order.
fn ask(helper: &Channel, seconds: u64, order: &Value) -> Result<Value, String> {
    let until = json!({ "secs": seconds, "nanos": 0 });
    helper
        .send(&json!({ "number": 7, "until": until, "order": order }))
        .unwrap();
    let answer = helper
        .receive(Some(PATIENCE))
        .unwrap()
        .expect("the helper lives");
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["number"], 7);
    match answer["said"].get("Ok") {
        Some(said) => Ok(said.clone()),
        None => Err(answer["said"]["Err"].as_str().unwrap().to_owned()),
    }
}

const IN_TIME: u64 = u32::MAX as u64;

/// Of this connection to this server, as the kernel has it.
fn client(server: SocketAddr, inode: u32) -> Value {
    let socket = &connections(&[server.port()], Detail::Presence).unwrap()[0];
    json!({ "port": server.port(), "peer": socket.peer, "inode": inode })
}

fn inode(server: SocketAddr) -> u32 {
    let inode = || connections(&[server.port()], Detail::Presence).unwrap()[0].inode;
    until("it is accepted", || inode() != 0);
    inode()
}

fn ruleset() -> String {
    let listed = Command::new("nft")
        .args(["list", "ruleset"])
        .output()
        .unwrap();
    String::from_utf8(listed.stdout).unwrap()
}

alone! {
    fn what_is_none_of_the_five_orders_is_refused_and_so_is_another_port() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let (served, other) = (Echo::listen("127.0.0.1:0"), Echo::listen("127.0.0.1:0"));
        let helper = helper(&[served.port()], true);
        let mut sessions = [served.address, other.address].map(|address| Session::open(address).unwrap());
        let (own, foreign) = (inode(served.address), inode(other.address));
        for order in [
            json!("run"), json!({ "run": "flush ruleset" }), json!({ "look": { "table": "filter" } }),
            json!({ "install": { "refusing": "filter" } }), json!({ "install": {} }), json!({ "install": "filter" }),
            json!({ "change": "flush" }), json!({ "change": { "drop": [22] } }), json!(["change", "drop", 22]),
            json!({ "freeze": { "client": client(served.address, own), "on": true, "set": "sealed" } }),
        ] {
            let refused = ask(&helper, IN_TIME, &order).unwrap_err();
            assert!(refused.starts_with("none of the orders"), "{order}: {refused}");
        }
        assert_eq!(ask(&helper, 0, &json!({ "install": "refusing" })).unwrap_err(), "the order came too late");
        assert_eq!(ruleset(), "", "nothing was done");

        ask(&helper, IN_TIME, &json!({ "install": "accepting" })).unwrap();
        let installed = ruleset();
        let freeze = |client: Value| json!({ "freeze": { "client": client, "on": true } });
        let shut_down = |client: Value| json!({ "shutDown": client });
        for (order, why) in [
            (freeze(client(other.address, foreign)), "none of the ports"),
            (shut_down(client(other.address, foreign)), "none of the ports"),
            (freeze(client(served.address, foreign)), "is another's"),
            (shut_down(client(served.address, own)), "is not frozen"),
        ] {
            let refused = ask(&helper, IN_TIME, &order).unwrap_err();
            assert!(refused.contains(why), "{order}: {refused}");
        }
        assert_eq!(ruleset(), installed, "nothing was done");
        for session in &mut sessions {
            session.talk().unwrap();
        }
        // And what may be ordered is carried out.
        until("the session is ended", || {
            ask(&helper, IN_TIME, &freeze(client(served.address, own))).unwrap();
            ask(&helper, IN_TIME, &shut_down(client(served.address, own))).is_ok()
        });
        assert_eq!(sessions[0].hear().unwrap(), None);
        sessions[1].talk().unwrap();
    }
}

alone! {
    fn without_close_idle_no_session_can_be_frozen_or_ended() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let server = Echo::listen("127.0.0.1:0");
        let helper = helper(&[server.port()], false);
        let _session = Session::open(server.address).unwrap();
        ask(&helper, IN_TIME, &json!({ "install": "accepting" })).unwrap();
        let client = client(server.address, inode(server.address));
        for order in [json!({ "freeze": { "client": client, "on": true } }), json!({ "shutDown": client })] {
            assert!(ask(&helper, IN_TIME, &order).unwrap_err().contains("closeIdle is false"));
        }
    }
}

alone! {
    fn a_helper_that_hangs_is_unknown_and_nobody_is_told_a_guess() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let mut agent = Agent::start(&[server.port()], directory.path(), "");
        assert_eq!(agent.report().0, 200);
        kill_process(agent.helper(), Signal::STOP).unwrap();
        let (status, body) = agent.report_once();
        assert!(status == 500 && body["error"] == "Unknown", "{body}");
        assert!(body.to_string().contains("did not answer within"), "{body}");
        assert_eq!(agent.order_once("seal", 1).unwrap().0, 500);
        kill_process(agent.helper(), Signal::CONT).unwrap();
        let (status, body) = agent.report();
        assert_eq!((status, &body["admission"]), (200, &"open".into()));
        Session::open(server.address).unwrap().talk().unwrap();
    }
}

/// The median of so many.
fn median(mut once: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let begun = Instant::now();
            once();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

alone! {
    #[ignore = "measures this machine"]
    fn what_the_way_to_the_helper_costs() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let server = Echo::listen("127.0.0.1:0");
        let ports = [server.port()];
        let (rules, orders) = (rules(&ports), Orders::new(helper(&ports, false)));
        rules.install(Begin::Accepting).unwrap();
        for round in 0..3 {
            let looked = median(|| drop(rules.standing().unwrap()));
            let asked = median(|| drop(orders.look().unwrap()));
            let changed = median(|| rules.lift().unwrap());
            let ordered = median(|| orders.change(Change::Lift).unwrap());
            eprintln!("{round}: look {looked:?}, by order {asked:?}; change {changed:?}, by order {ordered:?}");
        }
    }
}
