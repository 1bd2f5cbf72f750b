//! The claim and the release of a deployment that has ended, come late. Functions that die for real are elsewhere:
//! [`crate::aws`].

use ebbtide_local_cloud::redrive::tasks_entered;
use ebbtide_tests::scene::hasty;
use serde_json::Value;

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, Story};
use crate::trial::{Ledger, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::new(
        "the claim and the release of a deployment that has ended arrive while another holds the front",
        &[
            (Fault::Ghost, Stage::Claim, Outcome::Refused),
            (Fault::Ghost, Stage::Release, Outcome::Refused),
        ],
        writes_come_late,
    )]
}

async fn writes_come_late(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let busy = std::mem::take(&mut stand.busy);
    stand.scene.all_still_busy(&busy);
    drop(busy);
    let former = stand.scene.deploy(&hasty()).await;
    stand.scene.promoted(&former).await;
    stand.busy.push(stand.scene.busy("on-next").await);
    // The next one holds the front at this gate.
    let stages = [Stage::Switch, Stage::Terminate];
    let mut owner = Gated::deploy(&stand.scene, &stages, &hasty()).await;
    owner.held(&stand.scene, Stage::Switch).await;
    let entries = tasks_entered(&former).await.expect("its history");
    for (task, stage) in [
        ("ClaimService", Stage::Claim),
        ("ReleaseService", Stage::Release),
    ] {
        let entry = entries.iter().find(|entry| entry.state == task);
        let input: &Value = &entry.expect("it was entered").first;
        let before = stand.scene.record().await;
        let late = stand.scene.cloud.redrive_at(&former, task, input).await;
        let late = Story::of(late.expect("it starts"));
        let outcome = late.outcome(stage, End::Promoted).await;
        let (_, standing) = late.ended().await;
        let after = stand.scene.record().await;
        assert_eq!(
            before,
            after,
            "what {task} left: {}",
            standing.describe(None)
        );
        let said = standing.error.unwrap_or_default();
        ledger.record(
            Fault::Ghost,
            stage,
            outcome,
            format!("{said}; the record is the owner's as before"),
        );
    }
    owner.open(&stand.scene, Stage::Switch).await;
    owner.held(&stand.scene, Stage::Terminate).await;
    stand.busy_leave();
    owner.open(&stand.scene, Stage::Terminate).await;
    stand
        .scene
        .promoted_into(owner.story.execution(), "tunnel-c")
        .await;
    stand
        .ends(&[&Story::of(former), &owner.story], ALL_THREE)
        .await;
}
