//! A service behind two listeners and a rule: their weights move one after the other, in the order in which the stack names
//! them, and whatever comes between two of these changes, nobody is cut and all of them end alike.

use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::alarms::State;
use ebbtide_local_cloud::faults::{AwsFault, AwsFaults};
use ebbtide_local_cloud::options::Options;
use ebbtide_local_cloud::world::Forward;

use crate::rollback::{long_bake, rolled_back, watched};
use crate::scene::{LIMIT, Scene, action_was_right, hasty};
use crate::sessions::Session;
use crate::{fleets, take_over};

/// Weights of a, b and c.
type Weights = [Option<u32>; 3];

const BEFORE: Weights = [Some(100), None, None];
const ATTACHED: Weights = [Some(100), Some(0), None];
const SWITCHED: Weights = [Some(0), Some(100), None];
const DETACHED: Weights = [None, Some(100), None];

fn three_forwards() -> Options {
    Options {
        listeners: 2,
        rules: 1,
        faults: true,
        ..Options::default()
    }
}

/// Given users who came through each of them.
async fn idle_through_each(scene: &Scene) -> Vec<Session> {
    let mut sessions = Vec::new();
    for (place, listener) in scene.cloud.listeners().iter().enumerate() {
        for index in 0..3 {
            sessions.push(Session::open(listener, &format!("idle-{place}-{index}")).await);
        }
    }
    sessions
}

/// Given a busy session through each of them.
async fn busy_through_each(scene: &Scene, name: &str) -> Vec<Session> {
    let mut sessions = Vec::new();
    for (place, listener) in scene.cloud.listeners().iter().enumerate() {
        let mut session = Session::open(listener, &format!("{name}-{place}")).await;
        session.become_busy(listener).await;
        sessions.push(session);
    }
    sessions
}

/// The same, and all of them on green.
async fn busy_on_green(scene: &Scene) -> Vec<Session> {
    let sessions = busy_through_each(scene, "on-green").await;
    let on_blue = |it: &&Session| scene.blue().contains(&it.server);
    assert_eq!(sessions.iter().find(on_blue).map(|it| &it.name), None);
    sessions
}

fn all_leave(sessions: &mut [Session]) {
    sessions.iter_mut().for_each(Session::leave);
}

fn faults(scene: &Scene) -> &AwsFaults {
    scene.cloud.aws_faults().expect("faults")
}

/// When the next change of this one will be refused.
fn refuse(scene: &Scene, forward: &Forward) {
    faults(scene).on_naming(&forward.arn, forward.changed_by(), AwsFault::Deny, 1);
}

/// Then the Task fails after so many of the changes, and the others are still to be made.
async fn fails_after(
    scene: &Scene,
    execution: &Execution,
    task: &str,
    changes: usize,
    [from, to]: [Weights; 2],
) {
    scene.fails_with(execution, "AccessDenied").await;
    let failed = execution.last_state().await.expect("a history");
    assert_eq!(failed.as_deref(), Some(task));
    let weights = scene.cloud.all_weights().await.expect("weights");
    let wanted = (0..weights.len()).map(|place| if place < changes { to } else { from });
    assert_eq!(weights, wanted.collect::<Vec<_>>(), "{task}");
}

/// When a Task whose second change was to be refused fails, its third one is refused at the redrive, and it is redriven
/// again, with this change refused next, if any.
async fn fails_between_each_two(
    scene: &Scene,
    execution: &Execution,
    task: &str,
    moves: [Weights; 2],
    next: Option<&Forward>,
) -> Execution {
    fails_after(scene, execution, task, 1, moves).await;
    refuse(scene, &scene.cloud.world().forwards()[2]);
    let again = scene.redriven(execution).await;
    fails_after(scene, &again, task, 2, moves).await;
    if let Some(next) = next {
        refuse(scene, next);
    }
    scene.redriven(&again).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_moves_every_weight_and_cuts_nobody_whichever_way_they_came() {
    let scene = Scene::with(three_forwards()).await;
    let witness = scene.cloud.witness();
    let idle = idle_through_each(&scene).await;
    let mut on_blue = busy_through_each(&scene, "on-blue").await;
    // When a deployment runs
    let execution = scene.deploy(&hasty()).await;
    // Then all weights move, whoever is idle is handed over, and whoever comes finds green
    scene.all_handed_over(&idle).await;
    assert_eq!(scene.weights().await, SWITCHED);
    let on_green = busy_on_green(&scene).await;
    scene.passes(&execution, "TerminateBlue", 3).await;
    scene.all_still_busy(on_blue.iter().chain(&on_green));
    // And when the last busy sessions have ended, all forward to green alone
    all_leave(&mut on_blue);
    scene.promoted(&execution).await;
    scene.all_still_busy(&on_green);
    scene.minimum_held(witness, &[execution.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_serve_in_every_target_group_of_their_environment() {
    let options = Options {
        blue: 0,
        ..three_forwards()
    };
    let scene = fleets::of_groups(options, 3).await;
    let witness = scene.cloud.witness();
    let idle = idle_through_each(&scene).await;
    let mut busy = busy_through_each(&scene, "busy").await;
    let execution = scene.deploy(&hasty()).await;
    scene.all_handed_over(&idle).await;
    let on_green = busy_on_green(&scene).await;
    scene.all_still_busy(busy.iter().chain(&on_green));
    all_leave(&mut busy);
    scene.promoted(&execution).await;
    scene.all_still_busy(&on_green);
    let seen = witness.testimony().await.expect("a testimony");
    assert_eq!(seen.fewest_with_weight, Some(3), "{seen:?}");
    action_was_right(&seen);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_fails_between_each_two_changes_is_finished_by_redrives() {
    let scene = Scene::with(three_forwards()).await;
    let witness = scene.cloud.witness();
    let idle = idle_through_each(&scene).await;
    let mut busy = busy_through_each(&scene, "busy").await;
    let forwards = scene.cloud.world().forwards();
    let second = Some(&forwards[1]);
    // When green comes in, all weights move, and blue goes, each failing after the first change and after the second
    refuse(&scene, &forwards[1]);
    let execution = scene.deploy(&hasty()).await;
    let attach = [BEFORE, ATTACHED];
    let execution = fails_between_each_two(&scene, &execution, "AttachGreen", attach, second).await;
    let switch = [ATTACHED, SWITCHED];
    let execution =
        fails_between_each_two(&scene, &execution, "SwitchTargetGroup", switch, second).await;
    scene.all_handed_over(&idle).await;
    scene.all_still_busy(&busy);
    all_leave(&mut busy);
    let detach = [SWITCHED, DETACHED];
    let execution = fails_between_each_two(&scene, &execution, "DetachRetired", detach, None).await;
    // Then it is promoted as if nothing had happened
    scene.promoted(&execution).await;
    scene.minimum_held(witness, &[execution.name()]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_in_the_bake_takes_all_of_them_back() {
    let scene = Scene::with(three_forwards()).await;
    scene.quiet_alarm("errors").await;
    let witness = scene.cloud.witness();
    let idle = idle_through_each(&scene).await;
    let on_blue = busy_through_each(&scene, "on-blue").await;
    // Given a deployment in its bake
    let execution = scene.deploy(&watched(long_bake())).await;
    scene.all_handed_over(&idle).await;
    let mut on_green = busy_on_green(&scene).await;
    one_is_set_right(&scene).await;
    // When an alarm fires
    let fired = scene.cloud.set_alarm("errors", State::Alarm).await;
    fired.expect("it fires");
    // Then blue serves behind all of them, and nobody busy is cut on either side
    scene.passes(&execution, "TerminateBlue", 3).await;
    assert_eq!(scene.weights().await, [Some(100), Some(0), None]);
    scene.all_still_busy(on_blue.iter().chain(&on_green));
    all_leave(&mut on_green);
    rolled_back(&scene, &execution, "in state ALARM: errors").await;
    scene.all_still_busy(&on_blue);
    scene.minimum_held(witness, &[]).await;
    scene.ends().await;
}

/// When somebody gives blue all weight again behind one of them, that is set right.
async fn one_is_set_right(scene: &Scene) {
    let forwards = scene.cloud.world().forwards();
    let moved = scene.cloud.set_weights_of(&forwards[2], 100, 0).await;
    moved.expect("the weights are moved");
    scene
        .then("the weights to be set right, and counted once", || async {
            let front = scene.cloud.record().await?.front;
            let repairs = front.map(|front| front.course.repairs);
            let weights = scene.cloud.all_weights().await?;
            let right = weights == [SWITCHED; 3] && repairs == Some(1);
            Ok(if right {
                Ok(())
            } else {
                Err(format!("{weights:?}, {repairs:?} repairs"))
            })
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_fails_between_each_two_changes_is_finished_by_redrives() {
    let scene = Scene::with(three_forwards()).await;
    scene.quiet_alarm("errors").await;
    let witness = scene.cloud.witness();
    let on_blue = busy_through_each(&scene, "on-blue").await;
    let execution = scene.deploy(&watched(long_bake())).await;
    scene.passes(&execution, "DrainIdle", 1).await;
    assert_eq!(scene.weights().await, SWITCHED);
    // When an alarm fires, and the way back fails after the first change and after the second
    refuse(&scene, &scene.cloud.world().forwards()[1]);
    let fired = scene.cloud.set_alarm("errors", State::Alarm).await;
    fired.expect("it fires");
    let back = [SWITCHED, [Some(100), Some(0), None]];
    let again = fails_between_each_two(&scene, &execution, "SwitchBack", back, None).await;
    // Then all of them are back, and nobody busy is cut
    rolled_back(&scene, &again, "in state ALARM: errors").await;
    scene.all_still_busy(&on_blue);
    scene.minimum_held(witness, &[]).await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_stopped_after_the_first_change_goes_both_ways() {
    let scene = Scene::with(three_forwards()).await;
    let witness = scene.cloud.witness();
    let mut busy = busy_through_each(&scene, "busy").await;
    let first = stopped_after_the_first_change(&scene).await;
    // When it is taken over to roll back
    let back = take_over::taken_over(&scene, &first, "rollBack").await;
    take_over::rolled_back(&scene, &back, "RolledBack", "tunnel-a").await;
    scene.all_still_busy(&busy);
    // And the next one, stopped at the same place, to go on
    let second = stopped_after_the_first_change(&scene).await;
    let on = take_over::taken_over(&scene, &second, "continue").await;
    scene.passes(&on, "DrainIdle", 1).await;
    assert_eq!(scene.weights().await, SWITCHED);
    scene.all_still_busy(&busy);
    all_leave(&mut busy);
    scene.promoted(&on).await;
    scene.minimum_held(witness, &[second.name()]).await;
    scene.ends().await;
}

/// Given a deployment that an operator stopped when the first listener's weights had moved, and no other's.
async fn stopped_after_the_first_change(scene: &Scene) -> Execution {
    let second = &scene.cloud.world().forwards()[1];
    let (action, faults) = (second.changed_by(), faults(scene));
    faults.on_naming(&second.arn, action, AwsFault::Held, 2);
    let execution = scene.deploy(&hasty()).await;
    // Green comes in behind all of them
    let attaching = faults.held(action, LIMIT).await.expect("a change");
    attaching.release().await.expect("it is made");
    // And the switch gets no further than to the second one, which is never changed
    let switching = faults.held(action, LIMIT).await.expect("a change");
    execution.stop().await.expect("it is stopped");
    let function = switching.kill_caller().await.expect("it dies");
    assert!(function.contains("switch-target-group"), "{function}");
    drop(switching);
    let weights = scene.cloud.all_weights().await.expect("weights");
    assert_eq!(weights, [SWITCHED, ATTACHED, ATTACHED]);
    execution
}
