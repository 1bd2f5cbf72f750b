//! The command: what it prints, its exit status, and what it makes of the commands that it is given.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;

use crate::by_hand::{Fault, serve};
use crate::guard;
use crate::process::{Process, Start, free};
use crate::signed::{digits, guarded};

fn tool(arguments: &[&str]) -> Output {
    // Beside this test's directory. Cargo's own variable has a name that .cargo/rustc, a shell, does not hand on.
    let here = std::env::current_exe().unwrap();
    let built = here.parent().and_then(Path::parent).unwrap();
    Command::new(built.join("ebbtide-conformance"))
        .args(arguments)
        .output()
        .unwrap()
}

fn process(fault: Fault) -> Arc<Process> {
    started(Arc::new(move |public, private, state| {
        Box::pin(serve(fault, public, private, state))
    }))
}

fn started(start: Start) -> Arc<Process> {
    let process = Process::new(start);
    while std::net::TcpStream::connect(process.private()).is_err() {
        std::thread::yield_now();
    }
    process
}

#[test]
fn without_hands_the_rest_is_tried_and_it_says_what_is_not() {
    let process = process(Fault::None);
    let url = format!("http://{}/sessions", process.private());
    let done = tool(&["--url", &url]);
    let printed = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{printed}");
    assert!(printed.contains("passed     stale-epoch: "), "{printed}");
    assert!(printed.contains("not tried  counts: "), "{printed}");
    assert!(printed.contains("(it takes --open-session)"), "{printed}");
    assert!(printed.contains("(it takes --keys)"), "{printed}");
    assert!(
        printed.ends_with("13 passed, 0 failed, 20 not tried\n"),
        "{printed}"
    );
    // It is sealed by now.
    assert_eq!(tool(&["--url", &url]).status.code(), Some(2));
}

#[test]
fn a_fault_is_named_and_told_and_is_the_exit_status() {
    let process = process(Fault::OtherInstanceAccepted);
    let url = format!("http://{}/sessions", process.private());
    let done = tool(&["--url", &url, "--output", "json"]);
    assert_eq!(done.status.code(), Some(1));
    let verdict: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(verdict["conforms"], false);
    let rules = verdict["rules"].as_array().unwrap();
    let line = rules.iter().find(|line| line["rule"] == "wrong-instance");
    assert_eq!(line.unwrap()["outcome"], "failed");
    let seen = line.unwrap()["seen"].as_str().unwrap();
    assert!(
        seen.starts_with("drain: 409 WrongInstance was due, seen 200 "),
        "{seen}"
    );
}

#[test]
fn where_nobody_answers_nothing_is_tried() {
    let url = format!("http://{}/sessions", free()[1]);
    assert_eq!(tool(&["--url", &url]).status.code(), Some(2));
}

#[test]
fn without_keys_where_they_are_needed_nothing_is_tried_and_it_says_what_to_give() {
    let process = started(guarded(guard::Fault::None, digits("a1")));
    let url = format!("http://{}/sessions", process.private());
    let file = process.keys();
    let told = |arguments: &[&str]| {
        let done = tool(&[&["--url", &url], arguments].concat());
        assert_eq!(done.status.code(), Some(2));
        String::from_utf8(done.stderr).unwrap()
    };
    let said = told(&[]);
    assert!(said.contains("takes signed calls only: --keys"), "{said}");
    let keys = ["--keys", file.to_str().unwrap()];
    let said = told(&keys);
    assert!(said.contains("No such file"), "{said}");
    std::fs::write(&file, "a secret that was pasted in").unwrap();
    let said = told(&keys);
    assert!(said.contains("64 hexadecimal digits"), "{said}");
    assert!(!said.contains("pasted"), "{said}");
    std::fs::write(&file, digits("a1")).unwrap();
    let done = tool(&[&["--url", &url], &keys[..]].concat());
    let printed = String::from_utf8(done.stdout).unwrap();
    assert!(
        printed.ends_with("20 passed, 0 failed, 13 not tried\n"),
        "{printed}"
    );
}

/// A client that prints a line once it is greeted, and lasts as long as its connection.
fn guest(server: SocketAddr, then: &str) -> String {
    let (ip, port) = (server.ip(), server.port());
    format!(
        r#"exec bash -c 'exec 3<>/dev/tcp/{ip}/{port} && read -r greeting <&3 && [ "$greeting" = welcome ] && echo open && {then}'"#
    )
}

/// What the tool prints of the server in Node that is started with these arguments.
fn in_node(directory: &Path, of_server: &str, of_tool: &[&str]) -> String {
    let node = std::env::var("EBBTIDE_NODE").expect("EBBTIDE_NODE");
    let server =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/endpoint-node/server.js");
    let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (state, pid) = (at("state.json"), at("pid"));
    let [public, private] = free();
    let (ip, port, sessions_port) = (public.ip(), public.port(), private.port());
    let server = server.to_str().unwrap();
    let start = format!(
        "'{node}' '{server}' {of_server} i-0a1 '{state}' {ip} {port} {sessions_port} 300 >/dev/null 2>&1 & echo $! >'{pid}'"
    );
    let end = format!("kill -9 $(cat '{pid}')");
    let sh = |command: &str| Command::new("sh").arg("-c").arg(command).status().unwrap();
    assert!(sh(&start).success());
    while std::net::TcpStream::connect(private).is_err() {
        std::thread::yield_now();
    }
    let url = format!("http://{private}/sessions");
    let open = guest(public, "exec cat <&3");
    let busy = guest(
        public,
        "{ cat <&3 & while echo hello >&3; do sleep 0.05; done; }",
    );
    let restart = format!("{end}; {start}");
    let fresh = format!("{end}; rm -f '{state}'; {start}");
    let arguments = [
        ["--url", &url],
        ["--instance", "i-0a1"],
        ["--open-session", &open],
        ["--busy", &busy],
        ["--restart", &restart],
        ["--fresh", &fresh],
        ["--rounds", "3"],
    ];
    let done = tool(&[arguments.as_flattened(), of_tool].concat());
    sh(&end);
    let printed = String::from_utf8(done.stdout).unwrap();
    println!("{printed}");
    assert_eq!(done.status.code(), Some(0), "{printed}");
    printed
}

#[test]
#[ignore = "takes Node, in EBBTIDE_NODE: make unit gives it"]
fn the_server_in_node() {
    let directory = tempfile::tempdir().unwrap();
    let printed = in_node(directory.path(), "", &[]);
    assert!(
        printed.ends_with("25 passed, 0 failed, 8 not tried\n"),
        "{printed}"
    );
}

#[test]
#[ignore = "takes Node, in EBBTIDE_NODE: make unit gives it"]
fn the_server_in_node_with_keys() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    std::fs::write(&file, format!("{}\n{}\n", digits("a1"), digits("b2"))).unwrap();
    let file = file.to_str().unwrap();
    let printed = in_node(
        directory.path(),
        &format!("--keys '{file}'"),
        &["--keys", file],
    );
    assert!(
        printed.ends_with("33 passed, 0 failed, 0 not tried\n"),
        "{printed}"
    );
}
