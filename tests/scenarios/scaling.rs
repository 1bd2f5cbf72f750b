//! Blue's servers in an Auto Scaling group: each of them ends, whatever size the group wants, and none is replaced; or all
//! is as it was.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_local_cloud::options::Options;
use serde_json::json;

use crate::rollback::long_bake;
use crate::scene::{Scene, hasty};

const GROUP: &str = "tunnel-scaling";

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_more_members_than_it_wants_is_emptied() {
    // Given blue of one server, and of two protected members of a group that wants one, and no fewer
    let options = Options {
        blue: 1,
        ..Options::default()
    };
    let scene = Scene::with(options).await;
    let made = scene.cloud.scaling_group(GROUP, 2, 1).await;
    made.expect("a group");
    let auto_scaling = &scene.cloud.clients().auto_scaling;
    let updating = auto_scaling.update_auto_scaling_group().min_size(1);
    let updating = updating.auto_scaling_group_name(GROUP);
    updating.send().await.expect("it is updated");
    all_serve(&scene).await;
    let group = scene.cloud.scaling_group_now(GROUP).await.expect("a group");
    let sizes = (group.min_size(), group.desired_capacity());
    assert_eq!((sizes, group.instances().len()), ((Some(1), Some(1)), 2));
    let idle = scene.idle(6).await;
    // When a deployment runs
    let execution = scene.deploy(&hasty()).await;
    // Then both members end, the second one with the capacity, and nobody is launched in their stead
    scene.all_handed_over(&idle).await;
    scene.promoted(&execution).await;
    let group = scene.cloud.scaling_group_now(GROUP).await.expect("a group");
    let sizes = (group.min_size(), group.desired_capacity());
    assert_eq!((sizes, group.instances().len()), ((Some(0), Some(0)), 0));
    scene.ends().await;
}

/// Given that all three of blue's servers are healthy.
async fn all_serve(scene: &Scene) {
    scene
        .then("three healthy servers", || async {
            let seen = scene.cloud.observed().borrow().clone();
            let blue = seen.forwarding.first();
            Ok(match blue {
                Some(blue) if blue.healthy.len() == 3 => Ok(()),
                other => Err(format!("{other:?}")),
            })
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_as_it_was_after_a_rollback() {
    // Given blue in an Auto Scaling group, one of whose members somebody has unprotected
    let (scene, fleet) = Scene::of_a_fleet().await;
    unprotect_one(&scene, &fleet).await;
    let before = settings(&scene, &fleet).await;
    // When a deployment that holds it is rolled back
    let execution = scene.deploy(&long_bake()).await;
    scene.passes(&execution, "CheckDrained", 1).await;
    let held = settings(&scene, &fleet).await;
    assert!(
        !held.suspended.is_empty() && held.members.values().all(|it| *it),
        "{held:?}"
    );
    let wish = scene.deploy(&json!({"rollBack": execution.name()})).await;
    scene.ends_well(&wish).await;
    scene.fails_with(&execution, "RolledBack").await;
    // Then its sizes, processes, tags and protections are as they were
    assert_eq!(settings(&scene, &fleet).await, before);
    scene.serves_alone("tunnel-a").await;
    scene.ends().await;
}

/// What a deployment changes of a group.
#[derive(Debug, PartialEq)]
struct Settings {
    sizes: [Option<i32>; 3],
    suspended: BTreeSet<String>,
    tags: BTreeMap<String, String>,
    /// Whether scale-in spares each member.
    members: BTreeMap<String, bool>,
}

async fn settings(scene: &Scene, name: &str) -> Settings {
    let group = scene.cloud.scaling_group_now(name).await.expect("a group");
    let text = |it: Option<&str>| it.unwrap_or_default().to_owned();
    Settings {
        sizes: [group.min_size(), group.max_size(), group.desired_capacity()],
        suspended: group
            .suspended_processes()
            .iter()
            .map(|it| text(it.process_name()))
            .collect(),
        tags: group
            .tags()
            .iter()
            .map(|it| (text(it.key()), text(it.value())))
            .collect(),
        members: group
            .instances()
            .iter()
            .map(|it| {
                (
                    text(it.instance_id()),
                    it.protected_from_scale_in() == Some(true),
                )
            })
            .collect(),
    }
}

pub(crate) async fn unprotect_one(scene: &Scene, fleet: &str) {
    let group = scene.cloud.scaling_group_now(fleet).await.expect("a group");
    let member = group.instances()[0].instance_id().expect("an id");
    let call = scene.cloud.clients().auto_scaling.set_instance_protection();
    let call = call.auto_scaling_group_name(fleet).instance_ids(member);
    let call = call.protected_from_scale_in(false);
    call.send().await.expect("unprotected");
}
