//! Writes that are lost, replies that are lost, calls that never arrive.

use ebbtide_aws::fake::{Fake, FakeAlarm, Fault, execution};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::Act;
use ebbtide_rules::record::{Doing, Record};
use jiff::Timestamp;

use crate::{NOW, Run, after, check, confirmed, draining, gone};

fn drains() -> (Fake, Run) {
    let fake = Fake::new();
    fake.world().retires("a");
    let mut run = Run::of_deploy_1(draining());
    run.document.check = Some(check());
    (fake, run)
}

fn record(fake: &Fake) -> Record {
    fake.world().record.clone().unwrap()
}

#[tokio::test]
async fn a_write_that_is_lost_begins_again() {
    let (fake, run) = drains();
    for _ in 0..4 {
        let lost = Fault::Refused("ConditionalCheckFailedException");
        fake.fail("PutItem", lost);
    }
    run.asks(&fake, Act::Pass).await.unwrap();
    assert_eq!(fake.changes().len(), 5);
    assert_eq!(record(&fake).retiring[0].course.passes, 1);
    assert_eq!(record(&fake).revision, 2);
}

#[tokio::test]
async fn a_transaction_that_is_lost_begins_again() {
    let (fake, mut run) = drains();
    run.document.terminate = Some(gone());
    let lost = Fault::Refused("TransactionCanceledException");
    fake.fail("TransactWriteItems", lost);
    run.asks(&fake, Act::Release).await.unwrap();
    assert_eq!(fake.world().outcomes.len(), 1);
}

#[tokio::test]
async fn writes_that_are_lost_for_ever_end_as_an_error_that_is_worth_a_retry() {
    let (fake, run) = drains();
    for _ in 0..5 {
        fake.fail("PutItem", Fault::Refused("ConditionalCheckFailedException"));
    }
    let cause = run
        .is_refused(&fake, Act::Pass, ErrorName::AwsUnavailable)
        .await;
    assert!(cause.contains("redrive"), "{cause}");
    assert_eq!(fake.changes(), ["PutItem"; 5]);
    run.asks(&fake, Act::Pass).await.unwrap();
}

/// Between the read and the write somebody takes the deployment over.
#[tokio::test]
async fn what_was_decided_on_a_record_that_has_changed_is_not_written() {
    let fake = Fake::new();
    {
        let mut world = fake.world();
        world.switch(0, 100);
        world.front().unwrap().plan.policy.alarms = vec!["errors".to_owned()];
        world.alarms = vec![FakeAlarm {
            name: "errors".to_owned(),
            minutes: 1,
            composite: false,
            states: vec![(Timestamp::UNIX_EPOCH, "ALARM".to_owned())],
        }];
    }
    let mut run = Run::of_deploy_1(Doing::Nothing);
    run.document.switch = Some(confirmed(5, &["a", "b"]));
    fake.fail("DescribeAlarms", Fault::Superseding);
    let failed = run.asks(&fake, Act::Pass).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::Superseded, "{failed}");
    assert_eq!(fake.changes(), ["PutItem"], "which was lost");
    assert_eq!(record(&fake).epoch, 6);
    assert_eq!(record(&fake).front.unwrap().phase.word(), "switched");
}

#[tokio::test]
async fn a_reply_that_is_lost_is_given_again_and_nothing_is_counted_twice() {
    let (fake, run) = drains();
    fake.fail("PutItem", Fault::ReplyLost);
    let failed = run.asks(&fake, Act::Pass).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::AwsUnavailable);
    let written = record(&fake);
    assert_eq!(written.retiring[0].course.passes, 1);
    let first = run.asks_at(&fake, Act::Pass, after(20)).await.unwrap();
    let second = run.asks_at(&fake, Act::Pass, after(40)).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first.at, NOW, "that of the write");
    assert_eq!(record(&fake), written);
    assert_eq!(fake.changes(), ["PutItem"]);
}

#[tokio::test]
async fn a_transaction_whose_reply_is_lost_ends_the_deployment_once() {
    let (fake, mut run) = drains();
    run.document.terminate = Some(gone());
    fake.fail("TransactWriteItems", Fault::ReplyLost);
    let failed = run.asks(&fake, Act::Release).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::AwsUnavailable);
    let written = record(&fake);
    let answer = run.asks(&fake, Act::Release).await.unwrap();
    assert_eq!(answer.epoch, written.epoch);
    assert_eq!(record(&fake), written);
    assert_eq!(fake.world().outcomes.len(), 1);
}

#[tokio::test]
async fn a_claim_whose_reply_is_lost_is_one_claim() {
    let fake = Fake::new();
    fake.world().record = None;
    let run = Run::deploys("first", 0);
    fake.fail("PutItem", Fault::ReplyLost);
    run.asks(&fake, Act::Claim).await.unwrap_err();
    let answer = run.asks(&fake, Act::Claim).await.unwrap();
    assert_eq!(answer.epoch, 1);
    assert_eq!(record(&fake).epoch, 1);
}

#[tokio::test]
async fn a_call_that_never_arrives_or_is_refused_is_named_and_writes_nothing() {
    let cases = [
        (Fault::Unreachable, ErrorName::AwsUnavailable),
        (
            Fault::Refused("AccessDeniedException"),
            ErrorName::AccessDenied,
        ),
        (Fault::Refused("ThrottlingException"), ErrorName::Throttled),
        (
            Fault::Refused("ResourceNotFoundException"),
            ErrorName::AwsRefused,
        ),
    ];
    for operation in ["GetItem", "PutItem"] {
        for (fault, name) in cases {
            let (fake, run) = drains();
            fake.fail(operation, fault);
            let cause = run.is_refused(&fake, Act::Pass, name).await;
            assert!(cause.contains(operation), "{cause}");
            run.asks(&fake, Act::Pass).await.unwrap();
        }
    }
    for (fault, name) in cases {
        let fake = Fake::new();
        let ended = "FAILED".to_owned();
        fake.world().executions.insert(execution("deploy-1"), ended);
        fake.fail("DescribeExecution", fault);
        let run = Run::deploys("second", 5);
        let cause = run.is_refused(&fake, Act::Claim, name).await;
        assert!(cause.contains("DescribeExecution"), "{cause}");
    }
}
