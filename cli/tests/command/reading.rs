//! `status`, `watch`, `history`, `plan`, `explain`, and how they end where AWS does not give them what they need.

use serde_json::{Value, json};

use super::{Fake, World, kept, quiet, world};

#[tokio::test]
async fn status_shows_the_front_and_its_servers() {
    let fake = Fake::of(world("bake")).await;
    let done = fake.run(&["status", "--output", "json"]).await;
    assert_eq!((done.status, done.err.as_str()), (Some(0), ""));
    let view = done.json();
    assert_eq!(view["front"]["name"], "deploy-20261129-161316994");
    assert_eq!(view["front"]["empties"]["busy"], 8);
    assert_eq!(view["front"]["acting"]["state"], "WaitBeforeNextPass");
    assert_eq!(view["front"]["bars"][0]["what"], "bake");
    assert_eq!(view["counted"].as_array().map(Vec::len), Some(1));
    let done = fake.run(&["status"]).await;
    assert!(
        done.out.contains("● front    deploy-20261129-161316994"),
        "{done:?}"
    );
    assert!(!done.out.contains('\x1b'), "no colours without a terminal");
}

#[tokio::test]
async fn the_record_is_read_consistently_and_each_event_once() {
    let fake = Fake::of(world("bake")).await;
    fake.run(&["status"]).await;
    let calls = fake.calls();
    let record = calls.iter().find(|it| it.action == "dynamodb:GetItem");
    assert_eq!(record.expect("it was read").asked["ConsistentRead"], true);
    let history = calls
        .iter()
        .filter(|it| it.action == "states:GetExecutionHistory");
    let asked: Vec<(&Value, &Value)> = history
        .map(|it| (&it.asked["maxResults"], &it.asked["includeExecutionData"]))
        .collect();
    // How many there are, and then those with their documents
    assert_eq!(
        asked,
        [(&json!(1), &json!(false)), (&json!(6), &json!(true))]
    );
}

#[tokio::test]
async fn watch_ends_when_nothing_is_under_way() {
    let fake = quiet().await;
    let done = fake.run(&["watch"]).await;
    assert_eq!(done.status, Some(0));
    assert!(done.out.contains("the front is free"), "{done:?}");
}

#[tokio::test]
async fn history_has_the_last_first_and_says_why_one_failed() {
    let fake = quiet().await;
    let done = fake.run(&["history"]).await;
    let lines: Vec<&str> = done.out.lines().collect();
    assert!(
        lines[0].contains("RolledBack     second  took 1 min 5 s"),
        "{done:?}"
    );
    assert!(lines[1].contains("in state ALARM: errors"), "{done:?}");
    assert!(lines[2].contains("Promoted       first"), "{done:?}");
    let done = fake
        .run(&["history", "--limit", "1", "--output", "json"])
        .await;
    assert_eq!(done.json().as_array().map(Vec::len), Some(1));
    let done = Fake::of(World::default()).await.run(&["history"]).await;
    assert_eq!(done.out, "no deployment has ended yet\n");
}

/// A plan as PlanDeployment makes it, of the record of a real deployment.
fn plan() -> Value {
    let mut recorded = kept("bake")["record"]["front"]["plan"].clone();
    recorded["warnings"] = json!(["the alarm errors needs 300 s to fire"]);
    json!({
        "deployment": "plan-1", "execution": "arn:plan", "service": "tunnel", "epoch": 3,
        "next": "deploy", "dryRun": true, "servers": [], "recorded": recorded,
    })
}

#[tokio::test]
async fn a_plan_is_a_dry_run_and_readable() {
    let output = |output: &Value| json!({"status": "SUCCEEDED", "output": output.to_string()});
    let mut world = World::default();
    // As AWS gives it, and as the local cloud's emulator does
    let whole = json!({"plan": plan(), "record": {}});
    world.verdicts.extend([output(&plan()), output(&whole)]);
    let refused = "2 reasons";
    let failed = json!({"status": "FAILED", "error": "PreflightRefused", "cause": json!({"errorMessage": refused}).to_string()});
    world.verdicts.push_back(failed);
    let fake = Fake::of(world).await;
    for _ in 0..2 {
        let done = fake.run(&["plan", "--set", "bake.seconds=25"]).await;
        assert_eq!(done.status, Some(0), "{done:?}");
        for part in [
            "Nothing was touched",
            "launch 3 servers in tunnel-c, version 1",
            "50 %, 100 %, 8 s each",
            "WARNING   the alarm",
        ] {
            assert!(done.out.contains(part), "{part}: {done:?}");
        }
    }
    assert_eq!(
        fake.started()[0],
        json!({"bake": {"seconds": 25}, "dryRun": true})
    );
    let done = fake.run(&["plan"]).await;
    assert_eq!(done.status, Some(1));
    assert_eq!(
        done.err,
        "ebbtide: nothing was touched. PreflightRefused: 2 reasons\n"
    );
}

#[tokio::test]
async fn explain_needs_neither_aws_nor_a_stack() {
    let fake = Fake::of(World::default()).await;
    let done = fake.run(&["explain", "weightscontested"]).await;
    assert_eq!(done.status, Some(0));
    assert!(
        done.out.contains("then redrive: the weights are set again"),
        "{done:?}"
    );
    let names = fake.run(&["explain", "--output", "json"]).await.json();
    assert!(
        names
            .as_array()
            .is_some_and(|it| it.contains(&json!("GreenRejected"))),
        "{names}"
    );
    let done = fake.run(&["explain", "GreenRejectet"]).await;
    assert_eq!(done.status, Some(4));
    assert!(done.err.contains("did you mean GreenRejected?"), "{done:?}");
    assert_eq!(fake.calls(), []);
}

#[tokio::test]
async fn completions_and_the_manual_are_printed() {
    let fake = Fake::of(World::default()).await;
    for shell in ["bash", "zsh", "fish"] {
        let done = fake.run(&["completions", shell]).await;
        assert!(done.out.contains("rollback"), "{shell}");
    }
    let done = fake.run(&["man"]).await;
    assert!(
        done.out.contains(".TH ebbtide 1") && done.out.contains("Exit status"),
        "{done:?}"
    );
}

#[tokio::test]
async fn every_way_to_fail_has_a_status_of_its_own() {
    let fake = quiet().await;
    let status = async |arguments: &[&str]| fake.run(arguments).await.status;
    assert_eq!(status(&["status", "--stack", "other"]).await, Some(4));
    assert_eq!(status(&["status", "--no-such-option"]).await, Some(2));
    assert_eq!(
        status(&["deploy", "--set", "bake.seconds=-1"]).await,
        Some(2)
    );
    assert_eq!(status(&["status", "--stack", ""]).await, Some(2));
    let denied = World {
        denied: Some("dynamodb:GetItem"),
        ..World::default()
    };
    let done = Fake::of(denied).await.run(&["status"]).await;
    assert_eq!(done.status, Some(3));
    assert!(done.err.contains("docs/cli.md has the policy"), "{done:?}");
    let mut newer = World::default();
    let record = json!({"shape": 99, "revision": "of another kind"});
    newer.items.insert("record".to_owned(), record);
    let done = Fake::of(newer).await.run(&["status"]).await;
    assert_eq!(done.status, Some(5));
    assert!(done.err.contains("shape 99"), "{done:?}");
}
