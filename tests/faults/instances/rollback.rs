//! Blue's servers are struck while blue is to serve again.

use ebbtide_tests::scene::Scene;

use super::strike::strike;
use super::{BLUE, of_many, patient};
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::rolling_back;
use crate::stand::Floor;
use crate::story::End;
use crate::trial::{Ledger, Trial};

pub(super) fn trial() -> Trial {
    Trial::new(
        "blue servers end, die, hang, restart or lose their addresses while a deployment rolls back",
        &IN_A_ROLLBACK.map(|(fault, outcome)| (fault, Stage::RollBack, outcome)),
        struck_in_a_rollback,
    )
}

/// What strikes blue while it is to serve again, each fault another server. The others serve meanwhile.
const IN_A_ROLLBACK: [(Fault, Outcome); 5] = [
    (Fault::InstanceEnds, Outcome::Gone),
    (Fault::ProcessDies, Outcome::Retry),
    (Fault::AddressReused, Outcome::Retry),
    (Fault::Hangs, Outcome::Retry),
    (Fault::Restarts, Outcome::NoOp),
];

/// Somebody is busy on green meanwhile, so that there are passes in which blue's servers are asked again.
async fn struck_in_a_rollback(ledger: Ledger) {
    let stand = of_many().await;
    let spare = stand.spare().await;
    let mut gated = rolling_back(&stand.scene, &[], &patient()).await;
    let mut on_green = stand.scene.busy("on-green").await;
    assert!(!stand.scene.blue().contains(&on_green.server));
    let struck: Vec<_> = IN_A_ROLLBACK.into_iter().zip(&spare).collect();
    for ((fault, _), instance) in &struck {
        match fault {
            Fault::InstanceEnds => {
                let story = &mut gated.story;
                story.loses(&stand.scene, Stage::RollBack, instance).await;
            }
            _ => strike(&stand.scene, *fault, instance).await,
        }
    }
    gated.open(&stand.scene, Stage::RollBack).await;
    let execution = gated.story.execution();
    stand.scene.passes(execution, "ResumeBlueAgain", 2).await;
    for ((fault, _), instance) in &struck {
        match fault {
            Fault::Hangs => stand
                .scene
                .cloud
                .host()
                .resume(instance)
                .expect("it goes on"),
            Fault::Restarts => opened(&stand.scene, instance).await,
            _ => {}
        }
    }
    stand.scene.passes(execution, "TerminateBlue", 3).await;
    stand.scene.all_still_busy([&on_green]);
    on_green.leave();
    for ((fault, _), instance) in &struck {
        let outcome = gated
            .story
            .outcome_of(Stage::RollBack, instance, End::RolledBack);
        let outcome = outcome.await;
        let evidence = match outcome {
            Outcome::Gone => "EC2 called it terminated; the others serve again",
            Outcome::Retry => "asked again in each pass, while the others served",
            _ => "open again under the rollback's epoch",
        };
        ledger.record(*fault, Stage::RollBack, outcome, evidence);
    }
    opened(&stand.scene, &spare[3]).await;
    blue_serves_alone(&stand.scene, BLUE - 1).await;
    stand.ends(&[&gated.story], Floor(3)).await;
}

/// Then a server takes sessions under the epoch of the rollback, the second one.
async fn opened(scene: &Scene, instance: &str) {
    let report = scene.cloud.reports().await.remove(instance);
    let report = report.expect("it runs").expect("a report");
    assert_eq!((report.admission.as_str(), report.epoch), ("open", 2));
}

/// Then blue has all weight and this many instances, green is gone, and the service is free.
pub(crate) async fn blue_serves_alone(scene: &Scene, servers: usize) {
    let weights = scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(100), None, None]);
    assert_eq!(scene.running("tunnel-a").await.len(), servers);
    assert_eq!(scene.running("tunnel-b").await, Vec::<String>::new());
    scene.released("RolledBack").await;
}
