//! launch-green against an AWS in memory.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test has nothing to go on with either"
)]

use ebbtide_aws::fake::{Fake, Fault, arn, at_both, recorded};
use ebbtide_rules::document::{Act, Invocation, Told};
use ebbtide_rules::launch::{Launched, Verdict};
use ebbtide_rules::observed::{DEPLOYMENT_TAG, InstanceState};
use ebbtide_rules::plan::{Asked, SubnetShare};
use ebbtide_rules::record::{Doing, Phase, Wished};
use ebbtide_rules::{ErrorName, examples};
use jiff::Timestamp;
use launch_green::{Failed, handle};

fn invocation() -> Invocation {
    let share = |subnet: &str, count| SubnetShare {
        subnet_id: subnet.to_owned(),
        count,
    };
    let mut plan = recorded("a", "b");
    plan.green.subnets = vec![share("subnet-1", 2), share("subnet-2", 1)];
    examples::invocation(Act::Launch, examples::about(plan, Doing::Launching))
}

async fn answer(fake: &Fake, call: Invocation, second: i64) -> Result<Told<Launched>, Failed> {
    let now = Timestamp::from_second(second).unwrap();
    Box::pin(handle(&fake.cloud(), now, call)).await
}

async fn launch_at(fake: &Fake, second: i64) -> Result<Launched, Failed> {
    Ok(answer(fake, invocation(), second).await?.answer)
}

async fn launch(fake: &Fake) -> Result<Launched, Failed> {
    launch_at(fake, 10).await
}

fn of_green(fake: &Fake) -> usize {
    let instances = &fake.world().instances;
    let tagged = instances
        .iter()
        .filter(|instance| instance.tag(DEPLOYMENT_TAG) == Some("deploy-1"));
    tagged.count()
}

#[tokio::test]
async fn what_runs_at_once_is_registered_and_healthy_in_one_call() {
    let fake = Fake::new();
    let launched = launch(&fake).await.unwrap();
    assert_eq!(launched.verdict, Verdict::Healthy, "{}", launched.reason);
    assert_eq!((launched.healthy, launched.wanted), (3, 3));
    assert_eq!(launched.servers.len(), 3);
    assert_eq!(
        fake.changes(),
        ["RunInstances", "RunInstances", "RegisterTargets"]
    );
}

/// Green has a group at each of two listeners.
fn at_two(fake: &Fake) -> Invocation {
    fake.world().add_listener();
    let mut call = invocation();
    let plan = call.document.plan.as_mut().unwrap();
    if let Asked::Deploy(deploy) = &mut plan.asked {
        let green = &mut deploy.recorded.green.environment;
        *green = at_both(green.clone());
    }
    call
}

#[tokio::test]
async fn green_is_healthy_once_it_is_in_every_group() {
    let fake = Fake::new();
    let call = at_two(&fake);
    let launched = answer(&fake, call.clone(), 10).await.unwrap().answer;
    assert_eq!(launched.verdict, Verdict::Healthy, "{}", launched.reason);
    let (launch, register) = ("RunInstances", "RegisterTargets");
    assert_eq!(fake.changes(), [launch, launch, register, register]);
    fake.world().group(&arn("b-tls")).targets[0].healthy = false;
    let launched = answer(&fake, call.clone(), 20).await.unwrap().answer;
    assert_eq!((launched.verdict, launched.healthy), (Verdict::Wait, 2));
    fake.world().group(&arn("b-tls")).targets.remove(0);
    let launched = answer(&fake, call, 30).await.unwrap().answer;
    assert_eq!(launched.verdict, Verdict::Healthy, "{}", launched.reason);
    assert_eq!(
        fake.changes(),
        [register, register],
        "in the one that lacked it, and again in the other"
    );
}

#[tokio::test]
async fn a_repeat_launches_nothing_more() {
    let fake = Fake::new();
    fake.world().healthy = false;
    assert_eq!(launch(&fake).await.unwrap().verdict, Verdict::Wait);
    fake.changes();
    assert_eq!(launch(&fake).await.unwrap().verdict, Verdict::Wait);
    assert_eq!(fake.changes(), Vec::<String>::new());
    assert_eq!(of_green(&fake), 3);
}

#[tokio::test]
async fn what_an_operator_gives_up_is_rejected_in_the_next_look_and_launches_nothing_more() {
    let fake = Fake::new();
    fake.world().healthy = false;
    assert_eq!(launch(&fake).await.unwrap().verdict, Verdict::Wait);
    let wished = Wished {
        by: "abort-1".to_owned(),
        who: Some("on-call".to_owned()),
        why: Some("it answers 503".to_owned()),
        at: Timestamp::UNIX_EPOCH,
        force: false,
    };
    fake.world().front().unwrap().wishes.roll_back = Some(wished);
    fake.world().instances.retain(|it| it.id.ends_with('1'));
    fake.changes();
    let launched = launch(&fake).await.unwrap();
    assert_eq!(launched.verdict, Verdict::Rejected);
    assert!(launched.reason.contains("on-call"), "{}", launched.reason);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn pending_instances_are_registered_once_they_run() {
    let fake = Fake::new();
    fake.world().launched = InstanceState::Pending;
    let launched = launch(&fake).await.unwrap();
    assert_eq!(launched.verdict, Verdict::Wait);
    assert_eq!(fake.changes(), ["RunInstances", "RunInstances"]);
    for instance in &mut fake.world().instances {
        instance.state = InstanceState::Running;
    }
    assert_eq!(launch(&fake).await.unwrap().verdict, Verdict::Healthy);
    assert_eq!(fake.changes(), ["RegisterTargets"]);
}

#[tokio::test]
async fn a_lost_reply_is_mended_by_the_retry_without_a_second_launch() {
    let fake = Fake::new();
    fake.fail("RunInstances", Fault::ReplyLost);
    let error = launch(&fake).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::AwsUnavailable);
    assert_eq!(launch(&fake).await.unwrap().verdict, Verdict::Healthy);
    assert_eq!(of_green(&fake), 3);
}

#[tokio::test]
async fn every_refusal_of_aws_has_its_name() {
    for (code, name) in [
        (
            "InsufficientInstanceCapacity",
            ErrorName::CapacityUnavailable,
        ),
        ("Unsupported", ErrorName::CapacityUnavailable),
        ("UnauthorizedOperation", ErrorName::AccessDenied),
        ("RequestLimitExceeded", ErrorName::Throttled),
        ("InvalidAMIID.NotFound", ErrorName::AwsRefused),
    ] {
        let fake = Fake::new();
        fake.fail("RunInstances", Fault::Refused(code));
        let error = launch(&fake).await.unwrap_err();
        assert_eq!(error.name(), name, "{error}");
        assert!(error.to_string().contains("subnet-1"), "{error}");
    }
}

#[tokio::test]
async fn a_late_function_launches_nothing() {
    for epoch in [4, 6] {
        let fake = Fake::new();
        fake.world().front().unwrap().owner.epoch = epoch;
        let error = launch(&fake).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::Superseded);
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn nothing_is_launched_once_weight_may_move_nor_for_one_that_holds_no_front() {
    for phase in [Phase::Switched, examples::rolling_back()] {
        let fake = Fake::new();
        fake.world().phase(phase);
        let error = launch(&fake).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::Superseded);
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
    let fake = Fake::new();
    fake.world().retires("a");
    let error = launch(&fake).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::Superseded);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn another_act_and_a_document_without_a_plan_are_refused() {
    let fake = Fake::new();
    let mut other = invocation();
    other.act = Act::Attach;
    let mut unplanned = invocation();
    unplanned.document.plan = None;
    for call in [other, unplanned] {
        let error = answer(&fake, call, 10).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::InvalidInput, "{error}");
        assert_eq!(fake.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_task_that_was_tried_before_leaves_a_call_that_may_still_arrive() {
    let fake = Fake::new();
    let first = answer(&fake, invocation(), 10).await.unwrap();
    assert_eq!((first.unanswered_until, first.wait_seconds), (None, 5));
    let mut again = invocation();
    again.retries = 2;
    let again = answer(&fake, again, 10).await.unwrap();
    let until = Some(Timestamp::from_second(85).unwrap());
    assert_eq!(again.unanswered_until, until);
    let mut later = invocation();
    later.document.green = Some(again);
    let later = answer(&fake, later, 20).await.unwrap();
    assert_eq!(later.unanswered_until, until);
}

#[tokio::test]
async fn a_late_function_registers_nothing() {
    let fake = Fake::new();
    fake.world().launched = InstanceState::Pending;
    launch(&fake).await.unwrap();
    fake.changes();
    {
        let mut world = fake.world();
        for instance in &mut world.instances {
            instance.state = InstanceState::Running;
        }
        world.front().unwrap().owner.deployment = "deploy-2".to_owned();
    }
    let error = launch(&fake).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::Superseded);
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_green_that_is_late_is_rejected_and_left_alone() {
    let fake = Fake::new();
    fake.world().healthy = false;
    launch(&fake).await.unwrap();
    fake.changes();
    let late = launch_at(&fake, 601).await.unwrap();
    assert_eq!(late.verdict, Verdict::Rejected);
    assert!(late.reason.contains("0 of 3 servers"), "{}", late.reason);
    assert_eq!(fake.changes(), Vec::<String>::new());
    assert_eq!(late.servers.len(), 3, "whoever clears green needs them");
}

/// EC2 shows nothing of an instance for a while, then everything.
fn show(fake: &Fake, id: &str, shown: bool) {
    let mut world = fake.world();
    let tags = &mut world.instance(id).tags;
    if shown {
        tags.insert(DEPLOYMENT_TAG.to_owned(), "deploy-1".to_owned());
    } else {
        tags.remove(DEPLOYMENT_TAG);
    }
}

#[tokio::test]
async fn what_ec2_does_not_show_yet_is_not_launched_again() {
    let fake = Fake::new();
    fake.world().healthy = false;
    launch(&fake).await.unwrap();
    assert_eq!(of_green(&fake), 3);
    for hidden in [&["i-4"][..], &["i-4", "i-5"], &["i-4", "i-5", "i-6"]] {
        hidden.iter().for_each(|id| show(&fake, id, false));
        assert_eq!(launch(&fake).await.unwrap().verdict, Verdict::Wait);
        hidden.iter().for_each(|id| show(&fake, id, true));
        assert_eq!(of_green(&fake), 3, "{hidden:?} were not shown");
    }
}

#[tokio::test]
async fn a_server_that_ended_is_replaced_once_whatever_is_shown_meanwhile() {
    let fake = Fake::new();
    fake.world().healthy = false;
    launch(&fake).await.unwrap();
    fake.world().instance("i-5").state = InstanceState::Terminated;
    show(&fake, "i-4", false);
    launch(&fake).await.unwrap();
    assert_eq!(of_green(&fake), 3, "i-4 is not shown, i-7 is there for i-5");
    show(&fake, "i-4", true);
    show(&fake, "i-7", false);
    launch(&fake).await.unwrap();
    show(&fake, "i-7", true);
    launch(&fake).await.unwrap();
    assert_eq!(of_green(&fake), 4);
}

#[tokio::test]
async fn a_redrive_after_everything_ended_and_was_forgotten_launches_with_fresh_tokens() {
    let fake = Fake::new();
    fake.world().healthy = false;
    let mut call = invocation();
    call.document.green = Some(answer(&fake, call.clone(), 10).await.unwrap());
    let green = call.document.green.iter().flat_map(|it| &it.servers);
    let green: Vec<String> = green.map(|it| it.instance.clone()).collect();
    // An hour later EC2 shows nothing of them, and knows their tokens for a day.
    fake.world().instances.retain(|it| !green.contains(&it.id));
    let mut tokens = Vec::new();
    for second in [7200, 7205, 7501] {
        fake.world().now = Timestamp::from_second(second).unwrap();
        let looked = answer(&fake, call.clone(), second).await.unwrap();
        assert_eq!(looked.verdict, Verdict::Wait, "{}", looked.reason);
        tokens.push(fake.world().launches.len());
        call.document.green = Some(looked);
    }
    assert_eq!(tokens, [2, 2, 4], "burnt, still burnt, and fresh ones");
    assert_eq!(of_green(&fake), 3);
    let looked = answer(&fake, call.clone(), 7506).await.unwrap();
    assert_eq!(looked.launching.generation, 1);
    assert_eq!(of_green(&fake), 3);
}

#[tokio::test]
async fn an_instance_that_ends_before_it_is_registered_is_met_by_the_retry() {
    let fake = Fake::new();
    fake.fail("RegisterTargets", Fault::Refused("InvalidTarget"));
    let error = launch(&fake).await.unwrap_err();
    // Not final: the definition asks again.
    assert_eq!(error.name(), ErrorName::NotConfirmed, "{error}");
    fake.world().instance("i-5").state = InstanceState::Terminated;
    fake.changes();
    let launched = launch(&fake).await.unwrap();
    assert_eq!(launched.verdict, Verdict::Healthy, "{}", launched.reason);
    assert_eq!(fake.changes(), ["RunInstances", "RegisterTargets"]);
}
