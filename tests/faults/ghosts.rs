//! Calls that were given up and arrive late: when the deployment has gone on, has rolled back or has ended, or when another
//! one holds the front.
//!
//! A late call is really the one that was given up: kept back on its way, its function killed, and let go. AWS knows no
//! fence, so what a late call finds there is a matter of what it says; servers know the epoch.

use ebbtide_local_cloud::alarms::State;
use ebbtide_local_cloud::faults::{AwsFault, Calls, Held, HeldOrder, SessionFault};
use ebbtide_local_cloud::options::Options;
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_tests::scene::{ENVIRONMENTS, Scene, hasty};
use serde_json::{Value, json};

use crate::aws::{aws, proxied};
use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::stand::{ALL_THREE, Stand};
use crate::story::{End, LIMIT};
use crate::trial::{Ledger, Trial};

/// The calls of a promotion that change AWS, by stage and function.
const CALLS: [(Stage, &str, &str); 4] = [
    (Stage::Launch, "launch-green", "RunInstances"),
    (Stage::Hold, "hold-blue", "CreateTags"),
    (Stage::Switch, "switch-target-group", "ModifyListener"),
    (Stage::Terminate, "terminate-blue", "TerminateInstances"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let ghost = |stage, outcome| (Fault::Ghost, stage, outcome);
    vec![
        Trial::new(
            "the calls of a promotion arrive when it has ended",
            &[
                ghost(Stage::Launch, Outcome::NoOp),
                ghost(Stage::Hold, Outcome::NoOp),
                ghost(Stage::Terminate, Outcome::NoOp),
            ],
            calls_come_late,
        ),
        Trial::new(
            "the call that moved the weights arrives in the rollback",
            &[ghost(Stage::Switch, Outcome::Retry)],
            a_switch_comes_late,
        ),
        Trial::new(
            "orders to servers arrive after a rollback, and when another deployment holds the front",
            &[
                ghost(Stage::Test, Outcome::Refused),
                ghost(Stage::Drain, Outcome::Refused),
                ghost(Stage::RollBack, Outcome::Refused),
                ghost(Stage::Check, Outcome::NoOp),
            ],
            orders_come_late,
        ),
    ]
}

/// When a function is killed in this call, which stays on its way.
async fn given_up(
    scene: &Scene,
    gated: &mut Gated,
    stage: Stage,
    (function, action): (&str, &str),
) -> Held {
    let aws = aws(scene);
    aws.on_by(function, action, AwsFault::Held, 1);
    gated.open(scene, stage).await;
    let held = aws.held(action, LIMIT).await.expect("it is held");
    held.kill_caller().await.expect("it is killed");
    held
}

/// Everything that a late call could change: weights, who runs, the record.
///
/// A group that is named at weight 0 and has nobody counts as one that is not named: a call that came later than any can on
/// AWS puts it back, and the next deployment leaves it out.
async fn world(scene: &Scene) -> Value {
    let weights = scene.cloud.weights().await.expect("weights");
    let weights = weights.map(Option::unwrap_or_default);
    let record = scene.record().await;
    let mut running = Vec::new();
    for environment in ENVIRONMENTS {
        running.push(scene.running(environment).await);
    }
    let all = scene.cloud.instances().await.expect("instances").len();
    json!({"weights": weights, "running": running, "instances": all, "record": record})
}

async fn calls_come_late(ledger: Ledger) {
    let mut stand = proxied().await;
    let stages = CALLS.map(|(stage, ..)| stage);
    let mut gated = Gated::deploy(&stand.scene, &stages, &hasty()).await;
    let mut late = Vec::new();
    while let Some(stage) = gated.next(&stand.scene).await {
        let (_, function, action) = CALLS.into_iter().find(|it| it.0 == stage).expect("a call");
        let held = given_up(&stand.scene, &mut gated, stage, (function, action)).await;
        late.push((stage, held));
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
    }
    stand.scene.promoted(gated.story.execution()).await;
    stand.busy.push(stand.scene.busy("on-green").await);
    let before = world(&stand.scene).await;
    for (stage, held) in late {
        let call = held.action().to_owned();
        let answered = held.release().await.expect("AWS answers");
        let after = world(&stand.scene).await;
        assert_eq!(before, after, "{call}: {answered:?}");
        assert_eq!(answered.status, 200, "{call}: {answered:?}");
        // The weights' own cell is the one after a rollback.
        if stage != Stage::Switch {
            let told =
                format!("{call} arrived after the end, was answered 200, and changed nothing");
            ledger.record(Fault::Ghost, stage, Outcome::NoOp, told);
        }
    }
    // Then the next deployment finds nothing wrong.
    let mut next = Gated::deploy(&stand.scene, &[Stage::Terminate], &hasty()).await;
    next.held(&stand.scene, Stage::Terminate).await;
    stand.busy_leave();
    next.open(&stand.scene, Stage::Terminate).await;
    let execution = next.story.execution();
    stand.scene.promoted_into(execution, "tunnel-c").await;
    stand.ends(&[&gated.story, &next.story], ALL_THREE).await;
}

/// AWS does as it is told, however late. A call that was not answered may come for 75 seconds; so long the deployment holds
/// the front, and sets right what it finds. Nothing of green is drained meanwhile, so that nobody is turned away.
async fn a_switch_comes_late(ledger: Ledger) {
    let stand = proxied().await;
    let mut gated = watched(&stand.scene, &[Stage::Switch]).await;
    gated.held(&stand.scene, Stage::Switch).await;
    let (function, action) = ("switch-target-group", "ModifyListener");
    let aws = aws(&stand.scene);
    // Two attempts are given up; the third one moves the weights.
    aws.on_by(function, action, AwsFault::Held, 1);
    let first = given_up(&stand.scene, &mut gated, Stage::Switch, (function, action)).await;
    let second = aws.held(action, LIMIT).await.expect("it is held");
    second.kill_caller().await.expect("it is killed");
    let execution = gated.story.execution();
    stand.scene.passes(execution, "DecidePass", 1).await;
    fires(&stand.scene).await;
    stand.scene.passes(execution, "WaitBeforeReturn", 1).await;
    for late in [first, second] {
        arrives(&stand.scene, late).await;
        goes_back(&stand.scene).await;
        let front = stand.scene.front().await;
        assert_eq!(front.as_deref(), Some(execution.name()));
    }
    stand.nobody_cut();
    let outcome = gated.story.outcome(Stage::Switch, End::RolledBack).await;
    stand.scene.serves_as_before("RolledBack").await;
    stand.ends(&[&gated.story], ALL_THREE).await;
    ledger.record(
        Fault::Ghost,
        Stage::Switch,
        outcome,
        "ModifyListener arrived twice in the rollback, and AWS obeyed: the deployment still held the front, and gave blue \
         its weight back; green was not drained before no call could come any more, and no user was turned away",
    );
}

/// Then blue has all the weight again.
async fn goes_back(scene: &Scene) {
    scene
        .then("blue to have its weight back", || async {
            let weights = scene.cloud.weights().await?;
            Ok(match weights == [Some(100), Some(0), None] {
                true => Ok(()),
                false => Err(format!("{weights:?}")),
            })
        })
        .await;
}

/// When the call that gives green all weight arrives where blue has it.
async fn arrives(scene: &Scene, late: Held) {
    goes_back(scene).await;
    let answered = late.release().await.expect("AWS answers");
    assert_eq!(answered.status, 200, "{answered:?}");
}

/// When a deployment starts whose bake lasts until its alarm fires.
async fn watched(scene: &Scene, stages: &[Stage]) -> Gated {
    scene.quiet_alarm("errors").await;
    let mut input = hasty();
    input["bake"] = json!({"seconds": 600, "alarms": ["errors"]});
    Gated::deploy(scene, stages, &input).await
}

async fn fires(scene: &Scene) {
    let fires = scene.cloud.set_alarm("errors", State::Alarm).await;
    fires.expect("it fires");
}

/// When this order to a server is on its way and given up; later ones arrive.
async fn order_given_up(
    stand: &Stand,
    gated: &mut Gated,
    (server, calls): (&str, Calls),
    at: Option<Stage>,
) -> Vec<HeldOrder> {
    let proxies = stand.scene.cloud.session_faults().expect("proxies");
    let set = proxies.set(server, SessionFault::Held, calls).await;
    set.expect("a fault");
    if let Some(stage) = at {
        gated.open(&stand.scene, stage).await;
    }
    let held = until("an order to be held", LIMIT, || async {
        let held = proxies.held(server);
        Ok(match held.is_empty() {
            true => Seen::NotYet(format!("{:?}", proxies.counts(server, calls))),
            false => Seen::Done(held),
        })
    })
    .await
    .expect("it is held");
    proxies.clear(server).await.expect("no fault");
    held.into_iter().chain(proxies.held(server)).collect()
}

/// What a server does with new sessions.
async fn admission(scene: &Scene, server: &str) -> String {
    let mut reports = scene.cloud.reports().await;
    let report = reports.remove(server).expect("it runs");
    report.expect("a report").admission
}

/// Then these orders, let go now, are all refused for their epoch, and the server is as it was.
async fn refused(scene: &Scene, server: &str, orders: Vec<HeldOrder>) -> (Outcome, String) {
    let before = admission(scene, server).await;
    let mut told = String::new();
    for order in orders {
        let kind = order.kind().expect("an order");
        let answer = order.release().await.expect("the server answers");
        let refused = answer.status == 409 && answer.body.contains("StaleEpoch");
        assert!(refused, "{kind:?}: {answer:?}");
        told = format!("{kind:?} was answered 409 StaleEpoch");
    }
    assert_eq!(admission(scene, server).await, before);
    (
        Outcome::Refused,
        format!("{told}; the server stayed {before}"),
    )
}

async fn orders_come_late(ledger: Ledger) {
    let options = Options {
        faults: true,
        blue: 5,
        ..Options::default()
    };
    let mut stand = Stand::with(options).await;
    let spare = stand.spare().await;
    let [drained, resumed, sealed] = [&spare[0], &spare[1], &spare[2]];
    let record = |stage, (outcome, told): (Outcome, String)| {
        ledger.record(Fault::Ghost, stage, outcome, told);
    };
    // When orders of a deployment that rolls back are on their way
    let stages = [Stage::Test, Stage::RollBack, Stage::Terminate];
    let mut gated = watched(&stand.scene, &stages).await;
    gated.held(&stand.scene, Stage::Test).await;
    let green = stand.scene.running("tunnel-b").await.remove(0);
    let order = (green.as_str(), Calls::Resume);
    let test = order_given_up(&stand, &mut gated, order, Some(Stage::Test)).await;
    let order = (drained.as_str(), Calls::Drain);
    let drain = order_given_up(&stand, &mut gated, order, None).await;
    fires(&stand.scene).await;
    gated.held(&stand.scene, Stage::RollBack).await;
    let order = (resumed.as_str(), Calls::Resume);
    let resume = order_given_up(&stand, &mut gated, order, Some(Stage::RollBack)).await;
    // Then what comes late after the rollback opens and closes nobody
    gated.held(&stand.scene, Stage::Terminate).await;
    assert_eq!(admission(&stand.scene, drained).await, "open");
    record(Stage::Drain, refused(&stand.scene, drained, drain).await);
    record(Stage::Test, refused(&stand.scene, &green, test).await);
    gated.open(&stand.scene, Stage::Terminate).await;
    let (end, standing) = gated.story.ended().await;
    assert_eq!(end, End::RolledBack, "{}", standing.describe(None));
    stand.scene.serves_as_before("RolledBack").await;
    // When another deployment holds the front, which asks for a seal twice
    let stages = [Stage::Check, Stage::Terminate];
    let mut next = Gated::deploy(&stand.scene, &stages, &hasty()).await;
    next.held(&stand.scene, Stage::Check).await;
    let order = (sealed.as_str(), Calls::Seal);
    let seal = order_given_up(&stand, &mut next, order, Some(Stage::Check)).await;
    next.held(&stand.scene, Stage::Terminate).await;
    assert_ne!(admission(&stand.scene, resumed).await, "open");
    record(
        Stage::RollBack,
        refused(&stand.scene, resumed, resume).await,
    );
    stand.busy_leave();
    next.open(&stand.scene, Stage::Terminate).await;
    let (end, standing) = next.story.ended().await;
    assert_eq!(end, End::Promoted, "{}", standing.describe(None));
    stand.scene.released("Promoted").await;
    // Then a seal that comes when its server has ended finds nobody
    let before = world(&stand.scene).await;
    for order in seal {
        let told = order.release().await;
        assert!(told.is_err(), "{told:?}");
    }
    assert_eq!(before, world(&stand.scene).await);
    let told = "its server had sealed for a later call and had ended: nobody was there".to_owned();
    record(Stage::Check, (Outcome::NoOp, told));
    stand.ends(&[&gated.story, &next.story], ALL_THREE).await;
}
