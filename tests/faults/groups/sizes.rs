//! Others size blue's group, at each stage: to 0, and back to what their code says.

use super::fleet::Fleet;
use super::{STRUCK, cells};
use crate::gates::Gated;
use crate::instances::patient;
use crate::matrix::{Fault, Outcome, Stage};
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, Story};
use crate::trial::{Ledger, Trial};

/// As the fleet is made.
pub(super) const MADE: [i32; 3] = [3, 6, 3];

/// What is left of them when an operator wants it to be empty.
pub(super) const EMPTY: [i32; 3] = [0, 6, 0];

pub(super) fn trial() -> Trial {
    let cells = [
        cells(Fault::SizedToZero, &STRUCK, Outcome::NoOp),
        cells(Fault::ApplySizes, &[Stage::Terminate], Outcome::NoOp),
        cells(Fault::ApplySizes, &[Stage::Release], Outcome::Block),
    ];
    Trial::new(
        "others size blue's group to 0 at each stage of a promotion, and restore its sizes once servers have ended",
        &cells.concat(),
        others_size,
    )
}

async fn others_size(ledger: Ledger) {
    let mut stand = Stand::of_fleets(3).await;
    let stages = [&STRUCK[..], &[Stage::Release]].concat();
    let mut gated = Gated::deploy(&stand.scene, &stages, &patient()).await;
    let mut sized = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let fleet = Fleet::of(&stand.scene);
        if stage == Stage::Release {
            fleet.is_sized(MADE).await;
            assert_eq!(fleet.now().await.instances().len(), 3);
            gated.open(&stand.scene, stage).await;
            parked_when_asked(&stand, &mut gated.story).await;
            continue;
        }
        sized_to_zero(&fleet).await;
        sized.push(stage);
        gated.open(&stand.scene, stage).await;
        if stage == Stage::Terminate {
            let in_use = stand.scene.in_use().await.len();
            left(&stand, in_use).await;
            fleet.is_sized(MADE).await;
            assert_eq!(fleet.now().await.instances().len(), 3);
            left(&stand, in_use).await;
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for stage in sized {
        let outcome = gated.story.outcome(stage, End::Promoted).await;
        let evidence = "its protected members went on, and ended by their seals";
        ledger.record(Fault::SizedToZero, stage, outcome, evidence);
    }
    for stage in [Stage::Terminate, Stage::Release] {
        let outcome = gated.story.outcome(stage, End::Promoted).await;
        let evidence = match stage {
            Stage::Terminate => "what it launched was held, drained and ended by its seal",
            _ => {
                "DetachRetired named the group that still had targets, at weight 0, until the operator had parked it again"
            }
        };
        ledger.record(Fault::ApplySizes, stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], ALL_THREE).await;
}

/// Then an emptied group that launches again does not leave the action; when the operator has parked it, it does.
async fn parked_when_asked(stand: &Stand, story: &mut Story) {
    let causes = story.fails_in(&stand.scene, "DetachRetired", "NotConfirmed");
    let causes = causes.await.join("\n");
    assert!(causes.contains("still has registered targets"), "{causes}");
    let fleet = Fleet::of(&stand.scene);
    for member in fleet.members().await {
        story.has_lost(Stage::Release, &member);
    }
    fleet.is_parked().await;
    story.was_mended(Stage::Release, &fleet.name);
}

/// When an operator wants it to be empty, whatever others wanted before.
async fn sized_to_zero(fleet: &Fleet<'_>) {
    fleet.is_sized(MADE).await;
    let members = fleet.now().await.instances().len();
    fleet.is_sized(EMPTY).await;
    assert_eq!(fleet.now().await.instances().len(), members);
}

/// Then as many members are left.
async fn left(stand: &Stand, members: usize) {
    let fleet = Fleet::of(&stand.scene);
    stand
        .scene
        .then("the servers in use to be left", || async {
            let left = fleet.now().await.instances().len();
            Ok(if left == members {
                Ok(())
            } else {
                Err(format!("{left} members"))
            })
        })
        .await;
}
