//! The command as it is typed, against an AWS of the tests: what it asks, what it prints, how it ends.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expected by failing"
)]

mod fake;
mod page;
mod policy;
mod reading;
mod wishes;

use fake::{Fake, World, arn, described};
use serde_json::{Value, json};

/// A look at a real deployment on the local cloud, as the view's tests have it.
fn kept(name: &str) -> Value {
    let text = match name {
        "bake" => include_str!("../../src/view/examples/bake.json"),
        _ => include_str!("../../src/view/examples/failed.json"),
    };
    serde_json::from_str(text).expect("JSON")
}

/// A world in which that look is what there is to be seen.
fn world(name: &str) -> World {
    let kept = kept(name);
    let mut world = World::default();
    world
        .items
        .insert("record".to_owned(), kept["record"].clone());
    for execution in kept["executions"].as_array().expect("a list") {
        let arn = execution["arn"].as_str().expect("an ARN");
        let mut verdict = json!({"status": execution["status"]});
        for field in ["error", "cause"] {
            if execution[field].is_string() {
                verdict[field] = execution[field].clone();
            }
        }
        world
            .executions
            .insert(arn.to_owned(), described(arn, &verdict));
        world.events = events(&execution["document"]);
    }
    world
}

/// The end of a pass: a check, what was decided, the wait.
fn events(document: &Value) -> Vec<Value> {
    let event = |id: u64, kind: &str, details: &str, state: &str, what: &str| {
        json!({
            "id": id, "timestamp": 1_795_341_600 + id, "type": kind,
            details: {"name": state, what: document.to_string()},
        })
    };
    let entered = |id, state| {
        event(
            id,
            "TaskStateEntered",
            "stateEnteredEventDetails",
            state,
            "input",
        )
    };
    let left = |id, state| {
        event(
            id,
            "TaskStateExited",
            "stateExitedEventDetails",
            state,
            "output",
        )
    };
    vec![
        json!({"id": 1, "timestamp": 1_795_341_600, "type": "ExecutionStarted"}),
        entered(2, "CheckDrained"),
        left(3, "CheckDrained"),
        entered(4, "DecidePass"),
        left(5, "DecidePass"),
        entered(6, "WaitBeforeNextPass"),
    ]
}

/// How a deployment ended, as keep-record leaves it.
fn outcome(deployment: &str, outcome: &str, minute: u32) -> Value {
    json!({
        "deployment": deployment, "outcome": outcome, "reason": "in state ALARM: errors", "epoch": 3, "execution": arn(deployment),
        "claimedAt": "2026-11-22T10:00:00Z", "switchedAt": "2026-11-22T10:01:00Z", "bakedAt": null,
        "endedAt": format!("2026-11-22T10:{minute:02}:00Z"), "seconds": 65, "closed": 12, "terminated": 3, "passes": 7, "parts": 1,
        "service": "tunnel", "item": format!("deployment {deployment}"),
    })
}

/// A world with two outcomes and nothing under way.
async fn quiet() -> Fake {
    let mut world = World::default();
    for (name, how, minute) in [("first", "Promoted", 10), ("second", "RolledBack", 20)] {
        let item = outcome(name, how, minute);
        world.items.insert(format!("deployment {name}"), item);
    }
    Fake::of(world).await
}
