//! A server that nobody changed, with the agent beside it: a whole deployment, every instance in a network namespace of its own.
//!
//! Runs the demo as a person does, smaller; it judges by itself what its clients saw. It needs mosquitto, nftables and iproute2,
//! and root or user namespaces, and fails where it has not got them.

use std::process::Stdio;

use ebbtide_local_cloud::places;
use serde_json::Value;

#[tokio::test]
async fn mosquitto_is_replaced_under_its_clients_and_no_message_is_lost() {
    let reports = tempfile::tempdir().expect("a directory");
    let program = places::programs().expect("programs").join("ebbtide-local");
    let demo = tokio::process::Command::new(program)
        .args(["demo", "--server", "mosquitto", "--clients", "40"])
        .args(["--busy", "12", "--report"])
        .arg(reports.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let demo = demo.await.expect("the demo runs");
    let said = String::from_utf8_lossy(&demo.stdout) + String::from_utf8_lossy(&demo.stderr);
    assert!(demo.status.success(), "{said}");
    let report = std::fs::read(reports.path().join("report.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let seen = |field: &str| report[field].as_u64().expect("a number");
    assert_eq!((seen("busyCut"), seen("requestsFailed")), (0, 0), "{said}");
    assert_eq!((seen("openAtEndOnGreen"), seen("blueTerminated")), (40, 3));
}
