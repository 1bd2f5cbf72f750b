//! Blue's servers in an Auto Scaling group: each of them ends, whatever size the group wants, and none is replaced.

use ebbtide_local_cloud::options::Options;

use crate::scene::{Scene, hasty};

const GROUP: &str = "tunnel-scaling";

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_more_members_than_it_wants_is_emptied() {
    // Given blue of one server, and of two protected members of a group that wants one, and may have none
    let options = Options {
        blue: 1,
        ..Options::default()
    };
    let scene = Scene::with(options).await;
    let made = scene.cloud.scaling_group(GROUP, 2, 1).await;
    made.expect("a group");
    all_serve(&scene).await;
    let group = scene.cloud.scaling_group_now(GROUP).await.expect("a group");
    let sizes = (group.min_size(), group.desired_capacity());
    assert_eq!((sizes, group.instances().len()), ((Some(0), Some(1)), 2));
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
