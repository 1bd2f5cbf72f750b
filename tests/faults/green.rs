//! Green's servers: their processes die, or hang.

use ebbtide_local_cloud::host::ServerProgram;
use ebbtide_local_cloud::options::{Choice, Options};
use ebbtide_tests::scene::{Scene, hasty};
use serde_json::{Value, json};

use crate::gates::Gated;
use crate::matrix::{Fault, Outcome, Stage};
use crate::roads::rolling_back;
use crate::stand::{ALL_THREE, Floor, Stand};
use crate::story::End;
use crate::trial::{Ledger, Trial};

/// The stages at which a green that fails sends the traffic back, or would have got it.
const SERVING: [Stage; 4] = [Stage::Hold, Stage::Switch, Stage::Drain, Stage::Check];

pub(crate) fn trials() -> Vec<Trial> {
    [(Fault::GreenDies, "dies"), (Fault::GreenHangs, "hangs")]
        .into_iter()
        .flat_map(|(fault, verb)| trials_of(fault, verb))
        .collect()
}

fn trials_of(fault: Fault, verb: &str) -> Vec<Trial> {
    let dies = fault == Fault::GreenDies;
    let (at_test, rolling) = match dies {
        true => (Outcome::Rejected, Outcome::Block),
        false => (Outcome::Retry, Outcome::Retry),
    };
    let mut trials = vec![
        Trial::new(
            format!("a green server {verb} as it is launched"),
            &[(
                fault,
                Stage::Launch,
                if dies {
                    Outcome::Rejected
                } else {
                    Outcome::NoOp
                },
            )],
            move |ledger| at_launch(ledger, fault),
        ),
        Trial::new(
            format!("a green server {verb} before it is tested"),
            &[(fault, Stage::Test, at_test)],
            move |ledger| at_test_of(ledger, fault),
        ),
        Trial::new(
            format!("a green server {verb} once blue has sealed"),
            &[
                (fault, Stage::Terminate, Outcome::NoOp),
                (fault, Stage::Release, Outcome::NoOp),
            ],
            move |ledger| after_the_seal(ledger, fault),
        ),
        Trial::new(
            format!("a green server {verb} while it is drained after a rollback"),
            &[(fault, Stage::RollBack, rolling)],
            move |ledger| in_a_rollback(ledger, fault),
        ),
    ];
    trials.extend(SERVING.map(|stage| {
        Trial::new(
            format!("a green server {verb} before {}", stage.name()),
            &[(fault, stage, Outcome::RollBack)],
            move |ledger| while_it_may_serve(ledger, fault, stage),
        )
    }));
    trials
}

/// The fault, at one of green's servers.
fn strike(scene: &Scene, fault: Fault, instance: &str) {
    let host = scene.cloud.host();
    match fault {
        Fault::GreenHangs => host.stop(instance).expect("it hangs"),
        _ => host.kill(instance).expect("it dies"),
    }
}

/// The end of a hang.
fn over(scene: &Scene, fault: Fault, instance: &str) {
    if fault == Fault::GreenHangs {
        let goes_on = scene.cloud.host().resume(instance);
        goes_on.expect("it goes on");
    }
}

/// A bake that is long enough for a green that fails to be seen.
fn long_bake() -> Value {
    json!({"bake": {"seconds": 60}, "drain": {"settleSeconds": 1, "pollSeconds": 2}})
}

async fn one_of_green(scene: &Scene) -> String {
    let green = scene.running("tunnel-b").await;
    green.into_iter().next().expect("a green server")
}

/// One that dies does so at once, as a release that cannot start does; one that hangs goes on later.
async fn at_launch(ledger: Ledger, fault: Fault) {
    let dies = fault == Fault::GreenDies;
    let mut stand = Stand::with(Options {
        choice: Choice::new(move |server| {
            let green = server.instance.environment() == Some("tunnel-b");
            match dies && green && server.instance.ip.octets()[2] == 10 {
                true => ServerProgram::Command("/bin/false".into(), Vec::new()),
                false => ServerProgram::of_user_data(&server.user_data),
            }
        }),
        ..Options::default()
    })
    .await;
    let mut input = hasty();
    input["green"] = json!({"healthySeconds": if dies { 10 } else { 120 }});
    let gated = Gated::deploy(&stand.scene, &[], &input).await;
    if !dies {
        struck_while_it_boots(&stand, &gated).await;
        stand
            .scene
            .passes(gated.story.execution(), "TerminateBlue", 2)
            .await;
        stand.busy_leave();
    }
    let outcome = gated.story.outcome(Stage::Launch, End::Promoted).await;
    let evidence = match dies {
        true => {
            stand.scene.serves_as_before("GreenRejected").await;
            "its process ended as it started; green was never healthy"
        }
        false => {
            stand.scene.promoted(gated.story.execution()).await;
            "the launch waited until it was healthy"
        }
    };
    ledger.record(fault, Stage::Launch, outcome, evidence);
    stand.ends(&[&gated.story], ALL_THREE).await;
}

/// It hangs as soon as it runs, for three looks of the launch.
async fn struck_while_it_boots(stand: &Stand, gated: &Gated) {
    let scene = &stand.scene;
    scene
        .then("a green server", || async {
            let mut servers = scene.cloud.servers().into_iter();
            let green = servers.find(|server| server.environment.as_deref() == Some("tunnel-b"));
            Ok(green.map(|_| ()).ok_or_else(|| "none yet".to_owned()))
        })
        .await;
    let servers = scene.cloud.servers().into_iter();
    let mut green = servers.filter(|server| server.environment.as_deref() == Some("tunnel-b"));
    let hanging = green.next().expect("a green server").instance;
    strike(scene, Fault::GreenHangs, &hanging);
    let states = gated.story.execution().states().await.expect("a history");
    let launches = states
        .iter()
        .filter(|state| *state == "LaunchGreen")
        .count();
    scene
        .passes(gated.story.execution(), "LaunchGreen", launches + 3)
        .await;
    over(scene, Fault::GreenHangs, &hanging);
}

async fn at_test_of(ledger: Ledger, fault: Fault) {
    let mut stand = Stand::of_three().await;
    let mut gated = Gated::deploy(&stand.scene, &[Stage::Test], &hasty()).await;
    gated.held(&stand.scene, Stage::Test).await;
    let instance = one_of_green(&stand.scene).await;
    strike(&stand.scene, fault, &instance);
    gated.open(&stand.scene, Stage::Test).await;
    if fault == Fault::GreenHangs {
        gated
            .story
            .fails_in(&stand.scene, "TestGreen", "NotFitYet")
            .await;
        over(&stand.scene, fault, &instance);
        stand
            .scene
            .passes(gated.story.execution(), "TerminateBlue", 2)
            .await;
        stand.busy_leave();
    }
    let outcome = gated.story.outcome(Stage::Test, End::Promoted).await;
    match fault {
        Fault::GreenHangs => {
            stand.scene.promoted(gated.story.execution()).await;
        }
        _ => stand.scene.serves_as_before("GreenRejected").await,
    }
    ledger.record(
        fault,
        Stage::Test,
        outcome,
        "it was struck at the gate of the test",
    );
    stand.ends(&[&gated.story], ALL_THREE).await;
}

async fn while_it_may_serve(ledger: Ledger, fault: Fault, stage: Stage) {
    let stand = Stand::of_three().await;
    let mut gated = Gated::deploy(&stand.scene, &[stage], &long_bake()).await;
    gated.held_in_the_first_pass(&stand.scene, stage).await;
    let instance = one_of_green(&stand.scene).await;
    strike(&stand.scene, fault, &instance);
    unhealthy(&stand.scene, &instance).await;
    gated.open(&stand.scene, stage).await;
    stand
        .scene
        .passes(gated.story.execution(), "LetBlueGo", 1)
        .await;
    let weights = stand.scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(100), Some(0), None]);
    match fault {
        Fault::GreenHangs => over(&stand.scene, fault, &instance),
        // Green is drained now, and one of its servers cannot be heard: the operator must end it.
        _ => gated.story.unblocked(&stand.scene, stage, &instance).await,
    }
    let outcome = gated.story.outcome(stage, End::Promoted).await;
    stand.scene.serves_as_before("RolledBack").await;
    ledger.record(
        fault,
        stage,
        outcome,
        "ELB called it unhealthy; blue has all weight again",
    );
    stand.ends(&[&gated.story], Floor(2)).await;
}

/// When the load balancer knows that it does not answer.
async fn unhealthy(scene: &Scene, instance: &str) {
    let mut observed = scene.cloud.observed();
    let group = scene.cloud.world().b.arn.clone();
    let seen = observed.wait_for(|seen| {
        let green = seen.forwarding.iter().find(|one| one.group == group);
        green.is_some_and(|green| !green.healthy.iter().any(|healthy| healthy == instance))
    });
    let seen = tokio::time::timeout(crate::story::LIMIT, seen).await;
    seen.expect("in time").expect("it is observed");
}

async fn after_the_seal(ledger: Ledger, fault: Fault) {
    let mut stand = Stand::of_three().await;
    let stages = [Stage::Terminate, Stage::Release];
    let mut gated = Gated::deploy(&stand.scene, &stages, &hasty()).await;
    let green = {
        gated.held(&stand.scene, Stage::Terminate).await;
        stand.scene.running("tunnel-b").await
    };
    for (stage, instance) in stages.into_iter().zip(&green) {
        gated.held(&stand.scene, stage).await;
        strike(&stand.scene, fault, instance);
        unhealthy(&stand.scene, instance).await;
        if stage == Stage::Terminate {
            stand.busy_leave();
        }
        gated.open(&stand.scene, stage).await;
    }
    for (stage, instance) in stages.into_iter().zip(&green) {
        let outcome = gated.story.outcome_of(stage, instance, End::Promoted).await;
        ledger.record(
            fault,
            stage,
            outcome,
            "blue had sealed: there is no way back, and none was tried",
        );
        over(&stand.scene, fault, instance);
    }
    stand.scene.promoted(gated.story.execution()).await;
    stand.ends(&[&gated.story], Floor(1)).await;
}

async fn in_a_rollback(ledger: Ledger, fault: Fault) {
    let stand = Stand::of_three().await;
    let mut gated = rolling_back(&stand.scene, &[], &hasty()).await;
    let instance = one_of_green(&stand.scene).await;
    strike(&stand.scene, fault, &instance);
    gated.open(&stand.scene, Stage::RollBack).await;
    stand
        .scene
        .passes(gated.story.execution(), "TerminateBlue", 3)
        .await;
    match fault {
        Fault::GreenHangs => {
            stand
                .scene
                .named_as_unknown(gated.story.execution(), &instance)
                .await;
            over(&stand.scene, fault, &instance);
        }
        _ => {
            gated
                .story
                .unblocked(&stand.scene, Stage::RollBack, &instance)
                .await
        }
    }
    let outcome = gated
        .story
        .outcome_of(Stage::RollBack, &instance, End::RolledBack);
    let outcome = outcome.await;
    stand.scene.serves_as_before("RolledBack").await;
    ledger.record(
        fault,
        Stage::RollBack,
        outcome,
        "green was drained but for this one, which was named",
    );
    stand.ends(&[&gated.story], Floor(2)).await;
}
