//! The error names of the state machine against the one list in code.
//!
//! A Retry or Catch that names an error which no function raises is dead, and a misspelt one is a retry that never
//! happens; both are noticed here.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expected by failing"
)]

use std::collections::BTreeSet;

use ebbtide_rules::ErrorName;
use serde_json::Value;

/// Names that Step Functions, Lambda and the SDK integrations raise themselves.
const AWS_PREFIXES: [&str; 7] = [
    "States.",
    "Lambda.",
    "Sandbox.",
    "Runtime.",
    "CloudWatch.",
    "DynamoDb.",
    "Sfn.",
];
/// Fail states of the definition: final verdicts of a deployment that ran.
const VERDICTS: [&str; 2] = ["GreenRejected", "RolledBack"];
/// Errors that a Task's Catch makes a turn of the story of: green that is not fit or not well, a plan to be made anew, and
/// a detaching that somebody else has done. Everything else fails in its Task, so that a redrive is the retry.
const TURNS: [&str; 5] = [
    "GreenUnfit",
    "GreenUnhealthy",
    "NotFitYet",
    "PlanOutdated",
    "Superseded",
];

fn machine() -> Value {
    serde_json::from_str(include_str!("../statemachine.asl.json")).expect("the definition is JSON")
}

fn states(machine: &Value) -> impl Iterator<Item = (&String, &Value)> {
    machine["States"]
        .as_object()
        .expect("the definition has States")
        .iter()
}

fn named_errors(state: &Value) -> impl Iterator<Item = &str> {
    ["Retry", "Catch"]
        .into_iter()
        .filter_map(|field| state[field].as_array())
        .flatten()
        .filter_map(|rule| rule["ErrorEquals"].as_array())
        .flatten()
        .filter_map(Value::as_str)
}

fn own() -> BTreeSet<&'static str> {
    ErrorName::ALL.iter().map(|name| name.as_str()).collect()
}

#[test]
fn every_caught_or_retried_error_exists() {
    let machine = machine();
    for (name, state) in states(&machine) {
        for error in named_errors(state) {
            let of_aws = AWS_PREFIXES.iter().any(|prefix| error.starts_with(prefix))
                || error.starts_with("DynamoDB.");
            assert!(
                of_aws || own().contains(error),
                "{name} names {error}, which nothing raises"
            );
        }
    }
}

#[test]
fn every_fail_state_ends_with_a_known_verdict() {
    let machine = machine();
    let verdicts: BTreeSet<&str> = states(&machine)
        .filter(|(_, state)| state["Type"] == "Fail")
        .filter_map(|(_, state)| state["Error"].as_str())
        .collect();
    assert_eq!(verdicts, BTreeSet::from(VERDICTS));
}

#[test]
fn what_an_operator_can_mend_fails_in_its_task() {
    let machine = machine();
    let caught: BTreeSet<&str> = states(&machine)
        .filter_map(|(_, state)| state["Catch"].as_array())
        .flatten()
        .filter_map(|rule| rule["ErrorEquals"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(caught, BTreeSet::from(TURNS));
}

#[test]
fn every_task_retries_what_may_pass_and_nothing_that_is_final() {
    let machine = machine();
    for (name, state) in states(&machine) {
        let Some(rules) = state["Retry"].as_array() else {
            assert_ne!(state["Type"], "Task", "{name} retries nothing");
            continue;
        };
        let names = |rule: &Value| -> BTreeSet<String> {
            let names = rule["ErrorEquals"].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (general, before) = rules.split_last().expect("it retries something");
        assert_eq!(
            names(general),
            BTreeSet::from(["States.TaskFailed", "States.Timeout"].map(str::to_owned)),
            "{name}: throttling, AWS's silence and a function that died pass with time"
        );
        let last = before.last().expect("a rule for what is final");
        assert_eq!(last["MaxAttempts"], 0, "{name}");
        for passing in ["Throttled", "AwsUnavailable", "CapacityUnavailable"] {
            assert!(!names(last).contains(passing), "{name} ends with {passing}");
        }
    }
}
