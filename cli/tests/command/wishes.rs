//! `deploy`, and the wishes: what is started, and what is said of the verdict.

use serde_json::{Value, json};

use super::{Fake, World, arn, quiet, world};

const BAKING: &str = "deploy-20261129-161316994";

fn told(reason: &str) -> Value {
    let output = json!({"outcome": "Told", "reason": reason}).to_string();
    json!({"status": "SUCCEEDED", "output": output})
}

fn refused(error: &str, cause: &str) -> Value {
    let cause = json!({"errorMessage": cause}).to_string();
    json!({"status": "FAILED", "error": error, "cause": cause})
}

#[tokio::test]
async fn a_wish_is_an_execution_with_who_and_why_and_its_reason_is_printed() {
    for (command, field) in [
        ("pause", "pause"),
        ("resume", "resume"),
        ("promote", "promote"),
        ("rollback", "rollBack"),
        ("abort", "abort"),
    ] {
        let mut baking = world("bake");
        baking
            .verdicts
            .push_back(told("it is done in the next pass"));
        let fake = Fake::of(baking).await;
        let done = fake.run(&[command, "--why", "errors rise"]).await;
        assert_eq!(done.status, Some(0), "{done:?}");
        assert_eq!(done.out, "it is done in the next pass\n");
        let input = json!({field: BAKING, "who": "sam", "why": "errors rise"});
        assert_eq!(fake.started(), [input]);
    }
}

#[tokio::test]
async fn promote_says_force_only_when_it_is_meant() {
    let mut baking = world("bake");
    baking.verdicts.extend([told("promoted"), told("promoted")]);
    let fake = Fake::of(baking).await;
    fake.run(&["promote", "--who", ""]).await;
    fake.run(&["promote", "--force", "--who", "ann", "--output", "json"])
        .await;
    let wanted = [
        json!({"promote": BAKING}),
        json!({"promote": BAKING, "force": true, "who": "ann"}),
    ];
    assert_eq!(fake.started(), wanted);
}

#[tokio::test]
async fn a_refusal_is_told_with_what_to_do_instead() {
    let mut baking = world("bake");
    let cause = "it drains: deploy the former version";
    baking.verdicts.push_back(refused("WishRefused", cause));
    let done = Fake::of(baking).await.run(&["abort"]).await;
    assert_eq!(done.status, Some(1));
    let wanted = format!("ebbtide: abort of {BAKING} did not come about. WishRefused: {cause}\n");
    assert_eq!(done.err, wanted);
}

#[tokio::test]
async fn without_a_front_there_is_nothing_to_wish() {
    let fake = quiet().await;
    for command in ["pause", "resume", "promote", "rollback", "abort"] {
        let done = fake.run(&[command]).await;
        assert_eq!(done.status, Some(1));
        assert!(done.err.contains("no deployment is under way"), "{done:?}");
    }
    let done = fake.run(&["abort", "--deployment", "second"]).await;
    assert_eq!(done.status, Some(1));
    assert!(done.err.contains("has ended as RolledBack"), "{done:?}");
    let done = fake.run(&["abort", "--deployment", "third"]).await;
    assert_eq!(done.status, Some(4), "{done:?}");
    assert_eq!(fake.started(), [Value::Null; 0]);
    let draining = Fake::of(world("failed")).await.run(&["abort"]).await;
    assert_eq!(draining.status, Some(1));
    assert!(
        draining
            .err
            .contains("deploy --set green.launchTemplateVersion"),
        "{draining:?}"
    );
}

/// The front of a deployment whose execution has ended.
fn stopped() -> World {
    let mut stopped = world("bake");
    for execution in stopped.executions.values_mut() {
        execution["status"] = "ABORTED".into();
    }
    stopped
}

#[tokio::test]
async fn going_back_from_an_execution_that_has_ended_takes_it_over_if_that_is_wanted() {
    for command in ["rollback", "abort"] {
        let fake = Fake::of(stopped()).await;
        let done = fake.run(&[command]).await;
        assert_eq!(done.status, Some(2), "nobody is there to be asked");
        assert!(
            done.err.contains("is ABORTED") && done.err.contains("--yes"),
            "{done:?}"
        );
        assert_eq!(fake.started(), [Value::Null; 0]);
        let done = fake.run(&[command, "--yes"]).await;
        assert_eq!(done.status, Some(0), "{done:?}");
        let input = json!({"takeOver": {"deployment": BAKING, "then": "rollBack"}});
        assert_eq!(fake.started(), [input]);
    }
}

#[tokio::test]
async fn going_on_from_an_execution_that_has_ended_is_a_redrive_or_a_take_over() {
    let fake = Fake::of(stopped()).await;
    for command in ["resume", "pause", "promote"] {
        let done = fake.run(&[command]).await;
        assert_eq!(done.status, Some(1));
        assert!(done.err.contains("--redrive"), "{done:?}");
    }
    let done = fake.run(&["resume", "--redrive"]).await;
    assert_eq!(done.status, Some(0), "{done:?}");
    let redriven = fake
        .calls()
        .into_iter()
        .find(|it| it.action == "states:RedriveExecution");
    let asked = redriven.expect("it was redriven").asked;
    let execution = format!("arn:aws:states:us-east-1:000000000000:execution:ebbtide:{BAKING}");
    assert_eq!(asked["executionArn"], execution);
    let done = fake.run(&["resume", "--take-over"]).await;
    assert_eq!(done.status, Some(0), "{done:?}");
    let input = json!({"takeOver": {"deployment": BAKING, "then": "continue"}});
    assert_eq!(fake.started(), [input]);
    // What drains is taken over too, and goes back never
    let fake = Fake::of(world("failed")).await;
    let done = fake
        .run(&["rollback", "--deployment", "stuck", "--yes"])
        .await;
    assert_eq!(done.status, Some(1));
    assert!(done.err.contains("nothing takes back"), "{done:?}");
    let done = fake
        .run(&["resume", "--deployment", "stuck", "--take-over"])
        .await;
    assert_eq!(done.status, Some(0), "{done:?}");
}

#[tokio::test]
async fn what_runs_is_neither_redriven_nor_taken_over() {
    let fake = Fake::of(world("bake")).await;
    for option in ["--redrive", "--take-over"] {
        let done = fake.run(&["resume", option]).await;
        assert_eq!(done.status, Some(1));
        assert!(done.err.contains("runs"), "{done:?}");
    }
    assert_eq!(fake.started(), [Value::Null; 0]);
}

#[tokio::test]
async fn a_deployment_is_started_once_by_its_name_and_waited_for_until_it_is_claimed() {
    let mut baking = world("bake");
    baking.verdicts.push_back(json!({"status": "RUNNING"}));
    let fake = Fake::of(baking).await;
    let asked = ["deploy", "--name", BAKING, "--set", "bake.seconds=60"];
    let done = fake
        .run(&[&asked[..], &["--output", "json"]].concat())
        .await;
    assert_eq!(
        done.json(),
        json!({"deployment": BAKING, "execution": arn(BAKING)})
    );
    assert_eq!(fake.started(), [json!({"bake": {"seconds": 60}})]);
    // One that is never claimed has no trace but its execution's end, which is told.
    let mut world = World::default();
    let cause = "nothing was touched: blue has no server";
    world.verdicts.push_back(refused("PreflightRefused", cause));
    let done = Fake::of(world).await.run(&["deploy"]).await;
    assert_eq!(done.status, Some(1));
    assert!(done.err.contains(cause), "{done:?}");
}

#[tokio::test]
async fn a_deployment_is_followed_to_its_end_if_asked() {
    let mut world = World::default();
    let succeeded = json!({"status": "SUCCEEDED", "output": "{}"});
    let rolled_back = refused("RolledBack", "in state ALARM: errors");
    world
        .verdicts
        .extend([succeeded.clone(), rolled_back, succeeded]);
    let fake = Fake::of(world).await;
    let done = fake.run(&["deploy", "--watch"]).await;
    assert_eq!(done.status, Some(0), "{done:?}");
    assert!(done.out.contains("its execution has succeeded"), "{done:?}");
    let done = fake.run(&["deploy", "--watch"]).await;
    assert_eq!(done.status, Some(1));
    assert!(
        done.err.contains("RolledBack: in state ALARM: errors"),
        "{done:?}"
    );
    let input = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(input.path(), r#"{"drain": {"detached": true}}"#).expect("written");
    let file = format!("@{}", input.path().display());
    fake.run(&["deploy", "--input", &file]).await;
    assert_eq!(fake.started()[2], json!({"drain": {"detached": true}}));
}

#[tokio::test]
async fn whoever_follows_a_deployment_bears_looks_that_fail_between() {
    let mut world = World::default();
    world
        .verdicts
        .push_back(json!({"status": "RUNNING", "runs": 4}));
    world.trouble = 1..3;
    let fake = Fake::of(world).await;
    let done = fake.run(&["deploy", "--watch", "--every", "1"]).await;
    assert_eq!(done.status, Some(0), "{done:?}");
    assert_eq!(
        done.err.matches("the last look failed: GetItem").count(),
        2,
        "{done:?}"
    );
    let denied = World {
        trouble: 0..1,
        ..World::default()
    };
    let done = Fake::of(denied).await.run(&["watch"]).await;
    assert_eq!(done.status, Some(3), "{done:?}");
}
