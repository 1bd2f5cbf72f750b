//! Tasks without a function, the claim and the release: they fail before their effect and after it, and those of a
//! deployment that has ended come late. Functions that die for real are elsewhere: [`crate::aws`].

use ebbtide_local_cloud::redrive::{Breaking, tasks_entered};
use ebbtide_local_cloud::variant::Variant;
use ebbtide_tests::scene::hasty;
use serde_json::Value;

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, LIMIT, Story};
use crate::trial::{Ledger, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    let blocks = [Fault::DiesBefore, Fault::ReplyLost]
        .map(|fault| [Stage::Claim, Stage::Release].map(|stage| (fault, stage, Outcome::Block)));
    vec![
        Trial::new(
            "the writes of claim and release fail before they are sent, and after they were made",
            &blocks.concat(),
            writes_fail,
        ),
        Trial::new(
            "the claim and the release of a deployment that has ended arrive while another owns the service",
            &[
                (Fault::Ghost, Stage::Claim, Outcome::Refused),
                (Fault::Ghost, Stage::Release, Outcome::NoOp),
            ],
            writes_come_late,
        ),
    ]
}

/// What the record says between a failure and its redrive: who owns the service, and who owned it last.
async fn owner_and_last(stand: &Stand) -> (Option<String>, Option<String>) {
    let record = stand.scene.cloud.record().await.expect("the record");
    (record.get("owner").cloned(), record.get("last").cloned())
}

async fn writes_fail(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let definition = stand.scene.cloud.definition().await;
    let whole = Variant::of(definition.expect("the definition")).wait_seconds("WaitForGreen", 1);
    let tasks = ["ClaimService", "TerminateBlue", "ReleaseService"];
    let cloud = &stand.scene.cloud;
    let (name, input) = ("fragile", hasty());
    let started = Breaking::start(cloud, whole, &tasks, Some(name), &input, LIMIT).await;
    let mut fragile = started.expect("it starts");
    let mut seen = Vec::new();
    let mut busy = std::mem::take(&mut stand.busy);
    while let Some(failure) = fragile.next_failure().await.expect("it fails on purpose") {
        let (owner, last) = owner_and_last(&stand).await;
        let me = Some(name.to_owned());
        let (stage, effect) = match failure.task.as_str() {
            "ClaimService" => (Stage::Claim, owner == me),
            "ReleaseService" => (Stage::Release, owner.is_none() && last == me),
            _ => {
                stand.scene.all_still_busy(&busy);
                busy.clear();
                continue;
            }
        };
        assert_eq!(
            effect, failure.took_effect,
            "{failure:?}: {owner:?} {last:?}"
        );
        seen.push((stage, failure.took_effect));
    }
    let broken = fragile.ended().await.expect("its end");
    let story = Story::of_redrives(&broken.executions).await;
    for (stage, took_effect) in seen {
        let (fault, what) = match took_effect {
            true => (Fault::ReplyLost, "made, and its answer lost"),
            false => (Fault::DiesBefore, "not made"),
        };
        let outcome = story.outcome(stage, End::Promoted).await;
        ledger.record(
            fault,
            stage,
            outcome,
            format!("by the record the write was {what}"),
        );
    }
    stand.scene.promoted(story.execution()).await;
    let record = stand.scene.cloud.record().await.expect("a record");
    assert_eq!(record["epoch"], "1", "one claim: {record:?}");
    stand.ends(&[&story], ALL_THREE).await;
}

async fn writes_come_late(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let busy = std::mem::take(&mut stand.busy);
    stand.scene.all_still_busy(&busy);
    drop(busy);
    let former = stand.scene.deploy(&hasty()).await;
    stand.scene.promoted(&former).await;
    stand.busy.push(stand.scene.busy("on-next").await);
    let mut owner = Gated::deploy(&stand.scene, &[Stage::Terminate], &hasty()).await;
    owner.held(&stand.scene, Stage::Terminate).await;
    let entries = tasks_entered(&former).await.expect("its history");
    for (task, stage) in [
        ("ClaimService", Stage::Claim),
        ("ReleaseService", Stage::Release),
    ] {
        let entry = entries.iter().find(|entry| entry.state == task);
        let input: &Value = &entry.expect("it was entered").first;
        let before = stand.scene.cloud.record().await.expect("the record");
        let late = stand.scene.cloud.redrive_at(&former, task, input).await;
        let late = Story::of(late.expect("it starts"));
        let outcome = late.outcome(stage, End::Promoted).await;
        let (_, standing) = late.ended().await;
        let after = stand.scene.cloud.record().await.expect("the record");
        assert_eq!(
            before,
            after,
            "what {task} left: {}",
            standing.describe(None)
        );
        let said = standing
            .error
            .unwrap_or_else(|| "told that it had been released".to_owned());
        ledger.record(
            Fault::Ghost,
            stage,
            outcome,
            format!("{said}; the record is the owner's as before"),
        );
    }
    stand.busy_leave();
    owner.open(&stand.scene, Stage::Terminate).await;
    stand
        .scene
        .promoted_into(owner.story.execution(), "tunnel-a")
        .await;
    stand
        .ends(&[&Story::of(former), &owner.story], ALL_THREE)
        .await;
}
