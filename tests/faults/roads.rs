//! The ways that a deployment is led along its stages: on to a promotion, or back.

use ebbtide_local_cloud::alarms::State;
use ebbtide_tests::scene::Scene;
use serde_json::{Value, json};

use crate::gates::Gated;
use crate::matrix::Stage;

/// The stages of a promotion that a gate can stand before, in their order but for drain and check, which take turns.
pub(crate) const PROMOTION: [Stage; 10] = [
    Stage::Plan,
    Stage::Claim,
    Stage::Launch,
    Stage::Test,
    Stage::Hold,
    Stage::Switch,
    Stage::Drain,
    Stage::Check,
    Stage::Terminate,
    Stage::Release,
];

/// The alarm that [`rolling_back`] lets fire.
const ALARM: &str = "errors";

/// When a deployment is on its way back because an alarm fires in its bake, and waits at the gate of that stage.
pub(crate) async fn rolling_back(scene: &Scene, more: &[Stage], input: &Value) -> Gated {
    scene.quiet_alarm(ALARM).await;
    let mut input = input.clone();
    input["bake"] = json!({"seconds": 600, "alarms": [ALARM]});
    let stages = [&[Stage::RollBack], more].concat();
    let gated = Gated::deploy(scene, &stages, &input).await;
    scene.passes(gated.story.execution(), "DecidePass", 1).await;
    let fires = scene.cloud.set_alarm(ALARM, State::Alarm).await;
    fires.expect("it fires");
    gated.held(scene, Stage::RollBack).await;
    gated
}
