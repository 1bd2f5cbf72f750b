//! Going on in the next execution.

use ebbtide_aws::fake::{Fake, Fault, execution};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::{Act, Document};
use ebbtide_rules::record::{Doing, Next};
use serde_json::Value;

use crate::{ALL_GREEN, Run, check, confirmed, draining};

const NEXT: &str = "deploy-1-0123456789ab-5-part-2";

/// `deploy-1` empties `tunnel-a`.
fn drains() -> (Fake, Run) {
    let fake = Fake::new();
    fake.world().retires("a");
    let mut run = Run::of_deploy_1(draining());
    run.document.check = Some(check());
    run.document.switch = Some(confirmed(5, &["a", "b"]));
    (fake, run)
}

/// The execution that was started last.
fn started(fake: &Fake) -> Run {
    let started = fake.world().started.last().cloned().unwrap();
    Run {
        execution: execution(&started.name),
        document: serde_json::from_str(&started.input).unwrap(),
    }
}

#[tokio::test]
async fn the_next_execution_is_named_then_started_with_what_it_needs() {
    let (fake, run) = drains();
    let answer = run.asks(&fake, Act::HandOn).await.unwrap();
    assert_eq!(answer.next, Next::Continued);
    assert_eq!(answer.successor(), Some(NEXT));
    assert_eq!(fake.changes(), ["PutItem", "StartExecution"]);
    let record = fake.world().record.clone().unwrap();
    assert_eq!(record.retiring[0].owner.execution, execution(NEXT));
    let input = fake.world().started[0].input.clone();
    let keys: Value = serde_json::from_str(&input).unwrap();
    let keys: Vec<&String> = keys.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["continued", "plan", "record", "switch", "check"]);
    let document: Document = serde_json::from_str(&input).unwrap();
    assert_eq!(document, run.document.handed_on(&answer));
}

#[tokio::test]
async fn the_next_execution_adopts_and_its_turns_go_on() {
    let (fake, run) = drains();
    let handed = run.asks(&fake, Act::HandOn).await.unwrap();
    let mut next = started(&fake);
    let answer = next.goes_on(&fake, Act::Adopt).await;
    assert_eq!(answer.next, Next::Pass);
    assert_eq!(answer.turn, handed.turn + 1);
    assert!(matches!(answer.doing, Doing::Draining { .. }));
    let course = fake.world().record.clone().unwrap().retiring[0]
        .course
        .clone();
    assert_eq!((course.part, course.passes), (2, 0));
    // The former one is late from here.
    let late = ErrorName::Superseded;
    let failed = run.asks(&fake, Act::Pass).await.unwrap_err();
    assert_eq!(failed.name(), late, "{failed}");
    let answer = next.asks(&fake, Act::Pass).await.unwrap();
    assert_eq!(answer.next, Next::Terminate);
}

#[tokio::test]
async fn only_the_execution_that_is_named_adopts() {
    let (fake, run) = drains();
    run.asks(&fake, Act::HandOn).await.unwrap();
    let stranger = Run {
        execution: execution("stranger"),
        ..started(&fake)
    };
    let failed = stranger.asks(&fake, Act::Adopt).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::Superseded, "{failed}");
}

#[tokio::test]
async fn a_bake_goes_on_in_the_next_execution_too() {
    let fake = Fake::new();
    fake.world().switch(0, 100);
    let mut run = Run::of_deploy_1(Doing::Watching { weights: ALL_GREEN });
    run.document.switch = Some(confirmed(5, &["a", "b"]));
    run.asks(&fake, Act::HandOn).await.unwrap();
    let answer = started(&fake).asks(&fake, Act::Adopt).await.unwrap();
    assert!(matches!(answer.doing, Doing::Watching { .. }));
    assert_eq!(
        fake.world().front().unwrap().owner.execution,
        execution(NEXT)
    );
}

#[tokio::test]
async fn a_start_that_failed_is_made_by_the_same_ask() {
    let cases = [
        (Fault::Unreachable, ErrorName::AwsUnavailable),
        (
            Fault::Refused("ExecutionLimitExceeded"),
            ErrorName::Throttled,
        ),
        (
            Fault::Refused("AccessDeniedException"),
            ErrorName::AccessDenied,
        ),
    ];
    for (fault, name) in cases {
        let (fake, run) = drains();
        fake.fail("StartExecution", fault);
        let failed = run.asks(&fake, Act::HandOn).await.unwrap_err();
        assert_eq!(failed.name(), name, "{failed}");
        assert!(failed.to_string().contains(NEXT), "{failed}");
        let named = fake.world().record.clone();
        let answer = run.asks(&fake, Act::HandOn).await.unwrap();
        assert_eq!(answer.successor(), Some(NEXT));
        assert_eq!(fake.world().record, named, "nothing is written twice");
        assert_eq!(fake.world().started.len(), 1);
    }
}

#[tokio::test]
async fn a_start_whose_reply_was_lost_was_the_one_that_was_meant() {
    let (fake, run) = drains();
    fake.fail("StartExecution", Fault::ReplyLost);
    let failed = run.asks(&fake, Act::HandOn).await.unwrap_err();
    assert_eq!(failed.name(), ErrorName::AwsUnavailable);
    let answer = run.asks(&fake, Act::HandOn).await.unwrap();
    assert_eq!(answer.next, Next::Continued);
    assert_eq!(fake.world().started.len(), 1);
    assert_eq!(fake.changes().len(), 3, "a write and two starts");
}

#[tokio::test]
async fn one_that_has_begun_and_handed_on_is_not_started_again() {
    let (fake, run) = drains();
    let answer = run.asks(&fake, Act::HandOn).await.unwrap();
    let mut second = started(&fake);
    second.goes_on(&fake, Act::Adopt).await;
    second.goes_on(&fake, Act::HandOn).await;
    assert_eq!(fake.world().started.len(), 2);
    // Step Functions forgets names after 90 days.
    fake.world().executions.clear();
    let again = run.asks(&fake, Act::HandOn).await.unwrap();
    assert_eq!(again, answer);
    assert_eq!(fake.world().started.len(), 2);
}
