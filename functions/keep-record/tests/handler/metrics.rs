//! Metrics: told once for each write that was made, and for no other.

use ebbtide_aws::fake::{Fake, Fault};
use ebbtide_rules::document::{Act, Invocation};
use keep_record::handle;
use serde_json::Value;

use crate::{NOW, Run, check, draining, gone};

/// Asks, and keeps the lines that were told.
async fn told(run: &Run, fake: &Fake, act: Act) -> Vec<Value> {
    let invocation = Invocation {
        act,
        execution: run.execution.clone(),
        state: format!("{act:?}"),
        retries: 0,
        redrives: 0,
        document: run.document.clone(),
    };
    let mut lines = Vec::new();
    let tell = |line: &str| lines.push(serde_json::from_str(line).unwrap());
    let _ = Box::pin(handle(&fake.ledger(), NOW, invocation, tell)).await;
    lines
}

fn drains() -> (Fake, Run) {
    let fake = Fake::new();
    fake.world().retires("a");
    let mut run = Run::of_deploy_1(draining());
    run.document.check = Some(check());
    (fake, run)
}

#[tokio::test]
async fn a_write_is_told_once_however_often_it_was_lost_before_or_is_asked_for_again() {
    let (fake, run) = drains();
    for _ in 0..4 {
        let lost = Fault::Refused("ConditionalCheckFailedException");
        fake.fail("PutItem", lost);
    }
    let lines = told(&run, &fake, Act::Pass).await;
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(
        (&line["Service"], &line["Busy"]),
        (&"tunnel".into(), &1.0.into())
    );
    assert!(told(&run, &fake, Act::Pass).await.is_empty());
}

#[tokio::test]
async fn what_was_not_written_or_is_not_known_to_be_is_not_told() {
    for fault in [
        Fault::Unreachable,
        Fault::ReplyLost,
        Fault::Refused("ThrottlingException"),
    ] {
        let (fake, run) = drains();
        fake.fail("PutItem", fault);
        assert!(told(&run, &fake, Act::Pass).await.is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn an_outcome_is_told_with_the_transaction_that_writes_it() {
    let (fake, mut run) = drains();
    run.document.terminate = Some(gone());
    let lines = told(&run, &fake, Act::Release).await;
    assert_eq!((lines.len(), &lines[0]["Promoted"]), (1, &1.0.into()));
    assert_eq!(lines[0]["Terminated"], 2.0);
    assert!(told(&run, &fake, Act::Release).await.is_empty());
}

#[tokio::test]
async fn what_is_started_after_the_write_and_fails_takes_nothing_of_it_back() {
    let (fake, mut run) = drains();
    fake.world().record.as_mut().unwrap().retiring[0]
        .plan
        .policy
        .most_passes = 1;
    assert_eq!(told(&run, &fake, Act::Pass).await.len(), 1);
    let answers = fake.world().record.clone().unwrap().answers;
    run.document.record = Some(answers.last().unwrap().answer.clone());
    fake.fail("StartExecution", Fault::Unreachable);
    assert_eq!(told(&run, &fake, Act::HandOn).await.len(), 1);
    assert!(told(&run, &fake, Act::HandOn).await.is_empty());
    assert_eq!(fake.world().started.len(), 1);
}
