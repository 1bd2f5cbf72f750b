//! The operator stops the execution at each stage, and redrives it.

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_tests::scene::{Scene, hasty};
use serde_json::json;

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::{PROMOTION, rolling_back};
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, LIMIT, Story};
use crate::trial::{Ledger, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    let block = |stage| (Fault::OperatorAborts, stage, Outcome::Block);
    vec![
        Trial::new(
            "the operator stops a promotion at each of its stages, and redrives it",
            &PROMOTION.map(block),
            a_promotion,
        ),
        Trial::new(
            "the operator stops a rollback, and redrives it",
            &[block(Stage::RollBack)],
            a_rollback,
        ),
    ]
}

async fn a_promotion(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let mut gated = Gated::deploy(&stand.scene, &PROMOTION, &hasty()).await;
    let mut told = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        told.push((stage, stopped(&stand.scene, &mut gated.story, stage).await));
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
        gated.open(&stand.scene, stage).await;
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, told) in told {
        let outcome = gated.story.outcome(stage, End::Promoted).await;
        ledger.record(Fault::OperatorAborts, stage, outcome, told);
    }
    let record = stand.scene.record().await;
    assert_eq!(record.epoch, 2, "one claim, and the detaching: {record:?}");
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn a_rollback(ledger: Ledger) {
    let stand = Stand::of_three().await;
    let mut gated = rolling_back(&stand.scene, &[], &hasty()).await;
    let told = stopped(&stand.scene, &mut gated.story, Stage::RollBack).await;
    gated.open(&stand.scene, Stage::RollBack).await;
    let outcome = gated.story.outcome(Stage::RollBack, End::RolledBack).await;
    stand.scene.serves_as_before("RolledBack").await;
    ledger.record(Fault::OperatorAborts, Stage::RollBack, outcome, told);
    stand.ends(&[&gated.story], ALL_THREE).await;
}

/// When the operator stops it at a stage; who asks is told what the service waits for; and the operator redrives it.
async fn stopped(scene: &Scene, story: &mut Story, stage: Stage) -> String {
    let name = story.execution().name().to_owned();
    story.execution().stop().await.expect("it is stopped");
    let standing = story.execution().ended(LIMIT).await.expect("it stops");
    assert_eq!(standing.status, ExecutionStatus::Aborted);
    let holds = scene.front().await.as_deref() == Some(&name);
    let asks = scene.deploy(&json!({"dryRun": true})).await;
    let told = asks.ended(LIMIT).await.expect("it ends");
    let refused = told.error.as_deref() == Some("DeploymentInProgress");
    let cause = told.cause.clone().unwrap_or_default();
    assert_eq!(
        (
            refused && cause.contains(&name) && cause.contains("ABORTED"),
            told.error.is_none()
        ),
        (holds, !holds),
        "{}",
        told.describe(None)
    );
    assert_eq!(holds, must_hold(stage).unwrap_or(holds), "{stage:?}");
    story.redriven(scene, stage).await;
    match holds {
        true => {
            "stopped there; the next deployment was told that it holds the front and is ABORTED"
                .to_owned()
        }
        false => "stopped there; the front was free".to_owned(),
    }
}

/// Whether a deployment that waits at this stage's gate holds the front; where either may be, the record says.
fn must_hold(stage: Stage) -> Option<bool> {
    match stage {
        Stage::Plan | Stage::Claim | Stage::Check | Stage::Terminate | Stage::Release => {
            Some(false)
        }
        Stage::Drain => None,
        _ => Some(true),
    }
}
