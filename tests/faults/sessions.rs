//! Sessions that arrive, or turn busy, at the worst moment.

use std::time::Duration;

use ebbtide_tests::scene::hasty;
use ebbtide_tests::sessions::{Seen, Session};
use serde_json::json;

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::{PROMOTION, rolling_back};
use crate::stand::{ALL_THREE, Stand};
use crate::story::End;
use crate::trial::{Ledger, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    let arrive = |stage| (Fault::SessionsArrive, stage, Outcome::NoOp);
    let turn = |stage| (Fault::SessionsTurnBusy, stage, Outcome::NoOp);
    vec![
        Trial::new(
            "sessions arrive at each stage of a promotion, behind a load balancer that lags",
            &PROMOTION.map(arrive),
            arrive_at_a_promotion,
        ),
        Trial::new(
            "sessions arrive while a deployment rolls back",
            &[arrive(Stage::RollBack)],
            arrive_at_a_rollback,
        ),
        Trial::new(
            "idle sessions turn busy at each stage of a promotion",
            &PROMOTION.map(turn),
            turn_busy_at_a_promotion,
        ),
        Trial::new(
            "idle sessions of both sides turn busy while a deployment rolls back",
            &[turn(Stage::RollBack)],
            turn_busy_at_a_rollback,
        ),
    ]
}

/// A pair of sessions that came at a stage: one stays idle, one is busy at once.
struct Arrived {
    stage: Stage,
    idle: Session,
    busy: Session,
}

impl Arrived {
    async fn at(stand: &Stand, stage: Stage) -> Self {
        let listener = stand.scene.cloud.listener();
        Self {
            stage,
            idle: Session::open(listener, &format!("idle-at-{}", stage.name())).await,
            busy: stand.scene.busy(&format!("busy-at-{}", stage.name())).await,
        }
    }

    /// By where they are: blue's idle one was asked to move, green's is open as it was.
    fn idle_is_well(&self, blue: &[String]) -> String {
        let (on, well) = match blue.contains(&self.idle.server) {
            true => ("blue, and was asked to move", Seen::Closed(1012)),
            false => ("green, and stayed", Seen::Open),
        };
        assert_eq!(self.idle.seen(), well, "{}", self.idle.name);
        format!("the idle one came to {on}; the busy one was whole until its user left")
    }
}

async fn arrive_at_a_promotion(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    stand.scene.cloud.balancer().lag(Duration::from_secs(3));
    let input = json!({"bake": {"seconds": 6}, "drain": {"settleSeconds": 5, "pollSeconds": 2}});
    let mut gated = Gated::deploy(&stand.scene, &PROMOTION, &input).await;
    let mut arrived = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        arrived.push(Arrived::at(&stand, stage).await);
        gated.open(&stand.scene, stage).await;
        if stage == Stage::Terminate {
            let execution = gated.story.execution();
            stand.scene.passes(execution, "TerminateBlue", 2).await;
            stand
                .scene
                .all_still_busy(arrived.iter().map(|pair| &pair.busy));
            for pair in &mut arrived {
                pair.busy.leave();
            }
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    for pair in &arrived {
        let evidence = pair.idle_is_well(stand.scene.blue());
        let outcome = gated.story.outcome(pair.stage, End::Promoted).await;
        ledger.record(Fault::SessionsArrive, pair.stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn arrive_at_a_rollback(ledger: Ledger) {
    let stand = Stand::of_three().await;
    let mut gated = rolling_back(&stand.scene, &[Stage::Terminate], &hasty()).await;
    let mut arrived = Arrived::at(&stand, Stage::RollBack).await;
    let blue = stand.scene.blue().to_vec();
    assert!(!blue.contains(&arrived.busy.server), "weights were green's");
    gated.open(&stand.scene, Stage::RollBack).await;
    gated.held(&stand.scene, Stage::Terminate).await;
    gated.open(&stand.scene, Stage::Terminate).await;
    stand
        .scene
        .passes(gated.story.execution(), "TerminateBlue", 2)
        .await;
    stand.scene.all_still_busy([&arrived.busy]);
    arrived.busy.leave();
    let outcome = gated.story.outcome(Stage::RollBack, End::RolledBack).await;
    assert_eq!(arrived.idle.seen(), Seen::Closed(1012));
    let evidence = "both came to green: the idle one was asked to move, the busy one was whole until its user left";
    ledger.record(Fault::SessionsArrive, Stage::RollBack, outcome, evidence);
    stand.scene.serves_as_before("RolledBack").await;
    stand.ends(&[&gated.story], ALL_THREE).await;
}

/// Takes one that is still idle on blue, and lets its user work.
async fn turn_one_busy(stand: &Stand, idle: &mut Vec<Session>) -> Session {
    let at = idle.iter().rposition(|session| {
        session.seen() == Seen::Open && stand.scene.blue().contains(&session.server)
    });
    let mut session = idle.remove(at.expect("one that is idle yet"));
    session.become_busy(stand.scene.cloud.listener()).await;
    session
}

async fn turn_busy_at_a_promotion(ledger: Ledger) {
    let mut stand = Stand::of_three().await;
    let mut idle = stand.scene.idle(30).await;
    let mut input = hasty();
    input["drain"]["closuresPerSecond"] = 1.into();
    let mut gated = Gated::deploy(&stand.scene, &PROMOTION, &input).await;
    let mut turned = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        if stage == Stage::Release {
            // Blue is gone: the users of green are the ones who can.
            turned.push((stage, stand.scene.busy("on-green").await));
            gated.open(&stand.scene, stage).await;
            continue;
        }
        turned.push((stage, turn_one_busy(&stand, &mut idle).await));
        gated.open(&stand.scene, stage).await;
        if stage == Stage::Terminate {
            let execution = gated.story.execution();
            stand.scene.passes(execution, "TerminateBlue", 2).await;
            stand
                .scene
                .all_still_busy(turned.iter().map(|(_, session)| session));
            turned.iter_mut().for_each(|(_, session)| session.leave());
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    stand.scene.all_handed_over(&idle).await;
    for (stage, session) in &turned {
        let outcome = gated.story.outcome(*stage, End::Promoted).await;
        let evidence = format!(
            "{} had its request in flight until its user left",
            session.name
        );
        ledger.record(Fault::SessionsTurnBusy, *stage, outcome, evidence);
    }
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn turn_busy_at_a_rollback(ledger: Ledger) {
    let stand = Stand::of_three().await;
    let mut idle = stand.scene.idle(20).await;
    let mut input = hasty();
    input["drain"]["closuresPerSecond"] = 1.into();
    let mut gated = rolling_back(&stand.scene, &[Stage::Terminate], &input).await;
    let mut on_blue = turn_one_busy(&stand, &mut idle).await;
    let mut on_green = stand.scene.busy("on-green").await;
    assert!(!stand.scene.blue().contains(&on_green.server));
    gated.open(&stand.scene, Stage::RollBack).await;
    gated.held(&stand.scene, Stage::Terminate).await;
    gated.open(&stand.scene, Stage::Terminate).await;
    stand
        .scene
        .passes(gated.story.execution(), "TerminateBlue", 2)
        .await;
    stand.scene.all_still_busy([&on_blue, &on_green]);
    // A green server may carry the request of the one on blue, as the weights were: it is in use until that ends.
    on_green.leave();
    on_blue.leave();
    let outcome = gated.story.outcome(Stage::RollBack, End::RolledBack).await;
    let evidence = "one on each side had its request in flight until its user left";
    ledger.record(Fault::SessionsTurnBusy, Stage::RollBack, outcome, evidence);
    stand.scene.serves_as_before("RolledBack").await;
    stand.ends(&[&gated.story], ALL_THREE).await;
}
