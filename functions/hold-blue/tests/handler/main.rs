//! hold-blue against an AWS in memory: what it orders, what it lists, and when it refuses.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

mod groups;
mod let_go;

use ebbtide_aws::fake::{Fake, Fault, arn, environment, recorded, target};
use ebbtide_rules::document::{Act, Invocation, Told};
use ebbtide_rules::hold::SUSPENDED;
use ebbtide_rules::observed::{ENVIRONMENT_TAG, InstanceState, RETIRING_TAG, SERVICE_TAG};
use ebbtide_rules::record::{Doing, Phase};
use ebbtide_rules::scaling::{ScalingGroup, ScalingMember, Sizes};
use ebbtide_rules::weights::Weights;
use ebbtide_rules::{ErrorName, Retiring, examples};
use hold_blue::{Failed, handle};
use jiff::Timestamp;

const ALL: [&str; 3] = ["i-1", "i-2", "i-3"];

fn invocation(act: Act, doing: Doing) -> Invocation {
    examples::invocation(act, examples::about(recorded("a", "b"), doing))
}

/// What HoldRetiring passes while the weights are watched.
fn holding() -> Invocation {
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    invocation(Act::Hold, Doing::Watching { weights })
}

/// What LetBlueGo passes.
fn letting_go() -> Invocation {
    let minimum_open = 3;
    invocation(Act::LetGo, Doing::Returning { minimum_open })
}

async fn answer(fake: &Fake, call: Invocation) -> Result<Told<Retiring>, Failed> {
    Box::pin(handle(&fake.cloud(), Timestamp::UNIX_EPOCH, call)).await
}

async fn let_go(fake: &Fake) -> Result<Retiring, Failed> {
    fake.world().phase(examples::rolling_back());
    Ok(answer(fake, letting_go()).await?.answer)
}

/// Holds blue, as the holder of the front that has switched.
async fn hold(fake: &Fake) -> Result<Retiring, Failed> {
    fake.world().phase(Phase::Switched);
    Ok(answer(fake, holding()).await?.answer)
}

async fn failure(fake: &Fake) -> Failed {
    hold(fake).await.unwrap_err()
}

fn ids(retiring: &Retiring) -> Vec<&str> {
    let servers = retiring.servers.iter();
    servers.map(|server| server.instance.as_str()).collect()
}

/// Blue's servers are members of an Auto Scaling group.
fn scaled() -> Fake {
    let fake = Fake::new();
    let members = ALL.map(|id| ScalingMember {
        instance: id.to_owned(),
        protected: false,
        lifecycle: "InService".to_owned(),
    });
    fake.world().scaling.push(ScalingGroup {
        name: "asg".to_owned(),
        suspended: vec!["AZRebalance".to_owned()],
        sizes: Sizes {
            min: 3,
            max: 3,
            desired: 3,
        },
        // Its role lets hold-blue change no other.
        tags: [(SERVICE_TAG.to_owned(), "tunnel".to_owned())].into(),
        members: members.into(),
        ..ScalingGroup::default()
    });
    fake
}

/// Which members of the group are protected.
fn protected(fake: &Fake) -> Vec<bool> {
    let world = fake.world();
    let members = world.scaling[0].members.iter();
    members.map(|member| member.protected).collect()
}

fn deregister(fake: &Fake, id: &str) {
    let blue = ebbtide_aws::fake::arn("a");
    let mut world = fake.world();
    let targets = &mut world.group(&blue).targets;
    targets.retain(|target| target.instance != id);
}

#[tokio::test]
async fn every_server_is_tagged_and_listed_and_green_is_left_alone() {
    let fake = Fake::new();
    fake.world().add_green("i-4", "subnet-1");
    let retiring = hold(&fake).await.unwrap();
    assert_eq!(fake.changes(), ["CreateTags"]);
    assert_eq!(ids(&retiring), ALL);
    assert_eq!(retiring.servers[0].ip, "10.0.0.1");
    for id in ALL {
        let instance = fake.world().instance(id).clone();
        assert_eq!(instance.tag(SERVICE_TAG), Some("tunnel"));
        assert_eq!(instance.tag(ENVIRONMENT_TAG), Some("tunnel-a"));
        assert_eq!(instance.tag(RETIRING_TAG), Some("deploy-1"));
    }
    assert_eq!(fake.world().instance("i-4").tag(RETIRING_TAG), None);
}

#[tokio::test]
async fn what_holding_takes_from_an_auto_scaling_group_is_noted_first() {
    let fake = scaled();
    hold(&fake).await.unwrap();
    let expected = [
        "CreateOrUpdateTags",
        "CreateTags",
        "SuspendProcesses",
        "SetInstanceProtection",
        "CreateTags",
    ];
    assert_eq!(fake.changes(), expected);
    let group = fake.world().scaling[0].clone();
    assert!(
        SUSPENDED
            .iter()
            .all(|it| group.suspended.iter().any(|is| is == it))
    );
    assert!(group.members.iter().all(|member| member.protected));
}

#[tokio::test]
async fn a_repeat_orders_nothing_more() {
    let fake = scaled();
    let first = hold(&fake).await.unwrap();
    fake.changes();
    assert_eq!(hold(&fake).await.unwrap(), first);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn what_was_launched_between_passes_is_held_too() {
    let fake = scaled();
    hold(&fake).await.unwrap();
    fake.world().add("i-9", "subnet-1", Some("a"), &[]);
    let member = ScalingMember {
        instance: "i-9".to_owned(),
        protected: false,
        lifecycle: "InService".to_owned(),
    };
    fake.world().scaling[0].members.push(member);
    fake.changes();
    assert_eq!(
        ids(&hold(&fake).await.unwrap()),
        ["i-1", "i-2", "i-3", "i-9"]
    );
    let expected = ["CreateTags", "SetInstanceProtection", "CreateTags"];
    assert_eq!(fake.changes(), expected);
}

#[tokio::test]
async fn a_member_that_cannot_be_protected_yet_delays_the_hold_and_no_other_protection() {
    let fake = scaled();
    let lifecycle = |word: &str| word.clone_into(&mut fake.world().scaling[0].members[1].lifecycle);
    for word in ["Pending", "Pending:Wait"] {
        lifecycle(word);
        let failed = failure(&fake).await;
        assert_eq!(failed.name(), ErrorName::NotConfirmed, "{failed}");
        assert!(failed.to_string().contains("i-2 is Pending"), "{failed}");
    }
    assert_eq!(protected(&fake), [true, false, true]);
    fake.changes();
    lifecycle("InService");
    assert_eq!(ids(&hold(&fake).await.unwrap()), ALL);
    assert_eq!(fake.changes(), ["CreateTags", "SetInstanceProtection"]);
}

#[tokio::test]
async fn a_member_that_leaves_its_group_is_listed_and_neither_protected_nor_waited_for() {
    for word in ["Terminating:Wait", "Terminated", "Detaching", "Detached"] {
        let fake = scaled();
        word.clone_into(&mut fake.world().scaling[0].members[1].lifecycle);
        assert_eq!(ids(&hold(&fake).await.unwrap()), ALL, "{word}");
        assert_eq!(protected(&fake), [true, false, true], "{word}");
        fake.changes();
        hold(&fake).await.unwrap();
        assert_eq!(fake.changes(), [""; 0], "{word}");
    }
}

#[tokio::test]
async fn a_server_that_leaves_the_group_or_loses_its_tag_stays_on_the_list() {
    let fake = Fake::new();
    hold(&fake).await.unwrap();
    deregister(&fake, "i-1");
    fake.world().instance("i-2").tags.remove(RETIRING_TAG);
    fake.world()
        .instance("i-3")
        .tags
        .insert(RETIRING_TAG.to_owned(), "deploy-0".to_owned());
    assert_eq!(ids(&hold(&fake).await.unwrap()), ALL);
    for id in ALL {
        assert_eq!(
            fake.world().instance(id).tag(RETIRING_TAG),
            Some("deploy-1")
        );
    }
}

#[tokio::test]
async fn only_what_ec2_calls_terminated_is_gone() {
    let fake = Fake::new();
    hold(&fake).await.unwrap();
    fake.world().instance("i-1").state = InstanceState::Terminated;
    fake.world().instance("i-2").state = InstanceState::ShuttingDown;
    fake.world().instance("i-3").state = InstanceState::Stopped;
    let retiring = hold(&fake).await.unwrap();
    assert_eq!(retiring.gone, ["i-1"]);
    assert_eq!(retiring.waiting_to_end, ["i-2"]);
    assert_eq!(ids(&retiring), ["i-3"]);
}

#[tokio::test]
async fn a_target_that_ec2_does_not_know_is_refused_before_anything_is_ordered() {
    let fake = scaled();
    let blue = ebbtide_aws::fake::arn("a");
    fake.world().group(&blue).targets.push(target("i-9", true));
    let failed = failure(&fake).await;
    assert_eq!(failed.name(), ErrorName::NotConfirmed);
    assert!(failed.to_string().contains("i-9"), "{failed}");
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_late_caller_changes_nothing() {
    for (deployment, epoch) in [("deploy-1", 6), ("deploy-1", 4), ("deploy-2", 5)] {
        let fake = scaled();
        {
            let mut world = fake.world();
            let owner = &mut world.front().unwrap().owner;
            (owner.deployment, owner.epoch) = (deployment.to_owned(), epoch);
        }
        assert_eq!(failure(&fake).await.name(), ErrorName::Superseded);
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn nothing_is_held_before_weight_may_move_and_no_environment_but_ones_own() {
    let fake = scaled();
    let refused = answer(&fake, holding()).await.unwrap_err();
    assert_eq!(refused.name(), ErrorName::Superseded, "only claimed");
    let drains = |letter: &str| {
        let environment = environment(letter);
        let moments = examples::moments();
        invocation(
            Act::Hold,
            Doing::Draining {
                environment,
                moments,
            },
        )
    };
    fake.world().switch(0, 100);
    fake.world().retires("a");
    for letter in ["b", "c"] {
        let refused = answer(&fake, drains(letter)).await.unwrap_err();
        assert_eq!(refused.name(), ErrorName::Superseded, "{letter}");
    }
    assert_eq!(fake.changes(), [""; 0]);
    let listed = answer(&fake, drains("a")).await.unwrap();
    assert_eq!(ids(&listed), ALL, "its own entry admits it without a front");
}

#[tokio::test]
async fn after_a_rollback_green_is_held_and_where_it_is_taken_over_blue_is_listed_first() {
    let fake = scaled();
    fake.world().add_green("i-4", "subnet-1");
    fake.world().phase(examples::rolling_back());
    let minimum_open = 3;
    let returning = invocation(Act::Hold, Doing::Returning { minimum_open });
    let green = answer(&fake, returning).await.unwrap();
    assert_eq!(green.environment, environment("b"));
    assert_eq!(ids(&green), ["i-4"]);
    let reopening = invocation(Act::Hold, Doing::Reopening { minimum_open });
    let blue = answer(&fake, reopening).await.unwrap();
    assert_eq!(
        (&blue.environment, ids(&blue)),
        (&environment("a"), ALL.to_vec())
    );
}

#[tokio::test]
async fn another_act_and_a_document_that_says_not_what_retires_are_refused() {
    let fake = scaled();
    fake.world().phase(Phase::Switched);
    let other = Invocation {
        act: Act::Attach,
        ..holding()
    };
    for call in [other, invocation(Act::Hold, Doing::Launching)] {
        let refused = answer(&fake, call).await.unwrap_err();
        assert_eq!(refused.name(), ErrorName::InvalidInput, "{refused}");
        assert_eq!(fake.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_task_that_was_tried_before_leaves_a_call_that_may_still_arrive() {
    let fake = scaled();
    fake.world().phase(Phase::Switched);
    let mut again = holding();
    again.retries = 1;
    let until = Some(Timestamp::from_second(75).unwrap());
    let told = answer(&fake, again).await.unwrap();
    assert_eq!(told.unanswered_until, until);
    let mut later = holding();
    later.document.retiring = Some(told);
    let later = answer(&fake, later).await.unwrap();
    assert_eq!(later.unanswered_until, until);
}

#[tokio::test]
async fn failures_keep_their_names_and_a_repeat_orders_the_rest() {
    let cases = [
        (
            "SuspendProcesses",
            Fault::Refused("AccessDenied"),
            ErrorName::AccessDenied,
        ),
        (
            "SuspendProcesses",
            Fault::Refused("Throttling"),
            ErrorName::Throttled,
        ),
        (
            "SetInstanceProtection",
            Fault::Refused("ResourceContention"),
            ErrorName::Throttled,
        ),
        (
            "SetInstanceProtection",
            Fault::ReplyLost,
            ErrorName::AwsUnavailable,
        ),
        (
            "CreateTags",
            Fault::Refused("UnauthorizedOperation"),
            ErrorName::AccessDenied,
        ),
        ("CreateTags", Fault::ReplyLost, ErrorName::AwsUnavailable),
        ("CreateTags", Fault::Unreachable, ErrorName::AwsUnavailable),
        (
            "DescribeInstances",
            Fault::Refused("RequestLimitExceeded"),
            ErrorName::Throttled,
        ),
        (
            "DescribeAutoScalingInstances",
            Fault::Unreachable,
            ErrorName::AwsUnavailable,
        ),
        (
            "DescribeTargetHealth",
            Fault::Unreachable,
            ErrorName::AwsUnavailable,
        ),
        ("GetItem", Fault::Unreachable, ErrorName::AwsUnavailable),
    ];
    for (operation, fault, name) in cases {
        let fake = scaled();
        fake.fail(operation, fault);
        assert_eq!(failure(&fake).await.name(), name, "{operation} {fault:?}");
        assert_eq!(
            ids(&hold(&fake).await.unwrap()),
            ALL,
            "{operation} {fault:?}"
        );
        assert!(
            fake.world().scaling[0]
                .members
                .iter()
                .all(|member| member.protected)
        );
    }
}

#[tokio::test]
async fn who_is_registered_at_one_of_two_listeners_alone_is_held_as_well() {
    let fake = Fake::new();
    let plan = {
        let mut world = fake.world();
        world.add_listener();
        world.phase(Phase::Switched);
        world.add("i-4", "subnet-1", None, &[]);
        world.group(&arn("a-tls")).targets.push(target("i-4", true));
        world.front().unwrap().plan.clone()
    };
    let mut call = holding();
    call.document = examples::about(plan, call.document.record.unwrap().doing);
    let held = answer(&fake, call).await.unwrap().answer;
    assert_eq!(ids(&held), ["i-1", "i-2", "i-3", "i-4"]);
    assert_eq!(
        fake.world().instance("i-4").tag(RETIRING_TAG),
        Some("deploy-1")
    );
}
