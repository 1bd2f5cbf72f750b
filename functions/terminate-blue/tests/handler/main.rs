//! terminate-blue against an AWS in memory: who is ended, who is not, and what is said of the rest.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

mod auto_scaling;
mod fences;
mod groups;
mod listeners;
mod rolled_back;
mod unserved;

use ebbtide_aws::fake::{Fake, Fault, LISTENER, arn, environment, recorded, target};
use ebbtide_rules::document::{Act, Document, Invocation};
use ebbtide_rules::observed::{
    DEPLOYMENT_TAG, ENVIRONMENT_TAG, InstanceState, RETIRING_TAG, SERVICE_TAG,
};
use ebbtide_rules::record::{Clearing, Doing, Phase};
use ebbtide_rules::terminate::{Terminated, Verdict};
use ebbtide_rules::{ErrorName, Server, examples};
use jiff::Timestamp;
use serde_json::json;
use terminate_blue::{Failed, handle};

const ALL: [&str; 3] = ["i-1", "i-2", "i-3"];

fn servers(ids: &[&str]) -> Vec<Server> {
    let server = |id: &&str| Server {
        instance: (*id).to_owned(),
        ip: "10.0.0.1".to_owned(),
    };
    ids.iter().map(server).collect()
}

/// What TerminateBlue passes while the environment `letter` drains: its servers, and those that have sealed.
fn ending(letter: &str, listed: &[&str], sealed: &[&str]) -> Invocation {
    let doing = Doing::Draining {
        environment: environment(letter),
        moments: examples::moments(),
    };
    let document = Document {
        retiring: Some(examples::listed(&environment(letter), &servers(listed))),
        check: Some(examples::check(sealed)),
        ..examples::about(recorded("a", "b"), doing)
    };
    examples::invocation(Act::EndSealed, document)
}

fn sealed(sealed: &[&str]) -> Invocation {
    ending("a", &ALL, sealed)
}

/// What EndGreen passes for the deployment's own green.
fn never_served() -> Invocation {
    unserved(Doing::Rejecting)
}

fn unserved(doing: Doing) -> Invocation {
    let document = examples::about(recorded("a", "b"), doing);
    examples::invocation(Act::EndUnserved, document)
}

fn clearing() -> Clearing {
    Clearing {
        deployment: "deploy-0".to_owned(),
        blue: environment("a"),
        green: environment("b"),
        green_version: None,
        listeners: vec![LISTENER.to_owned()],
    }
}

/// What EndGreen passes where deploy-1 has superseded deploy-0.
fn cleared() -> Invocation {
    unserved(Doing::Clearing(clearing()))
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
    world.switch(0, 100);
    world.retires("a");
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

/// deploy-1 has superseded deploy-0, whose green was launched and has never had weight.
fn superseding() -> Fake {
    let fake = launched("deploy-0");
    fake.world().phase(Phase::Superseding {
        clearing: clearing(),
    });
    fake
}

async fn terminate(fake: &Fake, call: &Invocation) -> Result<Terminated, Failed> {
    let told = Box::pin(handle(&fake.cloud(), Timestamp::UNIX_EPOCH, call.clone())).await?;
    Ok(told.answer)
}

async fn failure(fake: &Fake, payload: &Invocation) -> ErrorName {
    terminate(fake, payload).await.unwrap_err().name()
}

/// Nothing changes, and every instance of the environment that lives is named with a reason that contains `reason`.
async fn all_refused(fake: &Fake, payload: &Invocation, reason: &str) {
    let answer = terminate(fake, payload).await.unwrap();
    assert!(!answer.refused.is_empty());
    for refused in &answer.refused {
        assert!(refused.reason.contains(reason), "{refused:?}");
    }
    assert_eq!(answer.verdict, Verdict::Left);
    assert_eq!(answer.remaining, answer.refused.len());
    assert_eq!(fake.changes(), [""; 0]);
}

/// An environment that never served and that nothing may be ended in calls an operator instead of being asked for ever.
async fn foreign(fake: &Fake, payload: &Invocation, reason: &str) {
    let error = terminate(fake, payload).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotConfirmed);
    let cause = error.to_string();
    assert!(
        cause.contains(reason) && cause.contains("redrive"),
        "{cause}"
    );
    assert_eq!(fake.changes(), [""; 0]);
}

async fn assert_gone(fake: &Fake, call: &Invocation) {
    let answer = terminate(fake, call).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Gone, "{answer:?}");
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
async fn sealed_servers_are_deregistered_and_ended_and_gone_waits_for_ec2() {
    let fake = drained();
    let answer = terminate(&fake, &sealed(&ALL)).await.unwrap();
    let each = "TerminateInstances";
    assert_eq!(fake.changes(), ["DeregisterTargets", each, each, each]);
    assert_eq!(answer.ending, ALL);
    assert_eq!((answer.remaining, answer.verdict), (3, Verdict::Left));
    assert_eq!(state(&fake, "i-4"), InstanceState::Running);

    gone(&fake);
    let answer = terminate(&fake, &sealed(&[])).await.unwrap();
    assert_eq!(fake.changes(), [""; 0]);
    let expected = json!({
        "verdict": "gone", "terminated": ALL, "ending": [], "refused": [], "remaining": 0,
        "tried": {"since": "1970-01-01T00:00:00Z", "redrives": 0}
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
    let blue = world.group(&arn("a"));
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
    assert_eq!((answer.remaining, answer.verdict), (1, Verdict::Left));
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
    let green = ebbtide_aws::fake::arn("b");
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
    assert_eq!((answer.remaining, answer.verdict), (1, Verdict::Left));
    assert!(answer.refused[0].reason.contains("does not show"));
}

#[tokio::test]
async fn a_target_whose_instance_is_gone_is_deregistered_before_the_environment_counts_as_gone() {
    let fake = drained();
    for id in ALL {
        fake.world().instance(id).state = InstanceState::Terminated;
    }
    let answer = terminate(&fake, &sealed(&[])).await.unwrap();
    assert_eq!(fake.changes(), ["DeregisterTargets"]);
    assert_eq!((answer.remaining, answer.verdict), (0, Verdict::Gone));
    let mut world = fake.world();
    let blue = world.group(&arn("a"));
    assert!(blue.targets.iter().all(|target| !target.registered));
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
