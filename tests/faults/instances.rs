//! Blue's instances: they end behind the deployment's back, their processes die, or hang.
//!
//! Many blue servers, of which a different one is struck at each gate: each cell is judged by what became of its own.

use ebbtide_local_cloud::options::Options;
use ebbtide_tests::scene::Scene;
use serde_json::{Value, json};

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::rolling_back;
use crate::stand::{Floor, Stand};
use crate::story::{End, Story};
use crate::trial::{Ledger, Trial};

/// A server for each of nine stages, and two for the busy session and its request.
const BLUE: usize = 11;

/// The stages at which there are blue servers to strike.
const STRUCK: [Stage; 9] = [
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
    let gone = |stage| (Fault::InstanceEnds, stage, Outcome::Gone);
    let mut dies = cells(Fault::ProcessDies, &STRUCK[1..], Outcome::Block);
    let mut hangs = cells(Fault::Hangs, &STRUCK, Outcome::Retry);
    // It had sealed before it was struck: its seal holds, whatever becomes of the process.
    for cells in [&mut dies, &mut hangs] {
        let last = cells.len() - 1;
        cells[last].2 = Outcome::NoOp;
    }
    vec![
        Trial::new(
            "EC2 terminates a blue instance at each stage of a promotion",
            &STRUCK.map(gone),
            instances_end,
        ),
        Trial::new(
            "EC2 terminates a blue instance while a deployment rolls back",
            &[gone(Stage::RollBack)],
            an_instance_ends_in_a_rollback,
        ),
        Trial::new(
            "a blue server's process dies before the plan",
            &[(Fault::ProcessDies, Stage::Plan, Outcome::Refused)],
            a_process_dies_before_the_plan,
        ),
        Trial::new(
            "a blue server's process dies at each stage of a promotion",
            &dies,
            processes_die,
        ),
        Trial::new(
            "a blue server's process dies while a deployment rolls back",
            &[(Fault::ProcessDies, Stage::RollBack, Outcome::Retry)],
            |ledger| strike_a_rollback(ledger, Fault::ProcessDies),
        ),
        Trial::new(
            "a blue server hangs at each stage of a promotion, and goes on",
            &hangs,
            servers_hang,
        ),
        Trial::new(
            "a blue server hangs while a deployment rolls back, and goes on",
            &[(Fault::Hangs, Stage::RollBack, Outcome::Retry)],
            |ledger| strike_a_rollback(ledger, Fault::Hangs),
        ),
    ]
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

async fn an_instance_ends_in_a_rollback(ledger: Ledger) {
    let stand = of_many().await;
    let spare = stand.spare().await;
    let mut gated = rolling_back(&stand.scene, &[], &patient()).await;
    gated
        .story
        .loses(&stand.scene, Stage::RollBack, &spare[0])
        .await;
    gated.open(&stand.scene, Stage::RollBack).await;
    let outcome = gated
        .story
        .outcome_of(Stage::RollBack, &spare[0], End::RolledBack);
    let outcome = outcome.await;
    blue_serves_alone(&stand.scene, BLUE - 1).await;
    let evidence = "EC2 called it terminated at the gate; the others serve again";
    ledger.record(Fault::InstanceEnds, Stage::RollBack, outcome, evidence);
    stand.ends(&[&gated.story], Floor(3)).await;
}

async fn a_process_dies_before_the_plan(ledger: Ledger) {
    let stand = Stand::of_three().await;
    let spare = stand.spare().await;
    let mut gated = Gated::deploy(&stand.scene, &[Stage::Plan], &patient()).await;
    gated.held(&stand.scene, Stage::Plan).await;
    stand.scene.cloud.host().kill(&spare[0]).expect("it dies");
    gated.open(&stand.scene, Stage::Plan).await;
    let outcome = gated.story.outcome(Stage::Plan, End::Promoted).await;
    let (_, standing) = gated.story.ended().await;
    let cause = standing.cause.unwrap_or_default();
    assert!(cause.contains(&spare[0]), "{cause}");
    let states = gated.story.execution().states().await.expect("a history");
    let asked = states.iter().filter(|state| *state == "TestBlue").count();
    ledger.record(
        Fault::ProcessDies,
        Stage::Plan,
        outcome,
        format!("asked {asked} times, then refused by name"),
    );
    let record = stand.scene.cloud.record().await.expect("the record");
    assert!(record.is_empty(), "{record:?}");
    stand.ends(&[&gated.story], Floor(2)).await;
}

async fn processes_die(ledger: Ledger) {
    let mut stand = of_many().await;
    let mut spare = stand.spare().await.into_iter();
    let mut gated = Gated::deploy(&stand.scene, &STRUCK[1..], &patient()).await;
    let mut struck = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let instance = spare.next().expect("one that nobody needs");
        stand.scene.cloud.host().kill(&instance).expect("it dies");
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
        let outcome = gated
            .story
            .outcome_of(*stage, instance, End::Promoted)
            .await;
        let evidence = match outcome {
            Outcome::Block => "named as unknown, and alive until the operator ended it",
            _ => "it had sealed: nobody had to hear of it again",
        };
        ledger.record(Fault::ProcessDies, *stage, outcome, evidence);
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
            stand
                .scene
                .passes(gated.story.execution(), "TestBlue", 2)
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
                let named = crate::story::names(&check["unknown"], instance);
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

/// A blue server dies or hangs while blue is to serve again: it is asked in every pass, and keeps nobody waiting.
async fn strike_a_rollback(ledger: Ledger, fault: Fault) {
    let stand = of_many().await;
    let spare = stand.spare().await;
    let mut gated = rolling_back(&stand.scene, &[Stage::Terminate], &patient()).await;
    let host = stand.scene.cloud.host();
    match fault {
        Fault::Hangs => host.stop(&spare[0]).expect("it hangs"),
        _ => host.kill(&spare[0]).expect("it dies"),
    }
    gated.open(&stand.scene, Stage::RollBack).await;
    stand
        .scene
        .passes(gated.story.execution(), "ResumeBlueAgain", 2)
        .await;
    if fault == Fault::Hangs {
        host.resume(&spare[0]).expect("it goes on");
    }
    gated.open(&stand.scene, Stage::Terminate).await;
    let outcome = gated
        .story
        .outcome_of(Stage::RollBack, &spare[0], End::RolledBack);
    let outcome = outcome.await;
    blue_serves_alone(&stand.scene, BLUE).await;
    let evidence = "asked again in each pass, while the others served";
    ledger.record(fault, Stage::RollBack, outcome, evidence);
    stand.ends(&[&gated.story], Floor(3)).await;
}

/// Then blue has all weight and this many instances, green is gone, and the service is free.
async fn blue_serves_alone(scene: &Scene, servers: usize) {
    let weights = scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, (Some(100), Some(0)));
    assert_eq!(scene.running("tunnel-a").await.len(), servers);
    assert_eq!(scene.running("tunnel-b").await, Vec::<String>::new());
    scene.released("RolledBack").await;
}
