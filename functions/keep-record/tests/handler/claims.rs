//! Who gets the front.

use ebbtide_aws::fake::{Fake, Fault, environment, execution, recorded};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::Act;
use ebbtide_rules::input::{Then, Verb, Wish};
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Doing, Next, Phase};

use crate::{Run, deploy, draining};

/// `deploy-1` holds the front, and Step Functions says this of its execution.
fn held(status: &str) -> Fake {
    let fake = Fake::new();
    let (arn, status) = (execution("deploy-1"), status.to_owned());
    fake.world().executions.insert(arn, status);
    fake
}

fn take_over(epoch: u64, then: Then) -> Run {
    let asked = Asked::TakeOver {
        then,
        green_weight: 100,
        recorded: recorded("a", "b"),
    };
    Run::planned("taker", "deploy-1", epoch, asked)
}

#[tokio::test]
async fn the_first_deployment_of_a_service_takes_the_front() {
    let fake = Fake::new();
    fake.world().record = None;
    let answer = Run::deploys("first", 0)
        .asks(&fake, Act::Claim)
        .await
        .unwrap();
    assert_eq!((answer.next, answer.epoch), (Next::Launch, 1));
    assert_eq!(fake.changes(), ["PutItem"]);
    let record = fake.world().record.clone().unwrap();
    assert_eq!((record.revision, record.epoch), (1, 1));
    let front = record.front.unwrap();
    assert_eq!(front.owner.execution, execution("first"));
    assert_eq!(front.phase, Phase::Claimed);
}

#[tokio::test]
async fn a_dry_run_shows_its_plan_and_writes_nothing() {
    let fake = Fake::new();
    fake.world().record = None;
    let run = Run::planned("dry", "dry", 0, deploy(true));
    let answer = run.asks(&fake, Act::Claim).await.unwrap();
    assert_eq!(answer.next, Next::Show);
    assert_eq!(fake.changes(), [""; 0]);
    assert_eq!(fake.world().record, None);
}

#[tokio::test]
async fn a_holder_that_runs_is_named_and_keeps_the_front() {
    for status in ["RUNNING", "PENDING_REDRIVE"] {
        let fake = held(status);
        let run = Run::deploys("second", 5);
        let name = ErrorName::DeploymentInProgress;
        let cause = run.is_refused(&fake, Act::Claim, name).await;
        assert!(
            cause.contains("deploy-1") && cause.contains(status),
            "{cause}"
        );
    }
}

#[tokio::test]
async fn a_holder_that_ended_before_its_switch_is_superseded() {
    for fake in [held("FAILED"), held("ABORTED"), Fake::new()] {
        let answer = Run::deploys("second", 5)
            .asks(&fake, Act::Claim)
            .await
            .unwrap();
        assert_eq!((answer.next, answer.epoch), (Next::WaitOut, 6));
        assert!(
            matches!(&answer.doing, Doing::Clearing(clearing) if clearing.deployment == "deploy-1")
        );
        let front = fake.world().front().cloned().unwrap();
        assert_eq!(front.owner.deployment, "second");
        assert!(matches!(front.phase, Phase::Superseding { .. }));
    }
}

#[tokio::test]
async fn a_holder_that_ended_after_its_switch_is_taken_over_and_not_superseded() {
    let fake = held("FAILED");
    fake.world().switch(0, 100);
    let run = Run::deploys("second", 5);
    let name = ErrorName::DeploymentInProgress;
    let cause = run.is_refused(&fake, Act::Claim, name).await;
    assert!(cause.contains("takeOver"), "{cause}");
    let answer = take_over(5, Then::Continue)
        .asks(&fake, Act::Claim)
        .await
        .unwrap();
    assert_eq!((answer.next, answer.epoch), (Next::WaitOut, 6));
    assert!(matches!(answer.doing, Doing::Watching { .. }));
    let owner = fake.world().front().unwrap().owner.clone();
    assert_eq!(
        (owner.deployment.as_str(), owner.epoch),
        ("deploy-1", 6),
        "it is the same deployment"
    );
    assert_eq!(owner.execution, execution("taker"));
}

#[tokio::test]
async fn an_execution_that_runs_is_not_taken_over() {
    let fake = held("RUNNING");
    let run = take_over(5, Then::Continue);
    let name = ErrorName::DeploymentInProgress;
    run.is_refused(&fake, Act::Claim, name).await;
    fake.world().retires("a");
    let name = ErrorName::PreflightRefused;
    run.is_refused(&fake, Act::Claim, name).await;
}

#[tokio::test]
async fn a_drain_whose_execution_ended_is_taken_over_while_another_holds_the_front() {
    let fake = held("TIMED_OUT");
    fake.world().retires("a");
    let answer = take_over(5, Then::Continue)
        .asks(&fake, Act::Claim)
        .await
        .unwrap();
    assert_eq!((answer.next, answer.epoch), (Next::WaitOut, 6));
    assert!(matches!(answer.doing, Doing::Draining { .. }));
    let record = fake.world().record.clone().unwrap();
    assert_eq!(record.front, None);
    assert_eq!(record.retiring[0].owner.execution, execution("taker"));
    assert_eq!(record.retiring[0].environment, environment("a"));
}

#[tokio::test]
async fn a_wish_is_left_for_a_holder_that_runs_and_for_no_other() {
    let asked = Asked::Wish {
        wish: Wish::new(Verb::RollBack, "deploy-1"),
    };
    let run = Run::planned("wisher", "wisher", 5, asked);
    let fake = held("RUNNING");
    let answer = run.asks(&fake, Act::Claim).await.unwrap();
    assert_eq!(answer.next, Next::Told);
    assert!(fake.world().front().unwrap().wishes.roll_back.is_some());
    let fake = held("FAILED");
    let cause = run
        .is_refused(&fake, Act::Claim, ErrorName::WishRefused)
        .await;
    assert!(cause.contains("FAILED"), "{cause}");
}

#[tokio::test]
async fn a_front_that_only_detaches_is_overtaken_and_waited_out() {
    let fake = held("RUNNING");
    fake.world().phase(Phase::Detaching {
        environment: environment("c"),
    });
    // Its execution is nobody's business: it may run.
    fake.fail("DescribeExecution", Fault::Unreachable);
    let answer = Run::deploys("second", 5)
        .asks(&fake, Act::Claim)
        .await
        .unwrap();
    assert_eq!(answer.next, Next::WaitOut);
    assert_eq!(answer.doing, Doing::Launching);
    assert!(answer.wait_seconds > 60);
    assert_eq!(
        fake.world().front().unwrap().owner.execution,
        execution("second")
    );
}

#[tokio::test]
async fn an_environment_that_retires_is_given_to_nobody() {
    let fake = Fake::new();
    fake.world().retires("a");
    let run = Run::deploys("second", 5);
    let cause = run
        .is_refused(&fake, Act::Claim, ErrorName::PreflightRefused)
        .await;
    assert!(cause.contains("tunnel-a"), "{cause}");
    // Its own drain goes on meanwhile.
    let mut drain = Run::of_deploy_1(draining());
    drain.document.check = Some(crate::check());
    let answer = drain.asks(&fake, Act::Pass).await.unwrap();
    assert_eq!(answer.next, Next::Terminate);
}

#[tokio::test]
async fn a_plan_of_another_epoch_is_made_anew() {
    let fake = Fake::new();
    fake.world().record.as_mut().unwrap().front = None;
    Run::deploys("second", 4)
        .is_refused(&fake, Act::Claim, ErrorName::PlanOutdated)
        .await;
}
