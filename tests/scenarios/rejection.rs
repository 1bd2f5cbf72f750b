//! Deployments that end before traffic moves.

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

use crate::scene::Scene;
use crate::sessions::Seen;
use crate::wishes::told;

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_every_error_and_touches_nothing() {
    let scene = Scene::of_three_blue_servers().await;
    let execution = scene
        .deploy(&json!({"drain": {"pollSeconds": "soon"}, "trafic": {}}))
        .await;
    let cause = scene.fails_with(&execution, "InvalidInput").await;
    assert!(
        cause.contains("drain.pollSeconds") && cause.contains("trafic"),
        "{cause}"
    );
    assert_eq!(
        execution.last_state().await.expect("a history").as_deref(),
        Some("PlanDeployment")
    );
    scene.untouched().await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_green_that_never_becomes_healthy_is_terminated_and_nobody_notices() {
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(3).await;
    let busy = scene.busy("busy").await;
    // Given a release whose servers fail their health checks
    scene
        .cloud
        .add_version("stand-in --health 503")
        .await
        .expect("a version");
    // Whose operator gives the first of it up, long before its time is over
    let patient = scene
        .deploy(&json!({"green": {"healthySeconds": 600}}))
        .await;
    scene.passes(&patient, "WaitForGreen", 1).await;
    told(&scene, "abort", &patient).await;
    let cause = scene.fails_with(&patient, "GreenRejected").await;
    assert!(cause.contains("the scenario says abort"), "{cause}");
    rejected(&scene).await;
    let execution = scene
        .deploy(&json!({"green": {"healthySeconds": 10}}))
        .await;
    // Then green is rejected and gone, blue serves as before
    let cause = scene.fails_with(&execution, "GreenRejected").await;
    assert!(cause.contains("0 of 3"), "{cause}");
    rejected(&scene).await;
    assert_eq!(busy.seen(), Seen::Asked);
    assert!(idle.iter().all(|session| session.seen() == Seen::Open));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_green_that_fails_its_test_is_terminated_and_nobody_notices() {
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(3).await;
    // Given a release that is healthy and answers garbage on its session endpoint
    scene
        .cloud
        .add_version("stand-in")
        .await
        .expect("a version");
    let execution = scene.deploy(&json!({})).await;
    let cause = scene.fails_with(&execution, "GreenRejected").await;
    assert!(cause.contains("i-"), "{cause}");
    rejected(&scene).await;
    assert!(idle.iter().all(|session| session.seen() == Seen::Open));
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_green_whose_servers_end_by_themselves_is_rejected_in_the_words_of_ec2() {
    let scene = Scene::of_three_blue_servers().await;
    let idle = scene.idle(3).await;
    // Given a key that EC2 cannot use: whatever is launched for green ends before it is healthy
    let (code, why) = ("Client.InternalError", "Client error on launch");
    let sick = scene.cloud.add_version("stand-in --health 503").await;
    sick.expect("a version");
    let execution = scene.deploy(&json!({})).await;
    scene
        .then("its end", || async {
            for instance in registered_for_green(&scene).await {
                scene.cloud.ends_by_itself(&instance, code, why).await?;
            }
            let standing = execution.standing().await?;
            Ok(if standing.status == ExecutionStatus::Running {
                Err(standing.describe(None))
            } else {
                Ok(())
            })
        })
        .await;
    // Then green is rejected when it was launched twice over, and the cause says why
    let cause = scene.fails_with(&execution, "GreenRejected").await;
    assert!(cause.contains(why), "{cause}");
    rejected(&scene).await;
    assert!(idle.iter().all(|session| session.seen() == Seen::Open));
    scene.ends().await;
}

/// Only what is registered: AWS refuses to register what has ended meanwhile.
async fn registered_for_green(scene: &Scene) -> Vec<String> {
    let elb = &scene.cloud.clients().elb;
    let group = &scene.cloud.world().b.arn;
    let asking = elb.describe_target_health().target_group_arn(group);
    let answer = asking.send().await.expect("its targets");
    let targets = answer.target_health_descriptions().iter();
    let registered = targets.filter_map(|it| it.target()?.id().map(str::to_owned));
    let running = scene.running("tunnel-b").await;
    registered.filter(|id| running.contains(id)).collect()
}

async fn rejected(scene: &Scene) {
    let weights = scene.cloud.weights().await.expect("weights");
    assert_eq!(weights, [Some(100), None, None]);
    assert_eq!(scene.running("tunnel-b").await, Vec::<String>::new());
    assert_eq!(scene.running("tunnel-a").await.len(), 3);
    scene.released("GreenRejected").await;
}
