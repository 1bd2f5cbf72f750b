//! Auto Scaling groups in every colour: they take turns, are parked between their turns, and are as they were after a
//! deployment that does not stay.

mod effects;
mod life;
mod long;
mod mixed;
mod moving;
mod refresh;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::AutoScalingGroup;
use ebbtide_local_cloud::options::Options;
use serde_json::json;

use crate::rollback::long_bake;
use crate::scene::{ENVIRONMENTS, Scene, hasty};
use crate::sessions::Seen;
use crate::take_over::both_ways_of;

/// The groups, in the environments' order.
const GROUPS: [&str; 3] = ["tunnel-a-fleet", "tunnel-b-fleet", "tunnel-c-fleet"];
/// What a parked group does not do.
const PARKED: [&str; 2] = ["AlarmNotification", "ScheduledActions"];

/// Given three environments that are Auto Scaling groups: three members serve, the other groups are parked.
async fn fleets() -> Scene {
    fleets_with(Options::default()).await
}

/// The same on a cloud with these options.
async fn fleets_with(options: Options) -> Scene {
    let options = Options { blue: 0, ..options };
    let scene = of_groups(options, 3).await;
    assert_eq!(scene.blue().len(), 3);
    scene
}

/// Given a group for each environment, the first with this many members, beside plain servers of blue's.
pub(crate) async fn of_groups(mut options: Options, members: i32) -> Scene {
    let names = ("AutoScalingGroupNames".to_owned(), GROUPS.join(","));
    options.parameters.push(names);
    Scene::of_fleets(options, members).await
}

/// What a deployment may change of a group, and has to give back.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    sizes: [Option<i32>; 3],
    version: String,
    suspended: BTreeSet<String>,
    tags: BTreeMap<String, String>,
    members: usize,
    hooks: Vec<String>,
}

async fn settings(scene: &Scene, name: &str) -> Settings {
    let group = scene.cloud.scaling_group_now(name).await.expect("a group");
    let hooks = scene
        .cloud
        .clients()
        .auto_scaling
        .describe_lifecycle_hooks();
    let hooks = hooks.auto_scaling_group_name(name).send().await;
    let hooks = hooks.expect("its hooks");
    let hooks = hooks.lifecycle_hooks().iter();
    Settings {
        sizes: [group.min_size(), group.max_size(), group.desired_capacity()],
        version: version(&group),
        suspended: group
            .suspended_processes()
            .iter()
            .filter_map(|it| it.process_name().map(str::to_owned))
            .collect(),
        tags: group
            .tags()
            .iter()
            .filter_map(|it| Some((it.key()?.to_owned(), it.value()?.to_owned())))
            .collect(),
        members: group.instances().len(),
        hooks: hooks
            .filter_map(|it| it.lifecycle_hook_name().map(str::to_owned))
            .collect(),
    }
}

/// The settings of blue's group and of green's.
async fn both(scene: &Scene) -> [Settings; 2] {
    [
        settings(scene, GROUPS[0]).await,
        settings(scene, GROUPS[1]).await,
    ]
}

/// Then blue's group is as it was, and green's as well, apart from what parking needs.
async fn blue_is_as_before_and_green_parked(
    scene: &Scene,
    before: &[Settings; 2],
    deployment: &str,
) {
    let parked = parked(&before[1], deployment, ENVIRONMENTS[1]);
    assert_eq!(both(scene).await, [before[0].clone(), parked]);
}

fn version(group: &AutoScalingGroup) -> String {
    let template = group.launch_template().and_then(|it| it.version());
    template.unwrap_or_default().to_owned()
}

/// `before`, as parking leaves it: nothing runs, and nothing that is not suspended could wake it.
fn parked(before: &Settings, deployment: &str, environment: &str) -> Settings {
    let mut parked = Settings {
        sizes: [Some(0); 3],
        members: 0,
        ..before.clone()
    };
    parked.suspended.extend(PARKED.map(str::to_owned));
    let note = format!("{deployment} {environment} {}", PARKED.join(" "));
    parked.tags.insert("ebbtide:suspended".to_owned(), note);
    parked
}

/// `before`, with the sizes and the members of what served, and this version.
fn serving(before: &Settings, served: &Settings, version: &str) -> Settings {
    let mut serving = Settings {
        sizes: served.sizes,
        version: version.to_owned(),
        members: served.members,
        ..before.clone()
    };
    serving
        .suspended
        .retain(|process| !PARKED.contains(&process.as_str()));
    serving.tags.remove("ebbtide:suspended");
    serving
}

#[tokio::test(flavor = "multi_thread")]
async fn three_groups_take_turns_and_each_is_parked_after_its_turn() {
    let scene = fleets().await;
    let mut blue = 0;
    for turn in 0..4 {
        let green = (blue + 1) % GROUPS.len();
        let before = [
            settings(&scene, GROUPS[blue]).await,
            settings(&scene, GROUPS[green]).await,
        ];
        let idle = scene.idle(6).await;
        let version = scene.cloud.add_version("").await.expect("a version");
        // When a deployment runs
        let execution = scene.deploy(&hasty()).await;
        // Then green's group has what blue's had, and blue's is parked, whatever it was before
        scene.all_handed_over(&idle).await;
        scene.promoted_into(&execution, ENVIRONMENTS[green]).await;
        let wanted = serving(&before[1], &before[0], &version.to_string());
        assert_eq!(settings(&scene, GROUPS[green]).await, wanted, "turn {turn}");
        let wanted = parked(&before[0], execution.name(), ENVIRONMENTS[blue]);
        assert_eq!(settings(&scene, GROUPS[blue]).await, wanted, "turn {turn}");
        blue = green;
    }
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_blues_group_is_as_it_was_and_greens_is_parked() {
    let scene = fleets().await;
    let busy = scene.busy("busy").await;
    scene.cloud.add_version("").await.expect("a version");
    let before = both(&scene).await;
    // When a deployment that holds blue's group is rolled back, with a busy session on it
    let execution = scene.deploy(&long_bake()).await;
    scene.passes(&execution, "CheckDrained", 1).await;
    let held = settings(&scene, GROUPS[0]).await;
    assert_eq!(held.hooks, ["ebbtide-hold"]);
    assert!(held.suspended.contains("ReplaceUnhealthy"), "{held:?}");
    let wish = scene.deploy(&json!({"rollBack": execution.name()})).await;
    scene.ends_well(&wish).await;
    scene.fails_with(&execution, "RolledBack").await;
    // Then nobody was cut, and both groups are as they were, apart from what parking needs
    assert_eq!(busy.seen(), Seen::Asked);
    blue_is_as_before_and_green_parked(&scene, &before, execution.name()).await;
    scene.serves_alone("tunnel-a").await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_release_never_becomes_healthy_is_parked_again_and_nobody_notices() {
    let scene = fleets().await;
    let busy = scene.busy("busy").await;
    let input = json!({"green": {"healthySeconds": 10}});
    // Given a deployment whose group EC2 gives no instance: it is rejected in the words of the scaling activity
    let why =
        "We currently do not have sufficient capacity in the Availability Zone you requested.";
    let fails = scene
        .cloud
        .launches_fail(GROUPS[1], "InsufficientInstanceCapacity", why);
    fails.await.expect("they fail");
    let starved = scene.deploy(&input).await;
    let cause = scene.fails_with(&starved, "GreenRejected").await;
    assert!(cause.contains(why), "{cause}");
    let succeed = scene.cloud.launches_succeed(GROUPS[1]).await;
    succeed.expect("they succeed");
    let release = scene.cloud.add_version("stand-in --health 503").await;
    release.expect("a version");
    let before = both(&scene).await;
    // When a release is deployed whose servers fail their health checks
    let execution = scene.deploy(&input).await;
    // Then it is rejected, its protected members are gone, and its group is parked
    let cause = scene.fails_with(&execution, "GreenRejected").await;
    assert_eq!(launched_by_greens_group(&scene).await, 3);
    assert!(
        cause.contains("0 of 3 servers of Auto Scaling group"),
        "{cause}"
    );
    blue_is_as_before_and_green_parked(&scene, &before, execution.name()).await;
    assert_eq!(busy.seen(), Seen::Asked);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_resumes_all_processes_cuts_nobody_that_the_hook_can_save() {
    let scene = fleets().await;
    let mut busy = scene.busy("busy").await;
    let execution = scene.deploy(&hasty()).await;
    scene.passes(&execution, "TerminateBlue", 1).await;
    // When an apply resumes all processes in mid-drain, and a health check fails before the next pass
    resumed(&scene).await;
    ill(&scene, &busy.server).await;
    // Then the deployment says who is being ended, and the session goes on
    scene.only_a_hook_keeps(&execution, &busy.server).await;
    assert_eq!(busy.seen(), Seen::Asked);
    assert!(scene.lives(&busy.server));
    let held = settings(&scene, GROUPS[0]).await;
    assert!(held.suspended.contains("ReplaceUnhealthy"), "{held:?}");
    // When its user leaves, the hook lets it go and the group is parked
    busy.leave();
    scene.promoted(&execution).await;
    let blue = settings(&scene, GROUPS[0]).await;
    assert_eq!((blue.members, blue.hooks), (0, Vec::new()));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_being_launched_goes_both_ways_when_it_is_taken_over() {
    let scene = fleets().await;
    both_ways_of(scene, &hasty(), "LaunchGreen", 1, "GreenRejected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_baked_goes_both_ways_when_it_is_taken_over() {
    let mut input = hasty();
    input["bake"]["seconds"] = json!(8);
    both_ways_of(fleets().await, &input, "DrainIdle", 1, "RolledBack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_green_that_was_superseded_leaves_its_group_as_it_was() {
    let scene = fleets().await;
    scene.cloud.add_version("").await.expect("a version");
    let before = settings(&scene, GROUPS[1]).await;
    // Given a deployment whose green is awake and that an operator stops before its switch
    let stopped = scene.deploy(&hasty()).await;
    scene.passes(&stopped, "WaitForGreen", 1).await;
    stopped.stop().await.expect("it is stopped");
    // When the next one supersedes it, and fails its release's health checks
    let bad = scene.cloud.add_version("stand-in --health 503").await;
    bad.expect("a version");
    let input = json!({"green": {"healthySeconds": 10}});
    let emulators = scene.cloud.emulators().expect("emulators");
    emulators.set_wait_scale(0.1).await.expect("scaled");
    let next = scene.deploy(&input).await;
    scene.fails_with(&next, "GreenRejected").await;
    // Then green's group names what it named before both of them
    let wanted = parked(&before, next.name(), ENVIRONMENTS[1]);
    assert_eq!(settings(&scene, GROUPS[1]).await, wanted);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_size_others_give_a_group_in_mid_drain_its_busy_server_stays_and_the_rest_ends() {
    let scene = fleets().await;
    let before = settings(&scene, GROUPS[0]).await;
    let mut busy = scene.busy("busy").await;
    let in_use = scene.in_use().await.len();
    let execution = scene.deploy(&hasty()).await;
    only_those_in_use_are_left(&scene, in_use).await;
    // When an operator sets the sizes to 0
    sized(&scene, 0, Some(0)).await;
    let states = execution.states().await.expect("states");
    let passes = states.iter().filter(|it| *it == "TerminateBlue").count();
    scene.passes(&execution, "TerminateBlue", passes + 2).await;
    // Then the busy server is protected
    assert!(scene.lives(&busy.server));
    assert_eq!(busy.seen(), Seen::Asked);
    // When an apply restores the smallest size, so that the group launches once more
    sized(&scene, 3, None).await;
    let grown = settings(&scene, GROUPS[0]).await;
    assert_eq!((grown.sizes[0], grown.members), (Some(3), 3));
    // Then what it launched is drained like the others, and is gone
    only_those_in_use_are_left(&scene, in_use).await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.promoted(&execution).await;
    let wanted = parked(&before, execution.name(), ENVIRONMENTS[0]);
    assert_eq!(settings(&scene, GROUPS[0]).await, wanted);
    scene.ends().await;
}

/// How many instances green's group has launched in all.
async fn launched_by_greens_group(scene: &Scene) -> usize {
    let instances = scene.cloud.instances().await.expect("instances");
    let of_green = instances.iter();
    of_green
        .filter(|it| it.environment() == Some(ENVIRONMENTS[1]))
        .count()
}

/// When an apply resumes all processes of blue's group.
async fn resumed(scene: &Scene) {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let resuming = auto_scaling.resume_processes();
    let resuming = resuming.auto_scaling_group_name(GROUPS[0]).send();
    resuming.await.expect("they are resumed");
}

/// When a member fails a health check.
async fn ill(scene: &Scene, instance: &str) {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let ill = auto_scaling.set_instance_health().instance_id(instance);
    let ill = ill
        .health_status("Unhealthy")
        .should_respect_grace_period(false);
    ill.send().await.expect("it is called unhealthy");
}

/// When somebody else changes the sizes of blue's group.
async fn sized(scene: &Scene, min: i32, desired: Option<i32>) {
    let call = scene
        .cloud
        .clients()
        .auto_scaling
        .update_auto_scaling_group();
    let call = call.auto_scaling_group_name(GROUPS[0]).min_size(min);
    let changed = call.set_desired_capacity(desired).send().await;
    changed.expect("it is changed");
}

/// Then as many of blue's servers are left as the busy session needs: its own, and one that carries its request.
async fn only_those_in_use_are_left(scene: &Scene, in_use: usize) {
    scene
        .then("the servers in use to be left", || async {
            let members = scene.cloud.scaling_group_now(GROUPS[0]).await?;
            let left = members.instances().len();
            Ok(if left == in_use {
                Ok(())
            } else {
                Err(format!("{left} members"))
            })
        })
        .await;
}
