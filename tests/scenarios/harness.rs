//! What the scenarios rest on: alarms, several deployments in one cloud, sessions on either environment.

use std::time::Duration;

use ebbtide_local_cloud::alarms::State;
use ebbtide_local_cloud::options::Options;
use ebbtide_local_cloud::variant::Variant;
use serde_json::{Value, json};

use crate::scene::{LIMIT, Scene, hasty};
use crate::sessions::{Seen, Session};

/// A state machine that reads alarms as the definition's SDK integration does.
fn reads_alarms(names: &[&str]) -> Variant {
    Variant::of(json!({
        "QueryLanguage": "JSONata",
        "StartAt": "ReadAlarms",
        "States": {"ReadAlarms": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:cloudwatch:describeAlarms",
            "Arguments": {
                "AlarmNames": names,
                "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
                "MaxRecords": 100,
            },
            "Output": {
                "metric": "{% [$states.result.MetricAlarms.(AlarmName & ' ' & StateValue)] %}",
                "composite": "{% $states.result.CompositeAlarms %}",
            },
            "End": true,
        }},
    }))
}

async fn alarms(scene: &Scene, names: &[&str]) -> Value {
    let execution = scene
        .cloud
        .start_variant(&reads_alarms(names), None, &json!({}))
        .await
        .expect("it starts");
    let limit = LIMIT;
    let standing = execution.ended(limit).await.expect("it ends");
    assert_eq!(standing.error, None, "{}", standing.describe(None));
    standing.output.expect("an output")
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_in_the_state_that_they_were_put_in() {
    let scene = Scene::of_three_blue_servers().await;
    let cloud = &scene.cloud;
    let names = ["one", "other", "missing"];
    for name in ["one", "other"] {
        cloud.put_alarm(name).await.expect("it is made");
    }
    cloud.set_alarm("one", State::Alarm).await.expect("set");
    let seen = alarms(&scene, &names).await;
    assert_eq!(
        seen["metric"],
        json!(["one ALARM", "other INSUFFICIENT_DATA"])
    );
    assert_eq!(seen["composite"], json!([]));
    cloud.set_alarm("one", State::Ok).await.expect("set");
    cloud.delete_alarm("other").await.expect("deleted");
    assert_eq!(alarms(&scene, &names).await["metric"], json!(["one OK"]));
    let unknown = cloud.set_alarm("other", State::Ok).await;
    assert!(unknown.is_err(), "{unknown:?}");
    scene.ends().await;
}

/// A state machine that notes what it is called in the item of deployment `noted`, if that item is there or if it is not.
fn notes_its_name(table: &str, service: &str, there: bool) -> Variant {
    Variant::of(json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Pause",
        "States": {
            "Pause": {"Type": "Wait", "Seconds": 600, "Next": "Note"},
            "Note": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:dynamodb:updateItem",
                "Arguments": {
                    "TableName": table,
                    "Key": {"service": {"S": service}, "item": {"S": "deployment noted"}},
                    "UpdateExpression": "SET outcome = :outcome, execution = :execution, machine = :machine",
                    "ConditionExpression": if there {
                        "attribute_exists(outcome)"
                    } else {
                        "attribute_not_exists(outcome)"
                    },
                    "ExpressionAttributeValues": {
                        ":outcome": {"S": "{% $states.context.Execution.Name %}"},
                        ":execution": {"S": "{% $states.context.Execution.Id %}"},
                        ":machine": {"S": "{% $states.context.StateMachine.Id %}"},
                    },
                },
                "End": true,
            },
        },
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_fails_before_or_after_its_effect_and_a_redrive_keeps_who_it_is() {
    let scene = Scene::of_three_blue_servers().await;
    let (cloud, limit) = (&scene.cloud, LIMIT);
    let (table, input) = (cloud.stack().table.clone(), json!({"n": 1}));
    let notes = |there| notes_its_name(&table, cloud.service(), there).wait_seconds("Pause", 0);
    let noted = || async { cloud.deployment_item("noted").await.expect("an item") };
    let ends = |variant: Variant, name: &'static str| {
        let input = &input;
        async move {
            let started = cloud.start_variant(&variant, Some(name), input).await;
            let execution = started.expect("it starts");
            let standing = execution.ended(limit).await.expect("it ends");
            (execution, standing)
        }
    };
    // A Task that needs what is not there fails by itself
    let (failed, standing) = ends(notes(true), "failed").await;
    let refused = "DynamoDb.ConditionalCheckFailedException";
    assert_eq!(standing.error.as_deref(), Some(refused));
    // Broken before its effect, it has none; broken after it, it has
    let (_, standing) = ends(notes(false).fail_before("Note"), "before").await;
    assert_eq!(
        standing.error.as_deref(),
        Some("States.QueryEvaluationError")
    );
    assert_eq!(noted().await.get("outcome"), None);
    let (_, standing) = ends(notes(false).fail_after("Note"), "after").await;
    assert_eq!(
        standing.error.as_deref(),
        Some("States.QueryEvaluationError")
    );
    assert_eq!(noted().await["outcome"], "after");
    // What failed by itself is redriven with success, as who it was and where it stood
    let again = scene.redriven(&failed).await;
    let standing = again.ended(limit).await.expect("it ends");
    assert_eq!(standing.error, None, "{}", standing.describe(None));
    assert_eq!(again.states().await.expect("a history"), ["Note"]);
    let seen = noted().await;
    assert_eq!(
        (again.name(), seen["outcome"].as_str()),
        ("failed", "failed")
    );
    assert_eq!(seen["execution"], failed.arn());
    assert_eq!(seen["machine"], cloud.stack().state_machine_arn);
    // And one that is stopped in a Wait begins with that
    let slow = notes_its_name(&table, cloud.service(), true);
    let slow = cloud.start_variant(&slow, Some("slow"), &input).await;
    let slow = slow.expect("it starts");
    slow.entered("Pause", limit).await.expect("it waits");
    assert!(cloud.redrive(&slow).await.is_err(), "it runs");
    slow.stop().await.expect("it is stopped");
    let emulators = cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.0).await.expect("scaled");
    let again = scene.redriven(&slow).await;
    again.ended(limit).await.expect("it ends");
    assert_eq!(again.states().await.expect("a history"), ["Pause", "Note"]);
    assert_eq!(noted().await["outcome"], "slow");
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_deployments_in_turn_change_the_roles_each_time() {
    let scene = Scene::of_three_blue_servers().await;
    let executions = scene.deployed_in_turn(&[hasty(), hasty(), hasty()]).await;
    // A claim and a detaching each
    assert_eq!(scene.record().await.epoch, 6);
    let listed = scene.cloud.executions().await.expect("executions");
    let mut names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
    let mut started: Vec<&str> = executions.iter().map(|one| one.name()).collect();
    names.sort_unstable();
    started.sort_unstable();
    assert_eq!(names, started);
    for execution in &executions {
        let found = scene.cloud.execution(execution.name());
        assert_eq!(found.arn(), execution.arn());
    }
    // And the last one's instances are all that run for a deployment
    let strays = scene.cloud.strays(&[executions[2].name()]).await;
    assert_eq!(strays.expect("instances"), []);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_busy_on_either_environment_while_both_have_weight() {
    // Given a drain that waits for a busy session on blue
    let scene = Scene::of_three_blue_servers().await;
    let mut on_blue = scene.busy("on-blue").await;
    let execution = scene.deploy(&hasty()).await;
    scene.passes(&execution, "CheckDrained", 2).await;
    // When a user comes and becomes busy
    let mut on_green = Session::open(scene.cloud.listener(), "on-green").await;
    on_green.become_busy(scene.cloud.listener()).await;
    // Then green holds that session, and both stay whole
    assert!(!scene.blue().contains(&on_green.server));
    scene.passes(&execution, "CheckDrained", 4).await;
    scene.all_still_busy([&on_blue, &on_green]);
    on_blue.leave();
    scene.promoted(&execution).await;
    scene.all_still_busy([&on_green]);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_sessions_still_reach_blue_while_the_load_balancer_lags_and_are_handed_over() {
    // Given a load balancer of which half learns of new weights 8 s late, the other half at once, and a longer settling
    let scene = Scene::with(Options {
        follows_after: Duration::ZERO,
        ..Options::default()
    })
    .await;
    scene.cloud.balancer().lag(Duration::from_secs(8));
    let input = json!({"bake": {"seconds": 12}, "drain": {"settleSeconds": 10}});
    let execution = scene.deploy(&input).await;
    // When users come right after the switch
    scene
        .then("the switch", || async {
            let weights = scene.cloud.weights().await?;
            let switched = weights == [Some(0), Some(100), None];
            Ok(if switched {
                Ok(())
            } else {
                Err(format!("{weights:?}"))
            })
        })
        .await;
    let (on_blue, on_green): (Vec<Session>, Vec<Session>) = scene
        .idle(6)
        .await
        .into_iter()
        .partition(|session| scene.blue().contains(&session.server));
    // Then both environments take them, blue's are handed over once the load balancer has settled, green's stay
    assert!(
        !on_blue.is_empty() && !on_green.is_empty(),
        "{}",
        on_blue.len()
    );
    scene.all_handed_over(&on_blue).await;
    scene.promoted(&execution).await;
    assert!(on_green.iter().all(|session| session.seen() == Seen::Open));
    scene.ends().await;
}
