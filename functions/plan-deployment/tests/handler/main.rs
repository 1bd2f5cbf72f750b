//! plan-deployment against an AWS in memory.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

mod preflight;
mod requests;

use ebbtide_aws::fake::{Fake, Fault, arn, environment, forward, target};
use ebbtide_rules::ErrorName;
use ebbtide_rules::observed::InstanceState;
use ebbtide_rules::plan::{Epoch, Plan};
use ebbtide_rules::record::Record;
use ebbtide_rules::settings::Defaults;
use ebbtide_runtime::Failure;
use plan_deployment::{Failed, Payload, Settings, handle};
use serde_json::{Value, json};

fn settings() -> Settings {
    let defaults = Defaults {
        healthy_seconds: 600,
        steps: vec![100],
        step_seconds: 60,
        bake_seconds: 900,
        alarms: Vec::new(),
        settle_seconds: None,
        closures_per_second: 20,
        poll_seconds: 30,
        deadline_seconds: 86_400,
        detached: false,
        minimum_healthy_percent: 100,
        passes_per_execution: 400,
        ping_seconds: 30,
    };
    Settings {
        target_groups: [arn("a"), arn("b")],
        launch_template: "lt-1".to_owned(),
        subnets: Vec::new(),
        defaults,
    }
}

fn payload(deployment: &str, input: Value) -> Payload {
    Payload {
        input,
        deployment: deployment.to_owned(),
        execution: "arn:execution-2".to_owned(),
    }
}

/// A service that nobody owns.
fn free() -> Fake {
    let fake = Fake::new();
    fake.world().record = Some(Record {
        epoch: 4,
        ..Record::default()
    });
    fake
}

async fn plan(fake: &Fake, input: Value) -> Result<Plan, Failed> {
    Box::pin(handle(
        &fake.cloud(),
        &settings(),
        payload("deploy-2", input),
    ))
    .await
}

async fn refusal(fake: &Fake, input: Value) -> (ErrorName, String) {
    let error = plan(fake, input).await.unwrap_err();
    (error.name(), error.to_string())
}

#[tokio::test]
async fn a_free_service_is_planned_as_it_is() {
    let fake = free();
    let plan = plan(&fake, json!({})).await.unwrap();
    assert_eq!(plan.owner, None);
    assert_eq!(
        plan.epoch,
        Epoch {
            seen: 4,
            claimed: 5
        }
    );
    let green = plan.green.unwrap();
    assert_eq!(
        (green.count, green.launch_template_version.as_str()),
        (3, "7")
    );
    assert_eq!(green.environment, environment("b"));
    assert_eq!(green.subnets.len(), 3);
    assert_eq!(plan.blue.unwrap().healthy, 3);
    assert_eq!(plan.policy.unwrap().settle_seconds, 30);
    assert_eq!(plan.dry_run, Some(false));
    assert_eq!(plan.hash.unwrap().len(), 12);
    assert_eq!(plan.warnings.unwrap(), Vec::<String>::new());
    let servers: Vec<String> = plan
        .servers
        .unwrap()
        .into_iter()
        .map(|server| server.instance)
        .collect();
    assert_eq!(servers, ["i-1", "i-2", "i-3"]);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_service_without_a_record_is_at_epoch_0() {
    let fake = Fake::new();
    fake.world().record = None;
    assert_eq!(
        plan(&fake, json!({})).await.unwrap().epoch,
        Epoch {
            seen: 0,
            claimed: 1
        }
    );
}

#[tokio::test]
async fn a_dry_run_and_every_setting_reach_the_plan() {
    let fake = free();
    let input = json!({
        "dryRun": true, "green": {"launchTemplateVersion": "3", "count": 4},
        "traffic": {"steps": [10, 100], "stepSeconds": 5}, "bake": {"seconds": 9, "alarms": ["errors"]},
        "drain": {"settleSeconds": 2, "detached": true},
    });
    let plan = plan(&fake, input).await.unwrap();
    let green = plan.green.unwrap();
    assert_eq!(
        (green.count, green.launch_template_version.as_str()),
        (4, "3")
    );
    assert_eq!(plan.dry_run, Some(true));
    assert_eq!(
        serde_json::to_value(plan.policy.unwrap()).unwrap(),
        json!({
            "healthySeconds": 600, "minimumHealthy": 3, "steps": [10, 100], "stepSeconds": 5, "bakeSeconds": 9,
            "alarms": ["errors"], "settleSeconds": 2, "closuresPerSecond": 20, "pollSeconds": 30,
            "deadlineSeconds": 86_400, "detached": true, "mostPasses": 400,
        })
    );
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
async fn a_name_that_has_switched_before_is_not_planned_again() {
    let fake = Fake::new();
    if let Some(record) = fake.world().record.as_mut() {
        record.owner = Some("deploy-2".to_owned());
        record.execution = Some("arn:execution-2".to_owned());
        record.switched = true;
    }
    let (name, cause) = refusal(&fake, json!({})).await;
    assert_eq!(name, ErrorName::PreflightRefused);
    assert!(cause.contains("redrive its execution"), "{cause}");
}

#[tokio::test]
async fn a_service_that_is_held_gets_no_preflight() {
    let fake = Fake::new();
    fake.fail("DescribeListeners", Fault::Unreachable);
    let plan = plan(&fake, json!({})).await.unwrap();
    let owner = plan.owner.as_ref().unwrap();
    assert_eq!(
        (owner.deployment.as_str(), owner.epoch, owner.switched),
        ("deploy-1", 5, false)
    );
    assert_eq!(
        plan.epoch,
        Epoch {
            seen: 5,
            claimed: 6
        }
    );
    let json = serde_json::to_value(&plan).unwrap();
    assert!(json["owner"]["clearing"].is_null());
    for absent in [
        "dryRun", "blue", "green", "policy", "servers", "warnings", "rollBack", "takeOver",
    ] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn an_execution_that_was_taken_over_does_not_take_the_service_back() {
    let fake = Fake::new();
    if let Some(record) = fake.world().record.as_mut() {
        record.owner = Some("deploy-2".to_owned());
        record.execution = Some("arn:successor".to_owned());
    }
    fake.fail("DescribeListeners", Fault::Unreachable);
    let plan = plan(&fake, json!({})).await.unwrap();
    let owner = plan.owner.unwrap();
    assert_eq!(
        (owner.deployment.as_str(), owner.execution.as_str()),
        ("deploy-2", "arn:successor")
    );
    assert_eq!(
        plan.epoch,
        Epoch {
            seen: 5,
            claimed: 6
        }
    );
}

#[tokio::test]
async fn a_plan_made_anew_claims_the_same_epoch_and_accepts_its_own_green() {
    let fake = Fake::new();
    fake.world().add_green("i-4", "subnet-1");
    let own = Box::pin(handle(
        &fake.cloud(),
        &settings(),
        Payload {
            execution: "arn:execution".to_owned(),
            ..payload("deploy-1", json!({}))
        },
    ))
    .await
    .unwrap();
    assert_eq!(own.owner, None);
    assert_eq!(
        own.epoch,
        Epoch {
            seen: 5,
            claimed: 5
        }
    );
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
    let cases: [(Spoil, &str); 10] = [
        (
            |fake| fake.world().weigh(&[("a", 50), ("b", 50)]),
            "both target groups have weight",
        ),
        (
            |fake| fake.world().weigh(&[("a", 100), ("c", 0)]),
            "neither of the stack's two target groups",
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
            |fake| fake.world().interfaces = true,
            "version 7 of launch template lt-1 has network interfaces",
        ),
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
    let plan = plan(&fake, json!({})).await.unwrap();
    assert_eq!(plan.blue.unwrap().healthy, 2);
    assert_eq!(plan.green.unwrap().count, 2);
}

#[tokio::test]
async fn the_colours_follow_the_weights() {
    let fake = free();
    fake.world().weigh(&[("a", 0), ("b", 100)]);
    for id in ["i-1", "i-2", "i-3"] {
        fake.world().group(&arn("a")).targets.clear();
        fake.world().group(&arn("b")).targets.push(target(id, true));
    }
    let plan = plan(&fake, json!({})).await.unwrap();
    assert_eq!(plan.blue.unwrap().environment, environment("b"));
    assert_eq!(plan.green.unwrap().subnets.len(), 3);
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

#[test]
fn a_stack_names_two_different_groups() {
    let groups = |arns: &[&str]| {
        let arns: Vec<String> = arns.iter().map(|arn| (*arn).to_owned()).collect();
        Settings::target_groups(&arns)
    };
    assert!(groups(&["a", "b"]).is_ok());
    assert!(groups(&["a", "a"]).is_err());
    assert!(groups(&["a"]).is_err());
}
