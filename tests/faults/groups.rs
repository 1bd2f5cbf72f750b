//! Blue's Auto Scaling group acts by itself, or others change it: a fleet's world beside that of plain instances.
//!
//! Before the group is held it does what its user has it for. Then its processes are suspended, and a hook holds up whatever
//! ends a member nevertheless.

use ebbtide_rules::record::Record;

use crate::gates::Gated;
use crate::instances::{STRUCK, patient};
use crate::matrix::{Fault, Outcome, Stage};
use crate::stand::{ALL_THREE, Floor, Stand};
use crate::story::End;
use crate::trial::{Ledger, Trial};

mod fleet;
mod rollback;
mod sizes;
use fleet::Fleet;

/// The stages at whose gate blue's group is not held yet, and those at whose gate it is, and has members.
const BEFORE: &[Stage] = STRUCK.split_at(5).0;
const HELD: &[Stage] = STRUCK.split_at(5).1;

/// Members for the busy session and its request, for each of the held stages, and two more.
const MANY: i32 = 8;

pub(crate) fn trials() -> Vec<Trial> {
    let own = [
        cells(Fault::GroupLaunches, &STRUCK, Outcome::NoOp),
        cells(Fault::GroupEnds, BEFORE, Outcome::Gone),
        cells(Fault::GroupEnds, HELD, Outcome::NoOp),
    ];
    let refreshes = [
        cells(Fault::RefreshStarts, &BEFORE[1..], Outcome::Gone),
        cells(Fault::RefreshStarts, HELD, Outcome::NoOp),
    ];
    let mut trials = vec![
        Trial::new(
            "blue's group launches one more, and a member fails its health check, at each stage of a promotion",
            &own.concat(),
            the_group_acts,
        ),
        Trial::new(
            "an instance refresh of blue's group starts before the plan",
            &[(Fault::RefreshStarts, Stage::Plan, Outcome::Refused)],
            a_refresh_before_the_plan,
        ),
        Trial::new(
            "an instance refresh of blue's group starts at each later stage of a promotion",
            &refreshes.concat(),
            refreshes_start,
        ),
        Trial::new(
            "an apply resumes all processes of blue's group at each stage of its drain, and a health check fails",
            &cells(Fault::ApplyResumes, HELD, Outcome::NoOp),
            applies_resume,
        ),
    ];
    trials.push(sizes::trial());
    trials.extend(rollback::trials());
    trials
}

fn cells(fault: Fault, stages: &[Stage], outcome: Outcome) -> Vec<(Fault, Stage, Outcome)> {
    let stages = stages.iter();
    stages.map(|stage| (fault, *stage, outcome)).collect()
}

async fn the_group_acts(ledger: Ledger) {
    let mut stand = Stand::of_fleets(MANY).await;
    let mut gated = Gated::deploy(&stand.scene, &STRUCK, &patient()).await;
    let mut struck: Vec<(Stage, String, String)> = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let fleet = Fleet::of(&stand.scene);
        let launched = fleet.launches_one_more().await;
        let mut others = vec![launched.as_str()];
        others.extend(struck.iter().flat_map(|(_, one, two)| [one.as_str(), two]));
        let sick = fleet.unused(&others).await;
        fleet.fails_its_health_check(&sick).await;
        if BEFORE.contains(&stage) {
            fleet.until_gone(&sick).await;
            gated.story.has_lost(stage, &sick);
        } else {
            fleet.serves_on(&sick).await;
        }
        struck.push((stage, launched, sick));
        passed(&mut stand, &mut gated, stage).await;
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, launched, sick) in &struck {
        let outcome = gated.story.outcome_of(*stage, launched, End::Promoted);
        let outcome = outcome.await;
        let evidence =
            "it was healthy before the stage began, and ended by its seal like the others";
        ledger.record(Fault::GroupLaunches, *stage, outcome, evidence);
        let outcome = gated.story.outcome_of(*stage, sick, End::Promoted).await;
        let evidence = match outcome {
            Outcome::Gone => "its group had ended and replaced it at the gate; nobody had to act",
            _ => "its group let it be; it ended by its seal",
        };
        ledger.record(Fault::GroupEnds, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], ALL_THREE).await;
}

/// When a stage's gate opens; after the first servers have ended the users of the others leave.
async fn passed(stand: &mut Stand, gated: &mut Gated, stage: Stage) {
    gated.open(&stand.scene, stage).await;
    if stage == Stage::Terminate {
        let execution = gated.story.execution();
        stand.scene.passes(execution, "TerminateBlue", 2).await;
        stand.busy_leave();
    }
}

async fn a_refresh_before_the_plan(ledger: Ledger) {
    let stand = Stand::of_fleets(3).await;
    let mut gated = Gated::deploy(&stand.scene, &[Stage::Plan], &patient()).await;
    gated.held(&stand.scene, Stage::Plan).await;
    let fleet = Fleet::of(&stand.scene);
    fleet.refresh_starts().await;
    gated.open(&stand.scene, Stage::Plan).await;
    let outcome = gated.story.outcome(Stage::Plan, End::Promoted).await;
    let (_, standing) = gated.story.ended().await;
    let cause = standing.cause.unwrap_or_default();
    assert!(cause.contains("has an instance refresh"), "{cause}");
    let evidence = "PreflightRefused names the group and the way out; nothing was touched";
    ledger.record(Fault::RefreshStarts, Stage::Plan, outcome, evidence);
    assert_eq!(stand.scene.record().await, Record::default());
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn refreshes_start(ledger: Ledger) {
    let mut stand = Stand::of_fleets(3).await;
    let mut gated = Gated::deploy(&stand.scene, &STRUCK[1..], &patient()).await;
    let mut struck = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let fleet = Fleet::of(&stand.scene);
        let member = fleet.unused(&[]).await;
        fleet.is_unprotected(&member).await;
        fleet.refresh_starts().await;
        fleet.refresh_goes_on().await;
        if BEFORE.contains(&stage) {
            fleet.until_gone(&member).await;
            gated.story.has_lost(stage, &member);
        } else {
            fleet.serves_on(&member).await;
        }
        struck.push((stage, member));
        passed(&mut stand, &mut gated, stage).await;
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, member) in &struck {
        let outcome = gated.story.outcome_of(*stage, member, End::Promoted).await;
        let evidence = match outcome {
            Outcome::Gone => "the refresh had replaced a member at the gate; nobody had to act",
            _ => "the refresh waited; the member ended by its seal",
        };
        ledger.record(Fault::RefreshStarts, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], Floor(2)).await;
}

async fn applies_resume(ledger: Ledger) {
    let mut stand = Stand::of_fleets(3).await;
    let mut gated = Gated::deploy(&stand.scene, HELD, &patient()).await;
    let busy = stand.busy[0].server.clone();
    let mut struck = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let fleet = Fleet::of(&stand.scene);
        let member = match stage {
            Stage::Switch => busy.clone(),
            _ => fleet.unused(&[]).await,
        };
        fleet.is_resumed().await;
        fleet.fails_its_health_check(&member).await;
        fleet.lives_by_the_hook(&member).await;
        stand.nobody_cut();
        struck.push((stage, member));
        if stage == Stage::Terminate {
            let execution = gated.story.execution().clone();
            gated.open(&stand.scene, stage).await;
            stand.scene.only_a_hook_keeps(&execution, &busy).await;
            stand.busy_leave();
        } else {
            gated.open(&stand.scene, stage).await;
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, member) in &struck {
        let outcome = gated.story.outcome_of(*stage, member, End::Promoted).await;
        let evidence = match stage {
            Stage::Switch => {
                "the hook held up the end of the server with the busy session, which went on until its user left; named"
            }
            _ => "the hook held up its end until it had sealed",
        };
        ledger.record(Fault::ApplyResumes, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], Floor(2)).await;
}
