//! terminate-blue against an AWS in memory: who is ended, who is not, and what is said of the rest.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

mod auto_scaling;
mod rolled_back;

use ebbtide_aws::fake::{Fake, Fault, environment, target};
use ebbtide_rules::ErrorName;
use ebbtide_rules::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, InstanceState, RETIRING_TAG, SERVICE_TAG,
};
use ebbtide_runtime::Failure;
use serde_json::{Value, json};
use terminate_blue::{Failed, Payload, Terminated, handle};

const ALL: [&str; 3] = ["i-1", "i-2", "i-3"];

/// What the state TerminateBlue passes; `plan.blue` and `plan.green` carry more than an environment.
fn sealed(sealed: &[&str]) -> Value {
    json!({
        "fence": {"deployment": "deploy-1", "epoch": 5},
        "environment": plan("a"), "blue": plan("a"), "green": plan("b"),
        "licence": "sealed", "sealed": sealed,
        "servers": ALL.map(|id| json!({"instance": id, "ip": "10.0.0.1"})),
    })
}

/// What the state RejectGreen passes.
fn never_served() -> Value {
    json!({
        "fence": {"deployment": "deploy-1", "epoch": 5},
        "environment": plan("b"), "blue": plan("a"), "green": plan("b"),
        "licence": "neverServed", "sealed": [],
        "servers": [{"instance": "i-4", "ip": "10.0.0.4"}],
    })
}

/// What the state ClearGreen passes: deploy-1 has superseded deploy-0.
fn cleared() -> Value {
    let mut payload = never_served();
    payload["of"] = json!("deploy-0");
    payload["servers"] = json!([]);
    payload
}

fn plan(name: &str) -> Value {
    let environment = environment(name);
    json!({"targetGroupArn": environment.target_group_arn, "name": environment.name, "healthy": 3})
}

/// Blue is held and has no weight any more.
fn drained() -> Fake {
    let fake = Fake::new();
    let mut world = fake.world();
    for id in ALL {
        world.retire(id, "tunnel-a");
    }
    world.add_green("i-4", "subnet-1");
    world.weigh(&[("a", 0), ("b", 100)]);
    world.record.as_mut().unwrap().switched = true;
    drop(world);
    fake
}

/// Green was launched and has never had weight.
fn launched(by: &str) -> Fake {
    let fake = Fake::new();
    fake.world().add_green("i-4", "subnet-1");
    let tag = (DEPLOYMENT_TAG.to_owned(), by.to_owned());
    fake.world().instance("i-4").tags.extend([tag]);
    fake
}

async fn terminate(fake: &Fake, payload: &Value) -> Result<Terminated, Failed> {
    let payload: Payload = serde_json::from_value(payload.clone()).unwrap();
    Box::pin(handle(&fake.cloud(), payload)).await
}

async fn failure(fake: &Fake, payload: &Value) -> ErrorName {
    terminate(fake, payload).await.unwrap_err().name()
}

/// Nothing changes, and every instance of the environment that lives is named with a reason that contains `reason`.
async fn all_refused(fake: &Fake, payload: &Value, reason: &str) {
    let answer = terminate(fake, payload).await.unwrap();
    assert!(!answer.refused.is_empty());
    for refused in &answer.refused {
        assert!(refused.reason.contains(reason), "{refused:?}");
    }
    assert!(!answer.empty);
    assert_eq!(answer.remaining, answer.refused.len());
    assert_eq!(fake.changes(), [""; 0]);
}

/// An environment that never served and that nothing may be ended in calls an operator instead of being asked for ever.
async fn foreign(fake: &Fake, payload: &Value, reason: &str) {
    let error = terminate(fake, payload).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotConfirmed);
    let cause = error.to_string();
    assert!(
        cause.contains(reason) && cause.contains("redrive"),
        "{cause}"
    );
    assert_eq!(fake.changes(), [""; 0]);
}

fn gone(fake: &Fake) {
    for instance in &mut fake.world().instances {
        if instance.state == InstanceState::ShuttingDown {
            instance.state = InstanceState::Terminated;
        }
    }
}

fn state(fake: &Fake, id: &str) -> InstanceState {
    fake.world().instance(id).state
}

#[tokio::test]
async fn sealed_servers_are_deregistered_and_ended_and_empty_waits_for_ec2() {
    let fake = drained();
    let answer = terminate(&fake, &sealed(&ALL)).await.unwrap();
    let each = "TerminateInstances";
    assert_eq!(fake.changes(), ["DeregisterTargets", each, each, each]);
    assert_eq!(answer.ending, ALL);
    assert_eq!((answer.remaining, answer.empty), (3, false));
    assert_eq!(state(&fake, "i-4"), InstanceState::Running);

    gone(&fake);
    let answer = terminate(&fake, &sealed(&[])).await.unwrap();
    assert_eq!(fake.changes(), [""; 0]);
    let expected = json!({
        "terminated": ALL, "ending": [], "refused": [], "remaining": 0, "empty": true
    });
    assert_eq!(serde_json::to_value(&answer).unwrap(), expected);
}

#[tokio::test]
async fn a_repeat_orders_nothing_more() {
    let fake = drained();
    let first = terminate(&fake, &sealed(&ALL)).await.unwrap();
    fake.changes();
    assert_eq!(terminate(&fake, &sealed(&ALL)).await.unwrap(), first);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_server_without_a_seal_lives_beside_those_that_end() {
    let fake = drained();
    let answer = terminate(&fake, &sealed(&["i-1", "i-3"])).await.unwrap();
    assert_eq!(answer.ending, ["i-1", "i-3"]);
    assert_eq!(answer.refused[0].instance, "i-2");
    assert!(answer.refused[0].reason.contains("not acknowledged a seal"));
    assert_eq!(state(&fake, "i-2"), InstanceState::Running);
    let mut world = fake.world();
    let blue = world.group(&environment("a").target_group_arn);
    let registered = blue.targets.iter().filter(|target| target.registered);
    assert_eq!(registered.count(), 1, "only sealed ones are deregistered");
}

#[tokio::test]
async fn a_server_launched_meanwhile_keeps_the_environment_from_being_empty() {
    let fake = drained();
    terminate(&fake, &sealed(&ALL)).await.unwrap();
    gone(&fake);
    fake.world().add("i-9", "subnet-1", Some("a"), &[]);
    fake.changes();
    let answer = terminate(&fake, &sealed(&ALL)).await.unwrap();
    assert_eq!((answer.remaining, answer.empty), (1, false));
    assert_eq!(answer.refused[0].instance, "i-9");
    assert!(answer.refused[0].reason.contains("missing"), "{answer:?}");
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_sealed_server_that_lost_its_tag_or_has_anothers_lives() {
    for (tag, value) in [
        (RETIRING_TAG, None),
        (RETIRING_TAG, Some("deploy-0")),
        (ENVIRONMENT_TAG, None),
        (ENVIRONMENT_TAG, Some("tunnel-b")),
    ] {
        let fake = drained();
        for id in ALL {
            let mut world = fake.world();
            let tags = &mut world.instance(id).tags;
            tags.remove(tag);
            tags.extend(value.map(|value| (tag.to_owned(), value.to_owned())));
        }
        all_refused(&fake, &sealed(&ALL), tag).await;
    }
}

#[tokio::test]
async fn nothing_ends_while_the_group_has_weight_or_the_instance_is_in_one_that_has() {
    let fake = drained();
    fake.world().weigh(&[("a", 1), ("b", 99)]);
    foreign(&fake, &sealed(&ALL), "refusing new sessions").await;

    let fake = drained();
    let green = environment("b").target_group_arn;
    for id in ALL {
        fake.world().group(&green).targets.push(target(id, true));
    }
    all_refused(&fake, &sealed(&ALL), "also a target of").await;

    let fake = launched("deploy-1");
    fake.world().weigh(&[("a", 99), ("b", 1)]);
    foreign(&fake, &never_served(), "has weight 1").await;
}

#[tokio::test]
async fn a_listed_server_that_ec2_does_not_show_is_not_gone() {
    let fake = drained();
    terminate(&fake, &sealed(&ALL)).await.unwrap();
    gone(&fake);
    fake.world()
        .instances
        .retain(|instance| instance.id != "i-2");
    for targets in fake.world().groups.iter_mut().map(|it| &mut it.targets) {
        targets.retain(|target| target.instance != "i-2");
    }
    let answer = terminate(&fake, &sealed(&[])).await.unwrap();
    assert_eq!((answer.remaining, answer.empty), (1, false));
    assert!(answer.refused[0].reason.contains("does not show"));
}

#[tokio::test]
async fn a_rejected_green_is_ended_and_blue_is_not() {
    let fake = launched("deploy-1");
    let answer = terminate(&fake, &never_served()).await.unwrap();
    assert_eq!(fake.changes(), ["DeregisterTargets", "TerminateInstances"]);
    assert_eq!(answer.ending, ["i-4"]);
    gone(&fake);
    assert!(terminate(&fake, &never_served()).await.unwrap().empty);
    assert_eq!(state(&fake, "i-1"), InstanceState::Running);
}

#[tokio::test]
async fn a_green_of_a_service_that_has_switched_is_never_rejected() {
    let fake = launched("deploy-1");
    fake.world().record.as_mut().unwrap().switched = true;
    foreign(&fake, &never_served(), "switched since").await;
}

#[tokio::test]
async fn clearing_goes_by_the_superseded_owners_tag_and_the_callers_fence() {
    let fake = launched("deploy-0");
    let answer = terminate(&fake, &cleared()).await.unwrap();
    assert_eq!(answer.ending, ["i-4"]);

    let fake = launched("deploy-1");
    foreign(&fake, &cleared(), "and not deploy-0").await;

    let fake = launched("deploy-0");
    fake.world().record.as_mut().unwrap().owner = Some("deploy-0".to_owned());
    assert_eq!(failure(&fake, &cleared()).await, ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn what_ends_already_is_waited_for_whoever_launched_it() {
    for of in ["deploy-0", "deploy-1", "deploy-2"] {
        let fake = launched(of);
        fake.world().instance("i-4").state = InstanceState::ShuttingDown;
        for payload in [cleared(), never_served()] {
            let answer = terminate(&fake, &payload).await.unwrap();
            assert_eq!(fake.changes(), [""; 0]);
            assert_eq!(answer.ending, ["i-4"], "{of}");
            assert_eq!((answer.remaining, answer.empty), (1, false));
        }
        gone(&fake);
        assert!(terminate(&fake, &cleared()).await.unwrap().empty, "{of}");
    }
}

#[tokio::test]
async fn clearing_ends_what_an_earlier_deployment_left_beside_what_ends_already() {
    // deploy-1 has superseded a deployment that died while it cleared deploy-0's green.
    let fake = launched("deploy-0");
    fake.world().add_green("i-5", "subnet-1");
    fake.world().instance("i-5").state = InstanceState::ShuttingDown;
    let answer = terminate(&fake, &cleared()).await.unwrap();
    assert_eq!(answer.ending, ["i-4", "i-5"]);
    gone(&fake);
    assert!(terminate(&fake, &cleared()).await.unwrap().empty);
}

#[tokio::test]
async fn a_late_caller_changes_nothing() {
    for epoch in [4, 6] {
        let fake = drained();
        fake.world().record.as_mut().unwrap().epoch = epoch;
        assert_eq!(failure(&fake, &sealed(&ALL)).await, ErrorName::Superseded);
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_caller_that_becomes_late_on_the_way_ends_no_further_instance() {
    for (operation, changes) in [
        ("DeregisterTargets", vec!["DeregisterTargets"]),
        (
            "TerminateInstances",
            vec!["DeregisterTargets", "TerminateInstances"],
        ),
    ] {
        let fake = drained();
        fake.fail(operation, Fault::Superseding);
        assert_eq!(failure(&fake, &sealed(&ALL)).await, ErrorName::Superseded);
        assert_eq!(fake.changes(), changes, "superseded during {operation}");
    }
}

#[tokio::test]
async fn a_payload_that_contradicts_itself_is_refused() {
    let fake = drained();
    let mut stranger = sealed(&ALL);
    stranger["environment"] = plan("c");
    let mut of_another = sealed(&ALL);
    of_another["of"] = json!("deploy-0");
    let mut misnamed = sealed(&ALL);
    for field in ["environment", "blue"] {
        misnamed[field]["name"] = json!("tunnel-b");
    }
    for payload in [stranger, of_another, misnamed] {
        assert_eq!(failure(&fake, &payload).await, ErrorName::InvalidInput);
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn failures_keep_their_names_and_a_repeat_ends_the_rest() {
    for (operation, fault, name) in [
        (
            "TerminateInstances",
            Fault::Refused("UnauthorizedOperation"),
            ErrorName::AccessDenied,
        ),
        (
            "TerminateInstances",
            Fault::Refused("RequestLimitExceeded"),
            ErrorName::Throttled,
        ),
        (
            "TerminateInstances",
            Fault::ReplyLost,
            ErrorName::AwsUnavailable,
        ),
        (
            "TerminateInstances",
            Fault::Unreachable,
            ErrorName::AwsUnavailable,
        ),
        (
            "DeregisterTargets",
            Fault::Refused("AccessDenied"),
            ErrorName::AccessDenied,
        ),
        (
            "DeregisterTargets",
            Fault::ReplyLost,
            ErrorName::AwsUnavailable,
        ),
        (
            "DescribeInstances",
            Fault::Refused("RequestLimitExceeded"),
            ErrorName::Throttled,
        ),
        (
            "DescribeListeners",
            Fault::Unreachable,
            ErrorName::AwsUnavailable,
        ),
        (
            "GetItem",
            Fault::Refused("ThrottlingException"),
            ErrorName::Throttled,
        ),
    ] {
        let fake = drained();
        fake.fail(operation, fault);
        assert_eq!(
            failure(&fake, &sealed(&ALL)).await,
            name,
            "{operation} {fault:?}"
        );
        let answer = terminate(&fake, &sealed(&ALL)).await.unwrap();
        assert_eq!(answer.ending, ALL, "{operation} {fault:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_ends_nobody() {
    for operation in [
        "DescribeAutoScalingInstances",
        "DescribeInstances",
        "DescribeListeners",
        "DescribeTargetHealth",
        "GetItem",
    ] {
        let fake = drained();
        fake.fail(operation, Fault::Unreachable);
        assert_eq!(
            failure(&fake, &sealed(&ALL)).await,
            ErrorName::AwsUnavailable
        );
        assert_eq!(fake.changes(), [""; 0], "{operation}");
    }
}

#[tokio::test]
async fn one_instance_that_aws_will_not_end_does_not_keep_the_others() {
    let fake = drained();
    fake.fail(
        "TerminateInstances",
        Fault::Refused("OperationNotPermitted"),
    );
    assert_eq!(failure(&fake, &sealed(&ALL)).await, ErrorName::AwsRefused);
    assert_eq!(state(&fake, "i-1"), InstanceState::Running);
    assert_eq!(state(&fake, "i-2"), InstanceState::ShuttingDown);
    assert_eq!(state(&fake, "i-3"), InstanceState::ShuttingDown);
}

#[tokio::test]
async fn instances_of_another_service_are_not_listed() {
    let fake = launched("deploy-1");
    let tags = [
        (SERVICE_TAG, "other"),
        (ENVIRONMENT_TAG, "tunnel-b"),
        (DEPLOYMENT_TAG, "deploy-1"),
    ];
    fake.world().add("i-9", "subnet-1", None, &tags);
    terminate(&fake, &never_served()).await.unwrap();
    assert_eq!(state(&fake, "i-9"), InstanceState::Running);
}
