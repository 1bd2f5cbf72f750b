//! A second deployment starts while one is at each of its stages.

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_tests::scene::hasty;
use serde_json::json;

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::rolling_back;
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, LIMIT, Story};
use crate::trial::{Ledger, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    let refused = |stage| (Fault::SecondDeployment, stage, Outcome::Refused);
    let owned: Vec<_> = HELD.iter().copied().map(refused).collect();
    let free: Vec<_> = FREE
        .map(|stage| (Fault::SecondDeployment, stage, Outcome::NoOp))
        .to_vec();
    vec![
        Trial::new(
            "a second deployment starts at each stage of the one that holds the front",
            &owned,
            while_it_owns,
        ),
        Trial::new(
            "a second deployment starts at each stage of a drain, and need not wait for it",
            &free,
            while_it_drains,
        ),
        Trial::new(
            "a second deployment claims the service while one is at its plan and one at its claim",
            &[refused(Stage::Plan), refused(Stage::Claim)],
            before_it_owns,
        ),
        Trial::new(
            "a second deployment starts while one rolls back",
            &[refused(Stage::RollBack)],
            while_it_rolls_back,
        ),
    ]
}

/// The stages at which a promotion holds the front; its bake is long enough to drain.
const HELD: [Stage; 5] = [
    Stage::Launch,
    Stage::Test,
    Stage::Hold,
    Stage::Switch,
    Stage::Drain,
];

/// The stages at which it has left the front.
const FREE: [Stage; 3] = [Stage::Check, Stage::Terminate, Stage::Release];

async fn while_it_owns(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let mut input = hasty();
    input["bake"] = json!({"seconds": 60});
    let mut owner = Gated::deploy(&stand.scene, &HELD, &input).await;
    while let Some(stage) = owner.next(&stand.scene).await {
        let second = Story::of(stand.scene.deploy(&hasty()).await);
        told_of(&ledger, &second, &owner.story, stage).await;
        owner.open(&stand.scene, stage).await;
        if stage == Stage::Drain {
            break;
        }
    }
    let execution = owner.story.execution();
    stand.scene.passes(execution, "TerminateBlue", 2).await;
    stand.busy_leave();
    stand.scene.promoted(owner.story.execution()).await;
    stand.ends(&[&owner.story], ALL_THREE).await;
}

async fn while_it_drains(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let mut first = Gated::deploy(&stand.scene, &FREE, &hasty()).await;
    let mut told = Vec::new();
    while let Some(stage) = first.next(&stand.scene).await {
        let second = stand.scene.deploy(&json!({"dryRun": true})).await;
        let standing = second.ended(LIMIT).await.expect("it ends");
        assert_eq!(standing.error, None, "{}", standing.describe(None));
        told.push(stage);
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
        first.open(&stand.scene, stage).await;
    }
    stand.scene.promoted(first.story.execution()).await;
    for stage in told {
        let outcome = first.story.outcome(stage, End::Promoted).await;
        let evidence = "the front was free: its plan was made, with blue draining";
        ledger.record(Fault::SecondDeployment, stage, outcome, evidence);
    }
    stand.ends(&[&first.story], ALL_THREE).await;
}

async fn before_it_owns(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let scene = &stand.scene;
    let mut at_plan = Gated::deploy(scene, &[Stage::Plan], &hasty()).await;
    let mut at_claim = Gated::deploy(scene, &[Stage::Claim], &hasty()).await;
    at_plan.held(scene, Stage::Plan).await;
    at_claim.held(scene, Stage::Claim).await;
    let second = Story::of(scene.deploy(&hasty()).await);
    scene.passes(second.execution(), "LaunchGreen", 1).await;
    // The one at its claim has read the record before anybody claimed; the other one has read nothing yet.
    at_claim.open(scene, Stage::Claim).await;
    told_of(&ledger, &at_claim.story, &second, Stage::Claim).await;
    at_plan.open(scene, Stage::Plan).await;
    told_of(&ledger, &at_plan.story, &second, Stage::Plan).await;
    scene.passes(second.execution(), "TerminateBlue", 2).await;
    stand.busy_leave();
    stand.scene.promoted(second.execution()).await;
    stand.ends(&[&second], ALL_THREE).await;
}

async fn while_it_rolls_back(ledger: Ledger) {
    let stand = Stand::of_three().await;
    let mut owner = rolling_back(&stand.scene, &[], &hasty()).await;
    let second = Story::of(stand.scene.deploy(&hasty()).await);
    told_of(&ledger, &second, &owner.story, Stage::RollBack).await;
    owner.open(&stand.scene, Stage::RollBack).await;
    let (end, standing) = owner.story.ended().await;
    assert_eq!(end, End::RolledBack, "{}", standing.describe(None));
    stand.scene.serves_as_before("RolledBack").await;
    stand.ends(&[&owner.story], ALL_THREE).await;
}

/// Then the one that does not own the service ends, told who does and that it runs, and that one does run on.
async fn told_of(ledger: &Ledger, late: &Story, owner: &Story, stage: Stage) {
    let outcome = late.outcome(stage, End::Promoted).await;
    let (_, standing) = late.ended().await;
    let (error, cause) = (
        standing.error.unwrap_or_default(),
        standing.cause.unwrap_or_default(),
    );
    assert!(
        cause.contains(owner.execution().name()) && cause.contains("RUNNING"),
        "{cause}"
    );
    let goes_on = owner.execution().standing().await.expect("a standing");
    assert_eq!(goes_on.status, ExecutionStatus::Running);
    let evidence = format!("{error}, naming the owner, which runs on");
    ledger.record(Fault::SecondDeployment, stage, outcome, evidence);
}
