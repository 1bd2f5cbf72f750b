//! A second deployment starts while one is at each of its stages.

use ebbtide_local_cloud::execution::Standing;
use ebbtide_tests::scene::hasty;

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, Story};
use crate::trial::{Ledger, Trial};

/// The stages from the claim on, in their order: the deployment owns the service.
const OWNED: [Stage; 8] = [
    Stage::Launch,
    Stage::Test,
    Stage::Hold,
    Stage::Switch,
    Stage::Drain,
    Stage::Check,
    Stage::Terminate,
    Stage::Release,
];

pub(crate) fn trials() -> Vec<Trial> {
    let refused = |stage| (Fault::SecondDeployment, stage, Outcome::Refused);
    vec![Trial::new(
        "a second deployment starts at each stage of the one that owns the service",
        &OWNED.map(refused),
        while_it_owns,
    )]
}

async fn while_it_owns(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let mut owner = Gated::deploy(&stand.scene, &OWNED, &hasty()).await;
    while let Some(stage) = owner.next(&stand.scene).await {
        let second = Story::of(stand.scene.deploy(&hasty()).await);
        let (_, standing) = second.ended().await;
        let named = names(&standing, &owner.story);
        let outcome = second.outcome(stage, End::Promoted).await;
        ledger.record(Fault::SecondDeployment, stage, outcome, named);
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
        owner.open(&stand.scene, stage).await;
    }
    stand.scene.promoted(owner.story.execution()).await;
    stand.ends(&[&owner.story], ALL_THREE).await;
}

/// The second one's cause, which must name the owner and say that it runs.
fn names(second: &Standing, owner: &Story) -> String {
    let cause = second.cause.clone().unwrap_or_default();
    assert!(
        cause.contains(owner.execution().name()) && cause.contains("RUNNING"),
        "{cause}"
    );
    format!(
        "{} names the owner",
        second.error.as_deref().unwrap_or_default()
    )
}
