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
/// Fail states of the definition, final verdicts that no function raises.
const VERDICTS: [&str; 6] = [
    "DeploymentInProgress",
    "GreenRejected",
    "PreflightRefused",
    "RollBackRefused",
    "RolledBack",
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
fn what_an_operator_can_mend_is_retried_or_fails_in_its_task() {
    let machine = machine();
    let caught: Vec<&str> = states(&machine)
        .filter_map(|(_, state)| state["Catch"].as_array())
        .flatten()
        .filter_map(|rule| rule["ErrorEquals"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .filter(|error| own().contains(error))
        .collect();
    assert_eq!(
        caught,
        ["GreenUnhealthy", "GreenUnhealthy"],
        "a caught error ends in a Fail state, which no redrive mends: only lasting ill health of green is, by rolling back"
    );
}

#[test]
fn throttling_is_retried_by_every_function_that_calls_aws() {
    let machine = machine();
    for (name, state) in states(&machine) {
        let function = state["Arguments"]["FunctionName"]
            .as_str()
            .unwrap_or_default();
        let session_side = ["TestGreen", "DrainIdle", "CheckDrained", "ResumeBlue"]
            .iter()
            .any(|side| function.contains(side));
        if !function.is_empty() && !session_side {
            let retried: BTreeSet<&str> = named_errors(state).collect();
            assert!(
                retried.contains("Throttled") && retried.contains("AwsUnavailable"),
                "{name}"
            );
        }
    }
}
