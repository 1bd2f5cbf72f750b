//! The program itself: `check`, `status`, a configuration that is wrong.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::agent::{Agent, INSTANCE};
use crate::namespace::alone;
use crate::world::{Echo, Session};

/// The program: target/debug/deps/agent-… is this, target/debug/ebbtide-agent the program.
pub(crate) fn itself() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(2).unwrap().join("ebbtide-agent")
}

fn program(config: &std::path::Path, command: &str) -> (Output, String) {
    let output = Command::new(itself())
        .arg("--config")
        .arg(config)
        .arg(command)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, said)
}

alone! {
    fn check_says_what_can_be_guaranteed_and_changes_nothing() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let (config, state) = (directory.path().join("agent.toml"), directory.path().join("state.json"));
        let text = format!("ports = [{}]\nlisten = '127.0.0.1:1'\ninstance = '{INSTANCE}'\nstateFile = {state:?}\n", server.port());
        std::fs::write(&config, format!("{text}closeIdle = true\nidleAfterSeconds = 5")).unwrap();
        let _session = Session::open(server.address).unwrap();
        let (output, said) = program(&config, "check");
        assert!(output.status.success(), "{said}");
        for expected in [
            "yes  know this instance", "yes  see the server", "yes  count its connections: 1 now", "yes  refuse and seal",
            "yes  be certain of a seal", "yes  close idle sessions: the server's sockets can be reached",
        ] {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
        let tables = Command::new("nft").args(["list", "ruleset"]).output().unwrap();
        assert_eq!(String::from_utf8(tables.stdout).unwrap(), "", "nothing is left");

        std::fs::write(&config, format!("{}nft = '/nowhere/nft'\nhealth.url = 'http://127.0.0.1:1/'", text.replace(&server.port().to_string(), "9"))).unwrap();
        let (output, said) = program(&config, "check");
        assert!(!output.status.success(), "{said}");
        for expected in [
            "NO   see the server: nobody listens on [9]", "NO   refuse and seal: /nowhere/nft does not run",
            "apt-get install nftables", "NO   ask the server's own check", "yes  close idle sessions: never",
        ] {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
    }
}

alone! {
    fn status_and_metrics_say_what_the_report_says() {
        let (server, directory) = (Echo::listen("127.0.0.1:0"), tempfile::tempdir().unwrap());
        let mut agent = Agent::start(&[server.port()], directory.path(), "");
        let _session = Session::open(server.address).unwrap();
        agent.order("drain", 7);
        let (output, said) = program(&directory.path().join("agent.toml"), "status");
        assert!(output.status.success() && said.contains("busy 1\n") && said.contains("admission 1\n"), "{said}");
        let (status, metrics) = agent.ask("GET", "/metrics", &Value::Null).unwrap();
        let metrics = metrics.as_str().unwrap();
        assert!(status == 200 && metrics.contains("\nebbtide_agent_epoch 7\n"), "{metrics}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_all_that_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("agent.toml");
    std::fs::write(&config, "port = [80]\nlisten = 'here'").unwrap();
    let (output, said) = program(&config, "run");
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("did you mean ports?") && said.contains("listen: expected an address"),
        "{said}"
    );
}
