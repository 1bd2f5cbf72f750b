//! A whole local cloud with its emulators. Ignored unless asked for, as it needs the venv and the built programs:
//! `make scenarios` asks for it.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, not in what they call"
)]

mod faults;
mod fleets;
mod forwards;
mod refusals;

use std::time::Duration;

use aws_sdk_autoscaling::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{LaunchTemplateSpecification, Tag, TagSpecification};
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use ebbtide_local_cloud::host::ProcessState;
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_local_cloud::{LocalCloud, Options, warden};
use ebbtide_rules::record::Record;

/// It bounds hanging; nothing is measured by it.
const LIMIT: Duration = Duration::from_secs(600);

fn code(error: &impl ProvideErrorMetadata) -> String {
    error.code().unwrap_or_default().to_owned()
}

/// Waits until group `a`'s targets are counted so: healthy ones, all.
async fn until_targets(cloud: &LocalCloud, healthy: usize, all: usize) {
    let mut observed = cloud.observed();
    let what = format!("{healthy} healthy targets of {all}");
    until(&what, LIMIT, || {
        let seen = observed.borrow_and_update().forwarding[0].clone();
        async move {
            let is = (seen.healthy.len(), seen.health.len()) == (healthy, all);
            Ok(if is {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{:?}", seen.health))
            })
        }
    })
    .await
    .unwrap();
}

async fn until_process(cloud: &LocalCloud, instance: &str, wanted: ProcessState) {
    until("the process's state", LIMIT, || async {
        let server = cloud
            .servers()
            .into_iter()
            .find(|server| server.instance == instance);
        let is = server
            .as_ref()
            .is_some_and(|server| server.process == wanted);
        Ok(if is {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{server:?}"))
        })
    })
    .await
    .unwrap();
}

async fn serves(cloud: &LocalCloud) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..9 {
        let answer = client
            .get(format!("{}/health", cloud.listener()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
}

/// Starts an instance from the launch template's newest version, as a deployment would.
async fn launch(cloud: &LocalCloud) -> String {
    let template =
        LaunchTemplateSpecification::builder().launch_template_id(&cloud.world().launch_template);
    let tag = Tag::builder()
        .key("ebbtide:environment")
        .value(&cloud.world().b.name)
        .build();
    let tags = TagSpecification::builder()
        .resource_type("instance".into())
        .tags(tag)
        .build();
    let launching = cloud
        .clients()
        .ec2
        .run_instances()
        .min_count(1)
        .max_count(1);
    let launching = launching
        .launch_template(template.version("$Latest").build())
        .tag_specifications(tags);
    let launched = launching
        .subnet_id(&cloud.world().subnets[0])
        .send()
        .await
        .unwrap();
    launched.instances()[0].instance_id().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the venv and the built programs"]
async fn servers_follow_ec2_and_the_balancer_follows_elb() {
    let cloud = LocalCloud::start(Options::default()).await.unwrap();
    let directory = cloud.directory().to_owned();

    // Three blue servers serve, one target group has all the weight, nobody owns the service.
    assert_eq!(cloud.weights().await.unwrap(), [Some(100), None, None]);
    assert_eq!(
        cloud
            .reports()
            .await
            .values()
            .flatten()
            .filter(|report| report.admission == "open")
            .count(),
        3
    );
    assert_eq!(cloud.record().await.unwrap(), Record::default());
    serves(&cloud).await;

    // A process that dies leaves its instance running; its target turns unhealthy and gets nothing more.
    let servers = cloud.servers();
    let (dead, ended) = (servers[0].instance.as_str(), servers[1].instance.as_str());
    cloud.host().kill(dead).unwrap();
    until_process(&cloud, dead, ProcessState::Died).await;
    until_targets(&cloud, 2, 3).await;
    serves(&cloud).await;
    assert!(cloud.reports().await[dead].is_err());

    // A terminated instance takes its process along.
    cloud.terminate(ended).await.unwrap();
    until_process(&cloud, ended, ProcessState::Ended).await;
    until_targets(&cloud, 1, 2).await;

    // User data chooses the program; a target without weight is checked as soon as its group is in the listener.
    cloud.add_version("stand-in --health 503").await.unwrap();
    let new = launch(&cloud).await;
    until_process(&cloud, &new, ProcessState::Running).await;
    let target = TargetDescription::builder().id(&new).build();
    let registering = cloud
        .clients()
        .elb
        .register_targets()
        .target_group_arn(&cloud.world().b.arn);
    registering.targets(target).send().await.unwrap();
    cloud.set_weights(100, 0).await.unwrap();
    until("the stand-in to be unhealthy", LIMIT, || async {
        let seen = cloud.observed().borrow().clone();
        let health = seen
            .forwarding
            .get(1)
            .and_then(|group| group.health.get(&new).cloned());
        Ok(if health.as_deref() == Some("unhealthy") {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{health:?}"))
        })
    })
    .await
    .unwrap();

    cloud
        .emulators()
        .unwrap()
        .set_wait_scale(0.1)
        .await
        .unwrap();

    // Nothing is left.
    cloud.stop().await;
    assert_eq!(warden::marked(&directory), Vec::<u32>::new());
    assert!(!directory.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the venv and the built programs"]
async fn the_sam_cli_deploys_the_template_too() {
    let cloud = LocalCloud::start(Options::default()).await.unwrap();
    cloud.deploy_by_sam("by-sam").await.unwrap();
    let machines = cloud.clients().sfn.list_state_machines().send().await;
    let machines = machines.unwrap();
    let names = machines.state_machines().iter().map(|it| it.name());
    assert!(names.collect::<Vec<_>>().contains(&"by-sam"));
    cloud.stop().await;
}
