//! Blue's instances: they end behind the deployment's back, their processes die, or hang.
//!
//! Many blue servers, of which a different one is struck at each gate: each cell is judged by what became of its own.

use ebbtide_local_cloud::options::Options;
use ebbtide_rules::record::Record;
use serde_json::{Value, json};

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::stand::{Floor, Stand};
use crate::story::{End, Story};
use crate::trial::{Ledger, Trial};

pub(crate) mod rollback;
mod strike;
use strike::strike;

/// A server for each of nine stages, and two for the busy session and its request.
const BLUE: usize = 11;

/// The stages at which there are blue servers to strike.
pub(crate) const STRUCK: [Stage; 9] = [
    Stage::Plan,
    Stage::Claim,
    Stage::Launch,
    Stage::Test,
    Stage::Hold,
    Stage::Switch,
    Stage::Drain,
    Stage::Check,
    Stage::Terminate,
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::new(
            "EC2 terminates a blue instance at each stage of a promotion",
            &cells(Fault::InstanceEnds, &STRUCK, Outcome::Gone),
            instances_end,
        ),
        Trial::new(
            "a blue server hangs at each stage of a promotion, and goes on",
            &but_for_the_sealed(cells(Fault::Hangs, &STRUCK, Outcome::Retry)),
            servers_hang,
        ),
        Trial::new(
            "a blue server's process restarts at each stage of a promotion",
            &cells(Fault::Restarts, &STRUCK, Outcome::NoOp),
            processes_restart,
        ),
    ];
    trials.extend(LOST.into_iter().flat_map(|fault| {
        [
            Trial::new(
                format!("{} before the plan", fault.title()),
                &[(fault, Stage::Plan, Outcome::Refused)],
                move |ledger| lost_before_the_plan(ledger, fault),
            ),
            Trial::new(
                format!("{} at each stage of a promotion", fault.title()),
                &but_for_the_sealed(cells(fault, &STRUCK[1..], Outcome::Block)),
                move |ledger| lost_in_a_promotion(ledger, fault),
            ),
        ]
    }));
    trials.push(rollback::trial());
    trials
}

/// The faults after which a server is never heard again.
const LOST: [Fault; 2] = [Fault::ProcessDies, Fault::AddressReused];

/// At the gate of terminate the one to be struck has sealed: its seal holds, whatever becomes of its process.
fn but_for_the_sealed(mut cells: Vec<(Fault, Stage, Outcome)>) -> Vec<(Fault, Stage, Outcome)> {
    for (_, stage, outcome) in &mut cells {
        if *stage == Stage::Terminate {
            *outcome = Outcome::NoOp;
        }
    }
    cells
}

fn cells(fault: Fault, stages: &[Stage], outcome: Outcome) -> Vec<(Fault, Stage, Outcome)> {
    let stages = stages.iter();
    stages.map(|stage| (fault, *stage, outcome)).collect()
}

/// Blue may shrink to a few without stopping anything.
pub(crate) fn patient() -> Value {
    json!({
        "green": {"count": 3},
        "bake": {"seconds": 3},
        "drain": {"settleSeconds": 1, "pollSeconds": 2},
        "minimumHealthyPercent": 20,
    })
}

async fn of_many() -> Stand {
    let options = Options {
        blue: BLUE,
        ..Options::default()
    };
    Stand::with(options).await
}

async fn instances_end(ledger: Ledger) {
    let mut stand = of_many().await;
    let mut spare = stand.spare().await.into_iter();
    let mut gated = Gated::deploy(&stand.scene, &STRUCK, &patient()).await;
    let mut struck = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let instance = spare.next().expect("one that nobody needs");
        gated.story.loses(&stand.scene, stage, &instance).await;
        struck.push((stage, instance));
        gated.open(&stand.scene, stage).await;
        if stage == Stage::Terminate {
            let execution = gated.story.execution();
            stand.scene.passes(execution, "TerminateBlue", 2).await;
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, instance) in &struck {
        let outcome = gated
            .story
            .outcome_of(*stage, instance, End::Promoted)
            .await;
        let evidence = "EC2 called it terminated at the gate; nobody had to act";
        ledger.record(Fault::InstanceEnds, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], Floor(3)).await;
}

async fn lost_before_the_plan(ledger: Ledger, fault: Fault) {
    let stand = Stand::of_three().await;
    let spare = stand.spare().await;
    let mut gated = Gated::deploy(&stand.scene, &[Stage::Plan], &patient()).await;
    gated.held(&stand.scene, Stage::Plan).await;
    strike(&stand.scene, fault, &spare[0]).await;
    gated.open(&stand.scene, Stage::Plan).await;
    let outcome = gated.story.outcome(Stage::Plan, End::Promoted).await;
    let (_, standing) = gated.story.ended().await;
    let cause = standing.cause.unwrap_or_default();
    assert!(cause.contains(&spare[0]), "{cause}");
    let asked = gated.story.retries(Stage::Plan).await + 1;
    let evidence = format!("asked {asked} times, then refused by name");
    ledger.record(fault, Stage::Plan, outcome, evidence);
    let record = stand.scene.record().await;
    assert_eq!(record, Record::default());
    stand.ends(&[&gated.story], Floor(2)).await;
}

async fn lost_in_a_promotion(ledger: Ledger, fault: Fault) {
    let mut stand = of_many().await;
    let mut spare = stand.spare().await.into_iter();
    let mut gated = Gated::deploy(&stand.scene, &STRUCK[1..], &patient()).await;
    let mut struck = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let instance = spare.next().expect("one that nobody needs");
        strike(&stand.scene, fault, &instance).await;
        struck.push((stage, instance));
        gated.open(&stand.scene, stage).await;
        if stage == Stage::Terminate {
            break;
        }
    }
    let blocking: Vec<_> = struck[..struck.len() - 1].to_vec();
    left_alone(&stand, &gated.story, &blocking).await;
    stand.busy_leave();
    for (stage, instance) in &blocking {
        gated.story.unblocked(&stand.scene, *stage, instance).await;
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, instance) in &struck {
        let outcome = gated.story.outcome_of(*stage, instance, End::Promoted);
        let outcome = outcome.await;
        let evidence = match outcome {
            Outcome::Block => "named as unknown, and alive until the operator ended it",
            _ => "it had sealed: nobody had to hear of it again",
        };
        ledger.record(fault, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], Floor(3)).await;
}

async fn processes_restart(ledger: Ledger) {
    let mut stand = of_many().await;
    let mut spare = stand.spare().await.into_iter();
    let mut gated = Gated::deploy(&stand.scene, &STRUCK, &patient()).await;
    let mut struck = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let instance = spare.next().expect("one that nobody needs");
        let before = stand.scene.cloud.reports().await.remove(&instance);
        let before = before.expect("it runs").expect("a report");
        strike(&stand.scene, Fault::Restarts, &instance).await;
        let after = stand.scene.cloud.reports().await.remove(&instance);
        let after = after.expect("it runs").expect("a report");
        let sealed = |admission: &str| admission == "sealed";
        assert_eq!(
            (before.epoch, sealed(&before.admission)),
            (after.epoch, sealed(&after.admission)),
            "{before:?} {after:?}"
        );
        assert_eq!(sealed(&after.admission), stage == Stage::Terminate);
        let was_ordered = matches!(stage, Stage::Check | Stage::Terminate);
        assert_eq!(after.epoch, u64::from(was_ordered), "{after:?}");
        struck.push((stage, instance, after.epoch, after.admission));
        gated.open(&stand.scene, stage).await;
        if stage == Stage::Terminate {
            stand
                .scene
                .passes(gated.story.execution(), "TerminateBlue", 2)
                .await;
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, instance, epoch, admission) in &struck {
        let outcome = gated.story.outcome_of(*stage, instance, End::Promoted);
        let outcome = outcome.await;
        let evidence = format!("restarted at the gate: epoch {epoch} as before, {admission}");
        ledger.record(Fault::Restarts, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], Floor(3)).await;
}

async fn servers_hang(ledger: Ledger) {
    let mut stand = of_many().await;
    let mut spare = stand.spare().await.into_iter();
    let mut gated = Gated::deploy(&stand.scene, &STRUCK, &patient()).await;
    let mut struck = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let instance = spare.next().expect("one that nobody needs");
        stand.scene.cloud.host().stop(&instance).expect("it hangs");
        gated.open(&stand.scene, stage).await;
        if stage == Stage::Plan {
            // A plan asks four times; then it would refuse.
            gated
                .story
                .fails_in(&stand.scene, "TestBlue", "NotFitYet")
                .await;
            stand
                .scene
                .cloud
                .host()
                .resume(&instance)
                .expect("it goes on");
        }
        struck.push((stage, instance));
        if stage == Stage::Terminate {
            break;
        }
    }
    let waited_for = struck[1..struck.len() - 1].to_vec();
    left_alone(&stand, &gated.story, &waited_for).await;
    for (_, instance) in &waited_for {
        stand
            .scene
            .cloud
            .host()
            .resume(instance)
            .expect("it goes on");
    }
    stand.busy_leave();
    stand.scene.promoted(gated.story.execution()).await;
    for (stage, instance) in &struck {
        let outcome = gated
            .story
            .outcome_of(*stage, instance, End::Promoted)
            .await;
        let evidence = match outcome {
            Outcome::Retry => {
                "named as unknown while it hung, asked again, alive until it had sealed"
            }
            _ => "it had sealed: nobody had to hear of it again",
        };
        ledger.record(Fault::Hangs, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], Floor(3)).await;
}

/// Then the struck servers are named as unknown and their instances run on, while the others end.
async fn left_alone(stand: &Stand, story: &Story, struck: &[(Stage, String)]) {
    stand
        .scene
        .passes(story.execution(), "TerminateBlue", 3)
        .await;
    for (_, instance) in struck {
        stand
            .scene
            .then("it to be named as unknown", || async {
                let check = stand.scene.last_check(story.execution()).await?;
                let named = crate::story::names(&check["counts"]["unknownServers"], instance);
                Ok(if named {
                    Ok(())
                } else {
                    Err(check.to_string())
                })
            })
            .await;
    }
    let in_use = stand.scene.blue().len() - STRUCK.len();
    let left = stand.scene.running("tunnel-a").await;
    let all_left = struck.iter().all(|(_, instance)| left.contains(instance));
    assert!(all_left && left.len() <= struck.len() + in_use, "{left:?}");
    stand.nobody_cut();
}
