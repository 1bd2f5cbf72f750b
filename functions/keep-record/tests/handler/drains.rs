//! Passes, and leaving.

use ebbtide_aws::fake::{Fake, environment, execution};
use ebbtide_rules::ErrorName;
use ebbtide_rules::document::Act;
use ebbtide_rules::record::{Doing, Entry, Next, Outcome, Owner, Phase, State};

use crate::{Run, check, confirmed, draining, gone};

/// `deploy-1` empties `tunnel-a`, and everything has ended.
fn emptied() -> (Fake, Run) {
    let fake = Fake::new();
    fake.world().retires("a");
    let mut run = Run::of_deploy_1(draining());
    run.document.check = Some(check());
    run.document.terminate = Some(gone());
    (fake, run)
}

/// `deploy-2` has claimed meanwhile.
fn claimed_by_another(fake: &Fake) {
    let mut world = fake.world();
    let claimed = Fake::new().world().record.clone().unwrap();
    let record = world.record.as_mut().unwrap();
    let mut front = claimed.front.unwrap();
    record.epoch = 6;
    front.owner = Owner {
        deployment: "deploy-2".to_owned(),
        execution: execution("deploy-2"),
        epoch: 6,
    };
    record.front = Some(front);
}

fn entry(fake: &Fake) -> Entry {
    fake.world().record.clone().unwrap().retiring[0].clone()
}

#[tokio::test]
async fn a_pass_is_counted_and_what_it_saw_is_on_record() {
    let (fake, mut run) = emptied();
    run.document.terminate = None;
    let answer = run.goes_on(&fake, Act::Pass).await;
    assert_eq!((answer.next, answer.wait_seconds), (Next::Terminate, 7));
    run.goes_on(&fake, Act::Pass).await;
    let course = entry(&fake).course;
    assert_eq!((course.passes, course.total), (2, 2));
    let progress = course.progress.unwrap();
    assert_eq!((progress.counts.busy, progress.counts.idle), (1, 2));
    assert_eq!(progress.waiting_for, "1 busy session");
    assert_eq!(fake.changes(), ["PutItem", "PutItem"]);
}

#[tokio::test]
async fn the_outcome_is_written_with_the_record_that_lets_the_environment_go() {
    let (fake, run) = emptied();
    claimed_by_another(&fake);
    let answer = run.asks(&fake, Act::Release).await.unwrap();
    assert_eq!(answer.next, Next::Promoted);
    assert_eq!(fake.changes(), ["TransactWriteItems"]);
    assert_eq!(entry(&fake).state, State::Gone);
    let outcomes = fake.world().outcomes.clone();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(
        (
            outcomes[0].deployment.as_str(),
            outcomes[0].outcome.as_str()
        ),
        ("deploy-1", "Promoted")
    );
    assert_eq!((outcomes[0].closed, outcomes[0].terminated), (5, 2));
    let front = fake.world().front().cloned().unwrap();
    assert_eq!(front.owner.deployment, "deploy-2");
}

#[tokio::test]
async fn where_nobody_holds_the_front_the_group_is_detached_before_the_end() {
    let (fake, mut run) = emptied();
    let answer = run.goes_on(&fake, Act::Release).await;
    assert_eq!((answer.next, answer.epoch), (Next::Detach, 6));
    assert!(matches!(answer.doing, Doing::Detaching { .. }));
    assert_eq!(fake.changes(), ["TransactWriteItems"]);
    assert_eq!(
        fake.world().front().unwrap().phase,
        Phase::Detaching {
            environment: environment("a")
        }
    );
    run.document.detached = Some(confirmed(6, &["b"]));
    let answer = run.goes_on(&fake, Act::Release).await;
    assert_eq!(answer.next, Next::Promoted);
    assert_eq!(fake.changes(), ["PutItem"]);
    let record = fake.world().record.clone().unwrap();
    assert_eq!((record.front, record.retiring), (None, Vec::new()));
    assert_eq!(record.last, Some(Outcome::Promoted));
    assert_eq!(fake.world().outcomes.len(), 1, "it ended once");
}

#[tokio::test]
async fn an_environment_that_is_not_gone_is_not_left() {
    let (fake, mut run) = emptied();
    run.document.terminate = None;
    run.is_refused(&fake, Act::Release, ErrorName::InvalidInput)
        .await;
    assert!(fake.world().outcomes.is_empty());
}

#[tokio::test]
async fn green_that_never_served_leaves_with_its_reason() {
    let fake = Fake::new();
    let mut run = Run::of_deploy_1(Doing::Rejecting);
    run.document.rejected = Some(gone());
    run.document.detached = Some(confirmed(5, &["a"]));
    let answer = run.asks(&fake, Act::Release).await.unwrap();
    assert_eq!(answer.next, Next::GreenRejected);
    assert_eq!(fake.changes(), ["TransactWriteItems"]);
    assert_eq!(fake.world().front(), None);
    let outcomes = fake.world().outcomes.clone();
    assert_eq!(outcomes[0].outcome, "GreenRejected");
    assert_eq!(outcomes[0].reason, "for this test");
}
