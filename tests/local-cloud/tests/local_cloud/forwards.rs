//! A service behind two listeners and a rule: one set of servers, three forward actions, each on its own.

use ebbtide_local_cloud::clients::Clients;
use ebbtide_local_cloud::faults::AwsFault;
use ebbtide_local_cloud::world::Forward;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the venv and the built programs"]
async fn every_listener_and_rule_has_weights_of_its_own_before_the_same_servers() {
    let options = Options {
        listeners: 2,
        rules: 1,
        faults: true,
        ..Options::default()
    };
    let cloud = LocalCloud::start(options).await.unwrap();
    let forwards = cloud.world().forwards();
    assert_eq!((forwards.len(), cloud.listeners().len()), (3, 3));
    let blue = [Some(100), None, None];
    assert_eq!(cloud.all_weights().await.unwrap(), [blue; 3]);

    // Blue's servers are healthy in each, and each leads to all of them.
    let seen = cloud.observed().borrow().clone();
    let healthy = seen.forwarding.iter().map(|group| group.healthy.len());
    assert_eq!(healthy.collect::<Vec<_>>(), [3; 3]);
    for place in 0..3 {
        assert_eq!(status(&cloud, place).await, 200);
    }
    // Whose weights move, its clients follow, and nobody else's.
    cloud.balancer().follow_after(Duration::ZERO);
    for (place, forward) in forwards.iter().enumerate() {
        cloud.set_weights_of(forward, 0, 100).await.unwrap();
        let moved = cloud.all_weights().await.unwrap();
        let moved = moved.iter().map(|weights| weights[1] == Some(100));
        let wanted = (0..3).map(|it| it <= place);
        assert!(moved.eq(wanted), "{:?}", cloud.all_weights().await);
        for other in 0..3 {
            // Nobody serves in the group that is green first.
            let wanted = if other <= place { 503 } else { 200 };
            assert_eq!(status(&cloud, other).await, wanted, "{other} of {place}");
        }
    }
    changes_of_one_are_refused(&cloud, &forwards).await;
    cloud.stop().await;
}

/// A request to one of the addresses.
async fn status(cloud: &LocalCloud, place: usize) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/health", cloud.listeners()[place]);
    client.get(url).send().await.unwrap().status().as_u16()
}

/// By clients of the same make as the functions': a fault strikes the changes of what it names.
async fn changes_of_one_are_refused(cloud: &LocalCloud, forwards: &[Forward]) {
    let aws = cloud.aws_faults().unwrap();
    let through = Clients::new("http://127.0.0.1:1", &aws.moto()).elb;
    let second = &forwards[1];
    let action = second.changed_by();
    aws.on_naming(&second.arn, action, AwsFault::Deny, 1);
    let change = |forward: &Forward| {
        let change = through.modify_listener().listener_arn(&forward.arn);
        change.port(80).send()
    };
    change(&forwards[0]).await.unwrap();
    assert_eq!(aws.hits(action), 0);
    let refused = change(second).await.unwrap_err();
    assert_eq!(code(&refused.into_service_error()), "AccessDenied");
    change(second).await.unwrap();
    assert_eq!(aws.hits(action), 1);
}
