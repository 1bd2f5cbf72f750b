//! Services that move into a group for each environment, step by step as docs/auto-scaling.md has it.

use aws_sdk_autoscaling::types::{LaunchTemplateSpecification, Tag};
use ebbtide_local_cloud::options::Options;
use serde_json::json;

use super::{GROUPS, both, of_groups, parked, serving, settings};
use crate::scene::{ENVIRONMENTS, Scene, hasty};
use crate::sessions::Seen;

#[tokio::test(flavor = "multi_thread")]
async fn plain_instances_move_into_groups_by_a_deployment() {
    // Given three plain servers, and a parked group for each environment
    let scene = of_groups(Options::default(), 0).await;
    let before = both(&scene).await;
    let idle = scene.idle(6).await;
    let mut busy = scene.busy("busy").await;
    // When a deployment runs
    let execution = scene.deploy(&hasty()).await;
    // Then green is launched by its group, as large as blue is, and nobody busy is cut
    scene.all_handed_over(&idle).await;
    assert_eq!(busy.seen(), Seen::Asked);
    let green = settings(&scene, GROUPS[1]).await;
    assert_eq!((green.sizes, green.members), ([Some(3); 3], 3));
    assert_eq!(green.tags, before[1].tags);
    // And blue's servers end one by one, while their environment's group stays parked
    busy.leave();
    scene.promoted(&execution).await;
    let wanted = parked(&before[0], execution.name(), ENVIRONMENTS[0]);
    assert_eq!(settings(&scene, GROUPS[0]).await, wanted);
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_group_becomes_the_first_of_three_by_the_steps_of_the_docs() {
    // Given a service on one group, whose user never heard of Ebbtide, and a busy session
    let mut scene = Scene::of_a_strangers_group(GROUPS[0]).await;
    let mut busy = scene.busy("busy").await;
    // When its user makes a parked group for each further environment
    let environments = scene.cloud.world().groups().map(Clone::clone);
    for (name, environment) in GROUPS.iter().zip(&environments).skip(1) {
        let making = scene.cloud.new_scaling_group(name, environment);
        let made = making.target_group_arns(&environment.arn).send().await;
        made.expect("it is made");
    }
    // And names them all to the stack, the first one as it is
    let named = [("AutoScalingGroupNames", &*GROUPS.join(","))];
    scene.cloud.update(&named).await.expect("an update");
    // Then a dry run says what is missing of it, and that its version floats
    let shown = scene.deploy(&json!({"dryRun": true})).await;
    let cause = scene.fails_with(&shown, "PreflightRefused").await;
    for words in ["does not carry the tag ebbtide:service", "$Default"] {
        assert!(cause.contains(words), "{words}: {cause}");
    }
    // When that is done, the next dry run has nothing to say
    prepared(&scene).await;
    let shown = scene.deploy(&json!({"dryRun": true})).await;
    scene.ends_well(&shown).await;
    let before = both(&scene).await;
    // And a deployment moves the service on, with nobody cut
    let version = scene.cloud.add_version("").await.expect("a version");
    let execution = scene.deploy(&hasty()).await;
    scene.passes(&execution, "TerminateBlue", 2).await;
    assert_eq!(busy.seen(), Seen::Asked);
    busy.leave();
    scene.promoted(&execution).await;
    let wanted = parked(&before[0], execution.name(), ENVIRONMENTS[0]);
    assert_eq!(settings(&scene, GROUPS[0]).await, wanted);
    let wanted = serving(&before[1], &before[0], &version.to_string());
    assert_eq!(settings(&scene, GROUPS[1]).await, wanted);
    scene.ends().await;
}

/// When its user tags the group that there was, pins its version and has new servers protected.
async fn prepared(scene: &Scene) {
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let tag = Tag::builder()
        .resource_id(GROUPS[0])
        .resource_type("auto-scaling-group")
        .key("ebbtide:service")
        .value(scene.cloud.service())
        .propagate_at_launch(false);
    let tagging = auto_scaling.create_or_update_tags().tags(tag.build());
    tagging.send().await.expect("it is tagged");
    let pinned = LaunchTemplateSpecification::builder()
        .launch_template_id(&scene.cloud.world().launch_template)
        .version("1");
    let updating = auto_scaling.update_auto_scaling_group();
    let updating = updating.auto_scaling_group_name(GROUPS[0]);
    let updating = updating.launch_template(pinned.build());
    let updating = updating.new_instances_protected_from_scale_in(true);
    updating.send().await.expect("it is updated");
}
