//! Metrics of whole deployments: each names what it must and nothing else, and the definition checks' recordings are made here.
//!
//! `EBBTIDE_RECORD_METRICS=1 cargo test --workspace --test scenarios metrics` writes what the alarms are evaluated over,
//! `tests/definition/recorded/*.jsonl`, anew.

use std::collections::BTreeSet;
use std::path::Path;

use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::alarms::State;
use ebbtide_rules::metrics::{ALL, Metric, NAMESPACE};
use serde_json::{Value, json};

use crate::rollback::{long_bake, rolled_back, watched};
use crate::scene::{Scene, hasty};

/// What every pass with a front tells.
pub(crate) const OF_A_SWITCH: &[&str] = &[
    "Phase",
    "GreenWeight",
    "WaitingSeconds",
    "Repairs",
    "UnknownSeconds",
    "Busy",
    "Idle",
    "Closed",
    "OldestBusySeconds",
    "Servers",
    "Sealed",
    "Unknown",
    "Terminated",
    "DeadlineUsed",
    "DrainSeconds",
    "ForecastSeconds",
    "DeploymentSeconds",
];
/// What two passes after settling tell that can be compared: not every deployment has them.
const OF_TWO_PASSES: &[&str] = &["SessionsGained"];
const OF_A_ROLLBACK: &[&str] = &["RollBacks", "RolledBack", "Verdicts"];
pub(crate) const OF_A_PROMOTION: &[&str] = &["Promoted"];
const OF_A_REJECTION: &[&str] = &[
    "Phase",
    "GreenWeight",
    "WaitingSeconds",
    "GreenRejected",
    "DeploymentSeconds",
    "Verdicts",
];

#[test]
fn every_metric_is_told_in_one_of_these_scenarios() {
    let told = [
        OF_A_SWITCH,
        OF_TWO_PASSES,
        OF_A_ROLLBACK,
        OF_A_PROMOTION,
        OF_A_REJECTION,
    ];
    let told = told.concat();
    let told: BTreeSet<&str> = told.into_iter().collect();
    assert_eq!(told, ALL.iter().map(|metric| metric.name).collect());
}

/// Then these metrics were told, each as the list has it, and no others.
pub(crate) async fn told(scene: &Scene, recording: &str, expected: &[&[&str]]) -> Vec<Value> {
    let logged = scene.cloud.log_lines().await.expect("lines");
    let metrics = |line: &Value| line["_aws"].is_object();
    let (lines, logged): (Vec<_>, Vec<_>) = logged.into_iter().partition(metrics);
    let mut names: BTreeSet<String> = lines.iter().flat_map(named).collect();
    names.retain(|name| !OF_TWO_PASSES.contains(&name.as_str()));
    let expected = expected.concat();
    assert_eq!(names, expected.iter().map(|it| (*it).to_owned()).collect());
    if std::env::var_os("EBBTIDE_RECORD_METRICS").is_some() {
        record(recording, &lines);
        record(&format!("{recording}.log"), &one_of_each(logged));
    }
    lines
}

/// The metrics of a line, by its directives.
fn named(line: &Value) -> Vec<String> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array();
    let mut names = Vec::new();
    for directive in directives.expect("directives") {
        assert_eq!(directive["Namespace"], NAMESPACE);
        for metric in directive["Metrics"].as_array().expect("metrics") {
            let name = metric["Name"].as_str().expect("a name");
            let known = ALL.iter().find(|known| known.name == name);
            let known = known.unwrap_or_else(|| panic!("{name} is not in the list"));
            is_as_listed(line, known, &directive["Dimensions"], metric);
            names.push(name.to_owned());
        }
    }
    names
}

fn is_as_listed(line: &Value, known: &Metric, dimensions: &Value, metric: &Value) {
    assert_eq!(dimensions, &json!([known.dimensions]), "{}", known.name);
    assert_eq!(metric["Unit"], known.unit, "{}", known.name);
    assert!(line[known.name].is_number(), "{}", known.name);
    assert!(known.dimensions.iter().all(|it| line[*it].is_string()));
}

/// Of the lines that a function logged in one place, the first.
fn one_of_each(mut logged: Vec<Value>) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    logged.retain(|line| seen.insert((line["target"].to_string(), line["message"].to_string())));
    logged
}

fn record(name: &str, lines: &[Value]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("definition/recorded");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join(format!("{name}.jsonl")), text).expect("a file");
}

fn sum(lines: &[Value], metric: &str) -> f64 {
    lines.iter().filter_map(|line| line[metric].as_f64()).sum()
}

fn highest(lines: &[Value], metric: &str) -> f64 {
    let values = lines.iter().filter_map(|line| line[metric].as_f64());
    values.fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_deployment_that_ends_well() {
    // Given somebody idle, and somebody busy who leaves in the end
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(9).await;
    let mut busy = scene.busy("busy").await;
    let execution = scene.deploy(&hasty()).await;
    scene.all_handed_over(&idle).await;
    scene.passes(&execution, "TerminateBlue", 3).await;
    busy.leave();
    scene.promoted(&execution).await;
    // Then its metrics are those of the deployment
    let lines = told(&scene, "promoted", &[OF_A_SWITCH, OF_A_PROMOTION]).await;
    assert_eq!(
        (sum(&lines, "Promoted"), sum(&lines, "SessionsGained")),
        (1.0, 0.0)
    );
    assert_eq!(
        (highest(&lines, "Closed"), highest(&lines, "Terminated")),
        (9.0, 3.0)
    );
    assert_eq!(
        (highest(&lines, "Unknown"), sum(&lines, "Repairs")),
        (0.0, 0.0)
    );
    assert!(highest(&lines, "Busy") > 0.0);
    assert!(lines.iter().any(|line| line["SessionsGained"] == 0.0));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_deployment_that_is_rolled_back() {
    let scene = Scene::of_three_blue_servers().await;
    scene.quiet_alarm("errors").await;
    let execution = scene.deploy(&watched(long_bake())).await;
    scene.passes(&execution, "DecidePass", 2).await;
    let fires = scene.cloud.set_alarm("errors", State::Alarm).await;
    fires.expect("it fires");
    rolled_back(&scene, &execution, "errors").await;
    let lines = told(&scene, "rolled-back", &[OF_A_SWITCH, OF_A_ROLLBACK]).await;
    assert_eq!(
        (sum(&lines, "RollBacks"), sum(&lines, "RolledBack")),
        (1.0, 1.0)
    );
    assert_eq!(sum(&lines, "Verdicts"), 3.0);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_deployment_whose_green_is_rejected() {
    let scene = Scene::of_three_blue_servers().await;
    let sick = scene.cloud.add_version("stand-in --health 503").await;
    sick.expect("a version");
    let input = json!({"green": {"healthySeconds": 10}});
    let execution = scene.deploy(&input).await;
    scene.fails_with(&execution, "GreenRejected").await;
    let lines = told(&scene, "green-rejected", &[OF_A_REJECTION]).await;
    assert_eq!(sum(&lines, "GreenRejected"), 1.0);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_drain_that_hangs_on_one_server() {
    // Given a blue server whose process dies, and a drain that may take 30 s
    let scene = Scene::of_three_blue_servers().await;
    let mut input = hasty();
    input["drain"]["deadlineSeconds"] = json!(30);
    let execution = scene.deploy(&input).await;
    scene.passes(&execution, "DrainIdle", 1).await;
    let dead = scene.blue()[0].clone();
    scene.cloud.host().kill(&dead).expect("it is killed");
    scene.fails_with(&execution, "DrainDeadlineExceeded").await;
    // When an operator ends it and redrives
    scene
        .cloud
        .terminate(&dead)
        .await
        .expect("it is terminated");
    let again: Execution = scene.redriven(&execution).await;
    scene.promoted(&again).await;
    // Then the silence and the deadline were told, and are over
    let lines = told(&scene, "hung", &[OF_A_SWITCH, OF_A_PROMOTION]).await;
    assert!(highest(&lines, "UnknownSeconds") > 10.0);
    assert!(highest(&lines, "DeadlineUsed") > 50.0);
    let last = lines
        .iter()
        .rev()
        .find_map(|line| line["UnknownSeconds"].as_f64());
    assert_eq!(last, Some(0.0));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_deployment_that_waits_at_a_gate() {
    let scene = Scene::of_three_blue_servers().await;
    let mut input = hasty();
    input["approve"] = json!(["switch"]);
    let execution = scene.deploy(&input).await;
    // When it has looked some times whether somebody opens the gate, and somebody does
    scene.passes(&execution, "RecordSwitch", 5).await;
    let resume = scene
        .deploy(&json!({"resume": execution.name(), "who": "somebody"}))
        .await;
    scene.ends_well(&resume).await;
    scene.promoted(&execution).await;
    // Then it was told how long it stood there, and that it went on
    let lines = told(&scene, "gate", &[OF_A_SWITCH, OF_A_PROMOTION]).await;
    assert!(highest(&lines, "WaitingSeconds") > 5.0);
    let last = lines
        .iter()
        .rev()
        .find_map(|line| line["WaitingSeconds"].as_f64());
    assert_eq!(last, Some(0.0));
    scene.ends().await;
}
