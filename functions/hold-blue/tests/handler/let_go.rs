//! An environment that serves on gets back what holding took from it, and no more.

use ebbtide_rules::hold::{PROTECTED_TAG, SUSPENDED_TAG};

use ebbtide_rules::terminate::{Licence, Observation, Termination, decide};

use super::*;

/// What the environment was like before anybody held it: `scaled`, and i-3 is protected by its group.
fn free() -> Fake {
    let fake = scaled();
    fake.world().scaling[0].members[2].protected = true;
    fake
}

/// Everything that holding could have changed is as `free` made it, and nothing is tagged.
fn assert_free(fake: &Fake, context: &str) {
    let world = fake.world();
    let group = &world.scaling[0];
    assert_eq!(group.suspended, ["AZRebalance"], "{context}");
    assert_eq!(group.tags.get(SUSPENDED_TAG), None, "{context}");
    let protected: Vec<bool> = group.members.iter().map(|it| it.protected).collect();
    assert_eq!(protected, [false, false, true], "{context}");
    for instance in &world.instances {
        for tag in [RETIRING_TAG, PROTECTED_TAG] {
            assert_eq!(instance.tag(tag), None, "{context}: {}", instance.id);
        }
    }
}

#[tokio::test]
async fn a_blue_that_serves_on_gets_back_what_holding_took_and_no_more() {
    let fake = free();
    hold(&fake).await.unwrap();
    assert_eq!(protected(&fake), [true; 3]);
    fake.changes();
    assert_eq!(ids(&let_go(&fake).await.unwrap()), ALL);
    let expected = [
        "ResumeProcesses",
        "SetInstanceProtection",
        "DeleteTags of a group",
        "DeleteTags",
    ];
    assert_eq!(fake.changes(), expected);
    assert_free(&fake, "let go");
    let instance = fake.world().instance("i-1").clone();
    assert_eq!(instance.tag(ENVIRONMENT_TAG), Some("tunnel-a"));

    assert_eq!(ids(&let_go(&fake).await.unwrap()), ALL);
    assert_eq!(fake.changes(), [""; 0], "a repeat orders nothing more");
}

#[tokio::test]
async fn a_blue_outside_of_auto_scaling_only_loses_its_tag_and_green_keeps_its_own() {
    let fake = Fake::new();
    fake.world().add_green("i-4", "subnet-1");
    fake.world().retire("i-4", "tunnel-b");
    hold(&fake).await.unwrap();
    fake.changes();
    assert_eq!(ids(&let_go(&fake).await.unwrap()), ALL);
    assert_eq!(fake.changes(), ["DeleteTags"]);
    assert_eq!(fake.world().instance("i-1").tag(RETIRING_TAG), None);
    let green = fake.world().instance("i-4").clone();
    assert_eq!(green.tag(RETIRING_TAG), Some("deploy-1"));
}

/// Whom an order with everybody's seal would end, if the weights allowed it.
fn would_end(fake: &Fake) -> Vec<String> {
    let order = Termination {
        deployment: "deploy-1".to_owned(),
        environment: environment("a"),
        licence: Licence::Sealed,
        sealed: ALL.map(str::to_owned).into(),
        version_before: None,
    };
    let seen = Observation {
        instances: fake.world().instances.clone(),
        unseen: Vec::new(),
        targets: Vec::new(),
        weighted: Vec::new(),
        group: None,
    };
    decide(&seen, &order).terminate
}

#[tokio::test]
async fn who_was_let_go_cannot_be_ended_by_an_order_for_the_retiring() {
    let fake = free();
    hold(&fake).await.unwrap();
    assert_eq!(would_end(&fake), ALL);
    // Tagged and not registered any more: found by its tag.
    deregister(&fake, "i-2");
    let_go(&fake).await.unwrap();
    assert_eq!(would_end(&fake), [""; 0]);
}

#[tokio::test]
async fn an_environment_that_nobody_held_is_let_go_by_doing_nothing() {
    let fake = free();
    let before = fake.world().scaling.clone();
    let_go(&fake).await.unwrap();
    assert_eq!(fake.changes(), [""; 0]);
    assert_eq!(fake.world().scaling, before);
}

#[tokio::test]
async fn whatever_stops_holding_half_way_letting_go_gives_everything_back() {
    for operation in [
        "CreateOrUpdateTags",
        "CreateTags",
        "SuspendProcesses",
        "SetInstanceProtection",
    ] {
        for fault in [Fault::Refused("Throttling"), Fault::ReplyLost] {
            let fake = free();
            fake.fail(operation, fault);
            failure(&fake).await;
            let context = format!("{operation} {fault:?}");
            let_go(&fake).await.unwrap();
            assert_free(&fake, &context);

            let fake = free();
            fake.fail(operation, fault);
            failure(&fake).await;
            hold(&fake).await.unwrap();
            let_go(&fake).await.unwrap();
            assert_free(&fake, &format!("{context}, held by the repeat"));
        }
    }
}

#[tokio::test]
async fn whatever_stops_letting_go_half_way_the_repeat_ends_it() {
    for operation in [
        "ResumeProcesses",
        "SetInstanceProtection",
        "DeleteTags of a group",
        "DeleteTags",
        "DescribeInstances",
        "DescribeAutoScalingGroups",
        "DescribeAutoScalingInstances",
        "DescribeTargetHealth",
        "GetItem",
    ] {
        for (fault, name) in [
            (Fault::Refused("AccessDenied"), ErrorName::AccessDenied),
            (Fault::ReplyLost, ErrorName::AwsUnavailable),
            (Fault::Unreachable, ErrorName::AwsUnavailable),
        ] {
            let fake = free();
            hold(&fake).await.unwrap();
            fake.fail(operation, fault);
            let context = format!("{operation} {fault:?}");
            assert_eq!(let_go(&fake).await.unwrap_err().name(), name, "{context}");
            let_go(&fake).await.unwrap();
            assert_free(&fake, &context);
        }
    }
}

#[tokio::test]
async fn a_note_outlives_what_it_names() {
    for operation in ["ResumeProcesses", "SetInstanceProtection"] {
        let fake = free();
        hold(&fake).await.unwrap();
        fake.fail(operation, Fault::Unreachable);
        let_go(&fake).await.unwrap_err();
        assert!(fake.world().scaling[0].tags.contains_key(SUSPENDED_TAG));
        let first = fake.world().instance("i-1").clone();
        assert_eq!(first.tag(PROTECTED_TAG), Some("deploy-1"), "{operation}");
        assert_eq!(first.tag(RETIRING_TAG), Some("deploy-1"), "{operation}");
    }
}

#[tokio::test]
async fn the_deployment_that_supersedes_a_holder_gives_back_what_that_one_took() {
    let fake = free();
    let own = |deployment: &str| {
        deployment.clone_into(&mut fake.world().front().unwrap().owner.deployment);
    };
    own("deploy-0");
    fake.world().phase(Phase::Switched);
    let mut former = holding();
    former.document.plan.as_mut().unwrap().deployment = "deploy-0".to_owned();
    answer(&fake, former).await.unwrap();
    own("deploy-1");
    for held_again in [false, true] {
        let fake = copy(&fake);
        if held_again {
            hold(&fake).await.unwrap();
        }
        let_go(&fake).await.unwrap();
        assert_free(&fake, &format!("held again: {held_again}"));
    }
}

fn copy(fake: &Fake) -> Fake {
    let copy = Fake::new();
    *copy.world() = fake.world().clone();
    copy
}

#[tokio::test]
async fn a_group_whose_last_server_ended_meanwhile_is_let_go_too() {
    let fake = free();
    hold(&fake).await.unwrap();
    fake.world().scaling[0].members.clear();
    let mut foreign = fake.world().scaling[0].clone();
    "another".clone_into(&mut foreign.name);
    let service = (SERVICE_TAG.to_owned(), "other".to_owned());
    foreign.tags.extend([service]);
    fake.world().scaling.push(foreign.clone());
    let_go(&fake).await.unwrap();
    let groups = fake.world().scaling.clone();
    assert_eq!(groups[0].suspended, ["AZRebalance"]);
    assert_eq!(groups[0].tags.get(SUSPENDED_TAG), None);
    assert_eq!(groups[1], foreign, "a group of another service");
}

#[tokio::test]
async fn a_late_caller_gives_nothing_back() {
    let fake = free();
    hold(&fake).await.unwrap();
    let held = fake.world().clone();
    fake.changes();
    for (deployment, epoch) in [("deploy-1", 6), ("deploy-1", 4), ("deploy-2", 5)] {
        {
            let mut world = fake.world();
            let owner = &mut world.front().unwrap().owner;
            (owner.deployment, owner.epoch) = (deployment.to_owned(), epoch);
        }
        let failed = let_go(&fake).await.unwrap_err();
        assert_eq!(failed.name(), ErrorName::Superseded);
        assert_eq!(fake.changes(), [""; 0]);
        assert_eq!(fake.world().scaling, held.scaling);
    }
}

#[tokio::test]
async fn blue_is_not_let_go_while_it_may_still_retire_and_nobody_else_is() {
    let fake = free();
    hold(&fake).await.unwrap();
    fake.changes();
    let failed = answer(&fake, letting_go()).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::Superseded, "the bake goes on");
    fake.world()
        .phase(examples::superseding(&environment("c"), &environment("b")));
    let failed = answer(&fake, letting_go()).await.unwrap_err();
    assert_eq!(
        failed.name(),
        ErrorName::Superseded,
        "another's blue is let go"
    );
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_caller_that_becomes_late_on_the_way_forgets_nothing() {
    let fake = free();
    hold(&fake).await.unwrap();
    fake.changes();
    fake.fail("SetInstanceProtection", Fault::Superseding);
    let failed = let_go(&fake).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::Superseded);
    assert_eq!(fake.changes(), ["ResumeProcesses", "SetInstanceProtection"]);
    let first = fake.world().instance("i-1").clone();
    assert_eq!(first.tag(RETIRING_TAG), Some("deploy-1"));
}

#[tokio::test]
async fn a_target_that_ec2_does_not_know_is_no_obstacle_to_letting_go() {
    let fake = free();
    hold(&fake).await.unwrap();
    let blue = ebbtide_aws::fake::arn("a");
    fake.world().group(&blue).targets.push(target("i-9", true));
    let_go(&fake).await.unwrap();
    assert_free(&fake, "with a target that is unknown");
}

#[tokio::test]
async fn a_member_that_cannot_be_unprotected_yet_delays_the_end_of_the_hold() {
    let fake = free();
    hold(&fake).await.unwrap();
    let lifecycle = |word: &str| word.clone_into(&mut fake.world().scaling[0].members[0].lifecycle);
    lifecycle("Pending");
    let failed = let_go(&fake).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::NotConfirmed);
    assert!(failed.to_string().contains("i-1 is Pending"), "{failed}");
    lifecycle("InService");
    let_go(&fake).await.unwrap();
    assert_free(&fake, "in service again");
}
