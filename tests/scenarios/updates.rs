//! Stack updates while a deployment runs: it keeps the definition, the code and the settings that it began with.

use ebbtide_local_cloud::options::Options;
use ebbtide_rules::record::SHAPE;
use serde_json::{Value, json};

use crate::scene::{Scene, hasty};

/// What a deployment would do now, by a dry run.
async fn planned(scene: &Scene) -> Value {
    let shown = scene.deploy(&json!({"dryRun": true})).await;
    let standing = scene.ends_well(&shown).await;
    standing.output.expect("a document")["plan"].clone()
}

/// When nothing of the stack is changed but one parameter.
async fn updated(scene: &mut Scene, name: &str, value: &str) {
    let update = scene.cloud.update(&[(name, value)]).await;
    update.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_ends_as_it_began_through_updates_of_settings_and_code_a_redrive_and_a_continuation()
 {
    // Given a drain of many parts
    let options = Options {
        parameters: vec![("PassesPerExecution".to_owned(), "8".to_owned())],
        ..Options::default()
    };
    let mut scene = Scene::with(options).await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let first = scene.deploy(&hasty()).await;
    scene.retires(first.name(), "tunnel-a").await;
    let began_with = scene.entry_of(first.name()).await.plan.policy;
    // When the stack is updated: its settings, then the code that writes the record
    let update = [("DeadlineSeconds", "86400"), ("PassesPerExecution", "20")];
    scene.cloud.update(&update).await.expect("an update");
    let code = ("KeepRecordFunction", "keep-record-next");
    let updated = scene.cloud.update_code(code.0, code.1).await;
    updated.expect("an update");
    // Then the next deployment obeys, and the one that runs goes on as it began, also in another execution
    let policy = planned(&scene).await["recorded"]["policy"].clone();
    assert_eq!(policy["deadlineSeconds"], 86_400);
    assert_eq!(policy["mostPasses"], 20);
    let known = scene.cloud.executions().await.expect("executions");
    let known: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    let second = scene.continues(&known).await;
    scene.passes(&second, "CheckDrained", 1).await;
    let entry = scene.entry_of(first.name()).await;
    assert_eq!(entry.plan.policy, began_with);
    scene.all_still_busy([&busy]);
    // And when that is stopped and redriven, it ends well
    second.stop().await.expect("it is stopped");
    let redriven = scene.redriven(&second).await;
    busy.leave();
    scene.promoted(&redriven).await;
    scene.minimum_held(witness, &[first.name()]).await;
    // And nobody wrote another shape under it: the next claim does
    assert_eq!(scene.record().await.shape, SHAPE);
    let next = scene.deploy(&hasty()).await;
    scene.promoted_into(&next, "tunnel-c").await;
    assert_eq!(scene.record().await.shape, SHAPE + 1);
    scene.ends().await;
}

/// Each parameter that a plan shows: its name, another value, where the plan shows it, and what it shows then.
fn shown() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    vec![
        (
            "TestPort",
            "8081",
            "/recorded/policy/pages/port",
            json!(8081),
        ),
        (
            "TestPaths",
            "/ready,ws:/tunnel/check",
            "/recorded/policy/pages/paths",
            json!(["/ready"]),
        ),
        (
            "TestWebSocketSeconds",
            "9",
            "/recorded/policy/pages/webSockets",
            json!({"paths": ["/tunnel/check"], "seconds": 9}),
        ),
        (
            "HealthySeconds",
            "77",
            "/recorded/policy/healthySeconds",
            json!(77),
        ),
        (
            "TrafficSteps",
            "50,100",
            "/recorded/policy/steps",
            json!([50, 100]),
        ),
        ("StepSeconds", "7", "/recorded/policy/stepSeconds", json!(7)),
        (
            "BakeSeconds",
            "11",
            "/recorded/policy/bakeSeconds",
            json!(11),
        ),
        (
            "BakeAlarms",
            "errors",
            "/recorded/policy/alarms",
            json!(["errors"]),
        ),
        (
            "SettleSeconds",
            "3",
            "/recorded/policy/settleSeconds",
            json!(3),
        ),
        (
            "ClosuresPerSecond",
            "9",
            "/recorded/policy/closuresPerSecond",
            json!(9),
        ),
        ("PollSeconds", "6", "/recorded/policy/pollSeconds", json!(6)),
        (
            "DeadlineSeconds",
            "86400",
            "/recorded/policy/deadlineSeconds",
            json!(86_400),
        ),
        (
            "DrainDetached",
            "true",
            "/recorded/policy/detached",
            json!(true),
        ),
        (
            "MinimumHealthyPercent",
            "60",
            "/recorded/policy/minimumHealthy",
            json!(2),
        ),
        (
            "PassesPerExecution",
            "20",
            "/recorded/policy/mostPasses",
            json!(20),
        ),
        (
            "SubnetIds",
            "subnet-01234567",
            "/recorded/green/subnets/0/subnetId",
            json!("subnet-01234567"),
        ),
        ("ServiceName", "renamed", "/service", json!("renamed")),
    ]
}

/// Each that it does not show, by what the next deployment fails with: what is asked last stands first, so that each one
/// is met before those above it.
fn failing() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    vec![
        (
            "ServiceUrl",
            "http://127.0.0.1:9",
            "NotFitYet",
            "ServiceUrl",
        ),
        ("SessionPath", "/elsewhere", "NotFitYet", "404"),
        ("SessionPort", "9", "NotFitYet", "refused"),
        (
            "SigningSecretArn",
            NO_SECRET,
            "AwsRefused",
            "GetSecretValue",
        ),
        ("PingSeconds", "600", "PreflightRefused", "without data"),
        (
            "LaunchTemplateId",
            "lt-01234567",
            "PreflightRefused",
            "lt-01234567",
        ),
        ("ListenerArn", NO_LISTENER, "AwsRefused", NO_LISTENER),
        (
            "TestListenerArns",
            NO_LISTENER_TWICE,
            "InvalidInput",
            "TestListenerArns",
        ),
        (
            "TestUrls",
            "https://a.test,https://b.test,https://c.test",
            "InvalidInput",
            "TestUrls",
        ),
    ]
}

const NO_SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-abcdef";
const NO_LISTENER_TWICE: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/none/0123456789abcdef/0123456789abcdef,arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/none/0123456789abcdef/0123456789abcdef";
const NO_LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/none/0123456789abcdef/0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn the_next_deployment_obeys_each_parameter_that_was_changed_alone() {
    let mut scene = Scene::of_three_blue_servers().await;
    scene.quiet_alarm("errors").await;
    let environments = planned(&scene).await["recorded"]["environments"].clone();
    let arn = |index: usize| {
        environments[index]["targetGroupArns"][0]
            .as_str()
            .expect("an ARN")
    };
    let two = format!("{},{}", arn(0), arn(1));
    updated(&mut scene, "TargetGroupArns", &two).await;
    let environments = planned(&scene).await["recorded"]["environments"].clone();
    assert_eq!(environments.as_array().map(Vec::len), Some(2));
    for (name, value, place, expected) in shown() {
        updated(&mut scene, name, value).await;
        let plan = planned(&scene).await;
        assert_eq!(plan.pointer(place), Some(&expected), "{name}: {plan}");
    }
    for (name, value, error, words) in failing() {
        updated(&mut scene, name, value).await;
        let failed = scene.deploy(&json!({"dryRun": true})).await;
        let cause = scene.fails_with(&failed, error).await;
        assert!(cause.contains(words), "{name}: {cause}");
    }
    // And a stack whose deployments are over goes.
    assert_eq!(scene.cloud.delete_stack().await.expect("an answer"), None);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deployment_needs_is_not_taken_away_and_its_stack_not_deleted() {
    // Given a drain in flight
    let mut scene = Scene::of_three_blue_servers().await;
    let witness = scene.cloud.witness();
    let mut busy = scene.busy("busy").await;
    let deployment = scene.deploy(&hasty()).await;
    scene.retires(deployment.name(), "tunnel-a").await;
    let plan = scene.entry_of(deployment.name()).await.plan;
    // When somebody renames the service, or takes its listener or a group away
    let without_a = plan.environments.iter().skip(1);
    let without_a: Vec<&str> = without_a.filter_map(|it| it.target_group(0)).collect();
    for (name, value, words) in [
        ("ServiceName", "renamed", "keep ServiceName"),
        ("ListenerArn", NO_LISTENER, "takes away: arn:"),
        (
            "TargetGroupArns",
            &without_a.join(","),
            "takes away: tunnel-a",
        ),
    ] {
        scene.cloud.update(&[(name, value)]).await.unwrap_err();
        let refused = scene.cloud.refusal().await.expect("its words");
        assert!(refused.starts_with("SettingsGuard: "), "{name}: {refused}");
        assert!(refused.contains(words), "{name}: {refused}");
    }
    // Then the drain goes on and ends well
    scene.passes(&deployment, "CheckDrained", 1).await;
    scene.all_still_busy([&busy]);
    busy.leave();
    scene.promoted(&deployment).await;
    scene.minimum_held(witness, &[deployment.name()]).await;
    // And when somebody deletes the stack while another one drains, it is refused before anything is deleted. The emulator
    // deletes the rest then all the same; CloudFormation nothing that what is left depends on.
    let busy = scene.busy("busier").await;
    let another = scene.deploy(&hasty()).await;
    scene.retires(another.name(), "tunnel-b").await;
    let refused = scene.cloud.delete_stack().await.expect("an answer");
    let who = format!(
        "DeletionGuard: tunnel-b retires for deployment {}",
        another.name()
    );
    assert!(refused.is_some_and(|it| it.starts_with(&who)), "{who}");
    let first = scene.cloud.first_deleted().await.expect("events");
    assert_eq!(first, "DeletionGuard");
    scene.all_still_busy([&busy]);
    scene.ends().await;
}
