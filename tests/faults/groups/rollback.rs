//! Blue's group is struck while blue is to serve again.

use super::fleet::Fleet;
use super::sizes::EMPTY;
use crate::instances::patient;
use crate::instances::rollback::blue_serves_alone;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::rolling_back;
use crate::stand::{ALL_THREE, Floor, Stand};
use crate::story::End;
use crate::trial::{Ledger, Trial};

pub(super) fn trials() -> [Trial; 3] {
    let cell = |fault, outcome| (fault, Stage::RollBack, outcome);
    [
        Trial::new(
            "blue's group launches one more, a member fails its health check and a refresh starts, while a deployment rolls back",
            &[
                cell(Fault::GroupLaunches, Outcome::NoOp),
                cell(Fault::GroupEnds, Outcome::Gone),
                cell(Fault::RefreshStarts, Outcome::NoOp),
            ],
            the_group_acts,
        ),
        Trial::new(
            "an operator wants blue's group to be empty while a deployment rolls back",
            &[cell(Fault::SizedToZero, Outcome::NoOp)],
            an_operator_sizes,
        ),
        Trial::new(
            "an apply resumes all processes of blue's group while a deployment rolls back, and a health check fails",
            &[cell(Fault::ApplyResumes, Outcome::Block)],
            an_apply_resumes,
        ),
    ]
}

async fn the_group_acts(ledger: Ledger) {
    let stand = Stand::of_fleets(3).await;
    let mut gated = rolling_back(&stand.scene, &[], &patient()).await;
    let fleet = Fleet::of(&stand.scene);
    let launched = fleet.launches_one_more().await;
    fleet.is_unprotected(&launched).await;
    fleet.refresh_starts().await;
    fleet.refresh_goes_on().await;
    fleet.serves_on(&launched).await;
    let sick = fleet.unused(&[&launched]).await;
    fleet.fails_its_health_check(&sick).await;
    fleet.serves_on(&sick).await;
    let (end, stage) = (End::RolledBack, Stage::RollBack);
    gated.open(&stand.scene, stage).await;
    gated.story.ended().await;
    fleet.until_gone(&sick).await;
    gated.story.has_lost(stage, &sick);
    let outcome = gated.story.outcome_of(stage, &launched, end).await;
    let evidence = "it serves with the others, open";
    ledger.record(Fault::GroupLaunches, stage, outcome, evidence);
    let evidence = "the refresh waited until blue was let go; from then on it is its user's";
    ledger.record(Fault::RefreshStarts, stage, outcome, evidence);
    let outcome = gated.story.outcome_of(stage, &sick, end).await;
    let evidence =
        "its group let it be until blue was let go, and replaced it then, as its user has it";
    ledger.record(Fault::GroupEnds, stage, outcome, evidence);
    blue_serves_alone(&stand.scene, 4).await;
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn an_operator_sizes(ledger: Ledger) {
    let stand = Stand::of_fleets(3).await;
    let mut gated = rolling_back(&stand.scene, &[], &patient()).await;
    Fleet::of(&stand.scene).is_sized(EMPTY).await;
    gated.open(&stand.scene, Stage::RollBack).await;
    let (end, stage) = (End::RolledBack, Stage::RollBack);
    let outcome = gated.story.outcome(stage, end).await;
    let evidence = "its protected members serve on";
    ledger.record(Fault::SizedToZero, stage, outcome, evidence);
    stand.scene.serves_as_before("RolledBack").await;
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn an_apply_resumes(ledger: Ledger) {
    let mut stand = Stand::of_fleets(3).await;
    let mut gated = rolling_back(&stand.scene, &[], &patient()).await;
    let busy = stand.busy[0].server.clone();
    let fleet = Fleet::of(&stand.scene);
    fleet.is_resumed().await;
    fleet.fails_its_health_check(&busy).await;
    fleet.lives_by_the_hook(&busy).await;
    let (end, stage) = (End::RolledBack, Stage::RollBack);
    gated.open(&stand.scene, stage).await;
    let story = &mut gated.story;
    let causes = story.fails_in(&stand.scene, "LetBlueGo", "NotConfirmed");
    let causes = causes.await.join("\n");
    assert!(causes.contains(&busy), "{busy}: {causes}");
    // When its user has left, the operator completes the hook
    stand.busy_leave();
    let fleet = Fleet::of(&stand.scene);
    fleet.lives_by_the_hook(&busy).await;
    fleet.is_completed(&busy).await;
    story.was_mended(stage, &busy);
    let outcome = gated.story.outcome_of(stage, &busy, end).await;
    let evidence =
        "LetBlueGo named it, until the operator had completed the hook, its sessions over";
    ledger.record(Fault::ApplyResumes, stage, outcome, evidence);
    blue_serves_alone(&stand.scene, 3).await;
    stand.ends(&[&gated.story], Floor(2)).await;
}
