//! plan-deployment against an AWS in memory.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

mod listeners;
mod preflight;
mod requests;

use std::collections::BTreeMap;

use ebbtide_aws::fake::{Fake, Fault, LISTENER, arn, environment, forward, recorded, target};
use ebbtide_rules::observed::InstanceState;
use ebbtide_rules::plan::{Asked, Deploy, Plan};
use ebbtide_rules::record::{Entry, Phase, Record, State};
use ebbtide_rules::{ErrorName, examples};
use plan_deployment::{Failed, Payload, handle};
use serde_json::{Value, json};

/// The execution that asks, unless a test says otherwise.
const EXECUTION: &str = "arn:execution-2";

/// What the definition hands over of a stack with these environments, by their last letters.
fn settings(letters: &[&str]) -> BTreeMap<String, String> {
    let groups: Vec<String> = letters.iter().map(|letter| arn(letter)).collect();
    let groups = groups.join(",");
    [
        ("ListenerArn", LISTENER),
        ("TargetGroupArns", groups.as_str()),
        ("LaunchTemplateId", "lt-1"),
        ("InstanceRoleArn", ""),
        ("SubnetIds", ""),
        ("TestPort", ""),
        ("TestPaths", ""),
        ("TestWebSocketSeconds", "5"),
        ("ServiceUrl", ""),
        ("TestListenerArns", ""),
        ("TestUrls", ""),
        ("HealthySeconds", "600"),
        ("TrafficSteps", "100"),
        ("StepSeconds", "60"),
        ("BakeSeconds", "900"),
        ("BakeAlarms", ""),
        ("SettleSeconds", "0"),
        ("ClosuresPerSecond", "20"),
        ("PollSeconds", "30"),
        ("DeadlineSeconds", "86400"),
        ("DrainDetached", "false"),
        ("MinimumHealthyPercent", "100"),
        ("PingSeconds", "30"),
        ("PassesPerExecution", "400"),
        ("Approve", ""),
        ("PauseSeconds", "3600"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn payload(deployment: &str, input: Value) -> Payload {
    Payload {
        input,
        deployment: deployment.to_owned(),
        execution: EXECUTION.to_owned(),
        settings: settings(&["a", "b"]),
    }
}

/// A service whose front nobody holds.
fn free() -> Fake {
    let fake = Fake::new();
    fake.world().record = Some(Record {
        epoch: 4,
        ..Record::default()
    });
    fake
}

/// The execution that asks holds the front already.
fn own(fake: &Fake) {
    let mut world = fake.world();
    let owner = &mut world.front().unwrap().owner;
    "deploy-2".clone_into(&mut owner.deployment);
    EXECUTION.clone_into(&mut owner.execution);
}

async fn ask(fake: &Fake, payload: Payload) -> Result<Plan, Failed> {
    Box::pin(handle(&fake.cloud(), payload)).await
}

async fn plan(fake: &Fake, input: Value) -> Result<Plan, Failed> {
    ask(fake, payload("deploy-2", input)).await
}

/// The deployment that was planned.
async fn deploy(fake: &Fake, input: Value) -> Deploy {
    deployment(plan(fake, input).await.unwrap())
}

#[allow(clippy::panic, reason = "a test that asks for a deployment gets one")]
fn deployment(plan: Plan) -> Deploy {
    match plan.asked {
        Asked::Deploy(deploy) => deploy,
        other => panic!("no deployment was planned: {other:?}"),
    }
}

async fn refusal(fake: &Fake, input: Value) -> (ErrorName, String) {
    let error = plan(fake, input).await.unwrap_err();
    (error.name(), error.to_string())
}

#[tokio::test]
async fn a_free_service_is_planned_as_it_is() {
    let fake = free();
    let plan = plan(&fake, json!({})).await.unwrap();
    assert_eq!(
        (plan.deployment.as_str(), plan.execution.as_str()),
        ("deploy-2", EXECUTION)
    );
    assert_eq!((plan.service.as_str(), plan.epoch), ("tunnel", 4));
    let deploy = deployment(plan);
    assert!(!deploy.dry_run);
    let green = deploy.recorded.green;
    assert_eq!(
        (green.count, green.launch_template_version.as_str()),
        (3, "7")
    );
    assert_eq!(green.environment, environment("b"));
    assert_eq!(green.subnets.len(), 3);
    assert_eq!(deploy.recorded.blue.healthy, 3);
    assert_eq!(deploy.recorded.environments, ["a", "b"].map(environment));
    assert_eq!(deploy.recorded.policy.settle_seconds, 30);
    assert_eq!(deploy.recorded.hash.len(), 12);
    assert_eq!(deploy.recorded.warnings, Vec::<String>::new());
    let servers: Vec<String> = deploy.servers.into_iter().map(|it| it.instance).collect();
    assert_eq!(servers, ["i-1", "i-2", "i-3"]);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_service_without_a_record_is_at_epoch_0() {
    let fake = Fake::new();
    fake.world().record = None;
    assert_eq!(plan(&fake, json!({})).await.unwrap().epoch, 0);
}

#[tokio::test]
async fn a_dry_run_and_every_setting_reach_the_plan() {
    let fake = free();
    let input = json!({
        "dryRun": true, "green": {"launchTemplateVersion": "3", "count": 4},
        "traffic": {"steps": [10, 100], "stepSeconds": 5}, "bake": {"seconds": 9, "alarms": ["errors"]},
        "drain": {"settleSeconds": 2, "detached": true}, "approve": ["seal"], "pauseSeconds": 60,
    });
    let deploy = deploy(&fake, input).await;
    let green = deploy.recorded.green;
    assert_eq!(
        (green.count, green.launch_template_version.as_str()),
        (4, "3")
    );
    assert!(deploy.dry_run);
    assert_eq!(
        serde_json::to_value(deploy.recorded.policy).unwrap(),
        json!({
            "healthySeconds": 600, "minimumHealthy": 3, "blueMinimum": 3, "steps": [10, 100], "stepSeconds": 5, "bakeSeconds": 9,
            "alarms": ["errors"], "settleSeconds": 2, "closuresPerSecond": 20, "pollSeconds": 30,
            "deadlineSeconds": 86_400, "detached": true, "approve": ["seal"], "pauseSeconds": 60, "mostPasses": 400,
            "pages": {"port": 0, "paths": []},
            "againstAgents": ["set HealthCheckPort to the agent's port, which serves nobody, in tunnel-a, tunnel-b"],
        })
    );
}

#[tokio::test]
async fn the_plan_travels_with_the_word_that_the_definition_compares() {
    let words = |plan: Plan| serde_json::to_value(plan).unwrap()["next"].clone();
    assert_eq!(words(plan(&free(), json!({})).await.unwrap()), "deploy");
    assert_eq!(words(plan(&Fake::new(), json!({})).await.unwrap()), "held");
}

#[tokio::test]
async fn with_three_environments_the_one_that_retires_is_left_alone() {
    let three = |input: Value| Payload {
        settings: settings(&["a", "b", "c"]),
        ..payload("deploy-2", input)
    };
    let fake = free();
    fake.world().add("i-9", "subnet-1", Some("b"), &[]);
    fake.world().weigh(&[("a", 100), ("b", 0)]);
    let entry = examples::entry(&environment("b"), examples::another(), recorded("b", "a"));
    let list = |entries: &[&Entry]| {
        let entries = entries.iter().map(|entry| (*entry).clone());
        fake.world().record.as_mut().unwrap().retiring = entries.collect();
    };
    list(&[&entry]);
    let deploy = deployment(ask(&fake, three(json!({}))).await.unwrap());
    assert_eq!(deploy.recorded.green.environment, environment("c"));
    assert_eq!(deploy.recorded.environments.len(), 3);

    let third = Entry {
        environment: environment("c"),
        ..entry.clone()
    };
    list(&[&entry, &third]);
    let refused = ask(&fake, three(json!({}))).await.unwrap_err();
    assert_eq!(refused.name(), ErrorName::DeploymentInProgress);
    let cause = refused.to_string();
    assert!(
        cause.contains("tunnel-b retires for deployment deploy-0"),
        "{cause}"
    );
    assert!(cause.contains("one more target group"), "{cause}");

    let gone = Entry {
        state: State::Gone,
        ..entry
    };
    list(&[&gone]);
    let refused = ask(&fake, three(json!({}))).await.unwrap_err();
    let cause = refused.to_string();
    assert!(cause.contains("has targets: i-9"), "{cause}");
    assert_eq!(refused.name(), ErrorName::PreflightRefused);
}

#[tokio::test]
async fn bad_input_is_refused_before_any_call() {
    let fake = free();
    for operation in ["GetItem", "DescribeListeners"] {
        fake.fail(operation, Fault::Unreachable);
    }
    let (name, cause) = refusal(
        &fake,
        json!({"drain": {"pollSeconds": "soon"}, "trafic": {}}),
    )
    .await;
    assert_eq!(name, ErrorName::InvalidInput);
    assert!(
        cause.contains("drain.pollSeconds: expected a whole number from 2 to 300, got \"soon\""),
        "{cause}"
    );
    assert!(
        cause.contains("trafic: unknown field, did you mean traffic?"),
        "{cause}"
    );
}

#[tokio::test]
async fn wrong_settings_are_told_with_the_wrong_input() {
    let fake = free();
    let mut wrong = payload("deploy-2", json!({"dryRun": "yes"}));
    wrong.settings = settings(&["a"]);
    wrong
        .settings
        .insert("PollSeconds".to_owned(), String::new());
    let refused = ask(&fake, wrong).await.unwrap_err();
    assert_eq!(refused.name(), ErrorName::InvalidInput);
    let cause = refused.to_string();
    for words in [
        "dryRun: ",
        "TargetGroupArns: expected two to five different ARNs",
        "PollSeconds: ",
    ] {
        assert!(cause.contains(words), "{cause}");
    }
}

#[tokio::test]
async fn a_name_that_has_switched_before_is_not_planned_again() {
    for phase in [Phase::Switched, examples::rolling_back()] {
        let fake = Fake::new();
        own(&fake);
        fake.world().phase(phase);
        let (name, cause) = refusal(&fake, json!({})).await;
        assert_eq!(name, ErrorName::PreflightRefused);
        assert!(cause.contains("redrive its execution"), "{cause}");
    }
}

#[tokio::test]
async fn while_another_holds_the_front_there_is_no_preflight() {
    let phases = [Phase::Claimed, Phase::Switched, examples::rolling_back()];
    for phase in phases {
        let fake = Fake::new();
        fake.world().phase(phase);
        fake.fail("DescribeListeners", Fault::Unreachable);
        let held = plan(&fake, json!({"dryRun": true})).await.unwrap();
        assert_eq!(held.asked, Asked::Held { dry_run: true });
        assert_eq!((held.deployment.as_str(), held.epoch), ("deploy-2", 5));
    }
}

#[tokio::test]
async fn a_front_that_only_detaches_and_drains_that_go_on_are_planned_beside() {
    let fake = Fake::new();
    fake.world().phase(Phase::Detaching {
        environment: environment("b"),
    });
    deploy(&fake, json!({})).await;
    let fake = Fake::new();
    fake.world().switch(0, 100);
    fake.world().retires("c");
    assert_eq!(plan(&fake, json!({})).await.unwrap().epoch, 5);
}

#[tokio::test]
async fn an_execution_that_was_taken_over_does_not_take_the_front_back() {
    let fake = Fake::new();
    own(&fake);
    "arn:successor".clone_into(&mut fake.world().front().unwrap().owner.execution);
    fake.fail("DescribeListeners", Fault::Unreachable);
    let held = plan(&fake, json!({})).await.unwrap();
    assert_eq!(held.asked, Asked::Held { dry_run: false });
}

#[tokio::test]
async fn a_plan_made_anew_accepts_its_own_green() {
    let fake = Fake::new();
    fake.world().add_green("i-4", "subnet-1");
    fake.world().front().unwrap().owner.execution = EXECUTION.to_owned();
    let own = ask(&fake, payload("deploy-1", json!({}))).await.unwrap();
    assert_eq!((own.epoch, deployment(own).recorded.green.count), (5, 3));
    fake.world().record = Some(Record {
        epoch: 5,
        ..Record::default()
    });
    assert_eq!(
        refusal(&fake, json!({})).await.0,
        ErrorName::PreflightRefused,
        "another's green"
    );
}

#[tokio::test]
async fn every_unfit_world_is_told_and_left_as_it_is() {
    type Spoil = fn(&Fake);
    let cases: [(Spoil, &str); 9] = [
        (
            |fake| fake.world().weigh(&[("a", 50), ("b", 50)]),
            "several target groups have weight",
        ),
        (
            |fake| fake.world().weigh(&[("a", 100), ("c", 0)]),
            "none of the stack's target groups",
        ),
        (|fake| fake.world().actions.clear(), "has 0 forward actions"),
        (
            |fake| fake.world().group(&arn("a")).sticky = true,
            "stickiness is on in target group tunnel-a",
        ),
        (
            |fake| {
                fake.world()
                    .group(&arn("b"))
                    .targets
                    .push(target("i-1", true))
            },
            "still has targets: i-1",
        ),
        (
            |fake| fake.world().group(&arn("b")).target_type = "ip".to_owned(),
            "targets of type ip",
        ),
        (|fake| fake.world().versions = 0, "has no version $Latest"),
        (
            |fake| fake.world().load_balancer = "gateway".into(),
            "of type gateway",
        ),
        (
            // Far enough down that only the second page of rules has it.
            |fake| {
                let rules =
                    ["r-1", "r-2", "r-3"].map(|arn| (arn.to_owned(), vec![forward(&[("a", 1)])]));
                fake.world().rules = rules.into();
            },
            "r-3 forwards to tunnel-a too",
        ),
    ];
    for (spoil, words) in cases {
        let fake = free();
        spoil(&fake);
        let (name, cause) = refusal(&fake, json!({})).await;
        assert_eq!(name, ErrorName::PreflightRefused, "{cause}");
        assert!(cause.contains(words), "{cause}");
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_target_whose_instance_is_gone_is_nobodys() {
    let fake = free();
    fake.world().add_green("i-4", "subnet-1");
    fake.world().instance("i-4").state = InstanceState::Terminated;
    fake.world().instance("i-3").state = InstanceState::Terminated;
    let recorded = deploy(&fake, json!({})).await.recorded;
    assert_eq!((recorded.blue.healthy, recorded.green.count), (2, 2));
}

#[tokio::test]
async fn the_colours_follow_the_weights() {
    let fake = free();
    fake.world().weigh(&[("a", 0), ("b", 100)]);
    for id in ["i-1", "i-2", "i-3"] {
        fake.world().group(&arn("a")).targets.clear();
        fake.world().group(&arn("b")).targets.push(target(id, true));
    }
    let recorded = deploy(&fake, json!({})).await.recorded;
    assert_eq!(recorded.blue.environment, environment("b"));
    assert_eq!(recorded.green.subnets.len(), 3);
}

#[tokio::test]
async fn every_call_that_fails_is_named() {
    let operations = [
        "GetItem",
        "DescribeListeners",
        "DescribeRules",
        "DescribeLoadBalancers",
        "DescribeLoadBalancerAttributes",
        "DescribeTargetGroups",
        "DescribeTargetGroupAttributes",
        "DescribeTargetHealth",
        "DescribeInstances",
        "DescribeLaunchTemplateVersions",
        "DescribeAutoScalingInstances",
    ];
    for operation in operations {
        for (fault, name) in [
            (Fault::Refused("AccessDenied"), ErrorName::AccessDenied),
            (Fault::Refused("ThrottlingException"), ErrorName::Throttled),
            (Fault::Unreachable, ErrorName::AwsUnavailable),
        ] {
            let fake = free();
            fake.fail(operation, fault);
            let (found, cause) = refusal(&fake, json!({})).await;
            assert_eq!(found, name, "{operation}: {cause}");
            assert!(cause.contains(operation), "{cause}");
        }
    }
}
