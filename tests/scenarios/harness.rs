//! What the scenarios rest on: alarms, several deployments in one cloud, sessions on either environment.

use ebbtide_local_cloud::alarms::State;
use ebbtide_local_cloud::variant::Variant;
use serde_json::{Value, json};

use crate::scene::{Scene, hasty};
use crate::sessions::Session;

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
    let limit = std::time::Duration::from_secs(20);
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

#[tokio::test(flavor = "multi_thread")]
async fn three_deployments_in_turn_change_the_roles_each_time() {
    let scene = Scene::of_three_blue_servers().await;
    let executions = scene.deployed_in_turn(&[hasty(), hasty(), hasty()]).await;
    assert_eq!(scene.cloud.record().await.expect("a record")["epoch"], "3");
    let listed = scene.cloud.executions().await.expect("executions");
    let mut names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
    let mut started: Vec<&str> = executions.iter().map(|one| one.name()).collect();
    names.sort_unstable();
    started.sort_unstable();
    assert_eq!(names, started);
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
