//! Launches, ends, and who is spared.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::InstanceAttributeName;

use super::*;

pub(super) async fn refused_launches_are_told(cloud: &LocalCloud) {
    // Given a group with one member
    let group = Group::made(cloud, "refused", 1).await;
    let first = group.members().await;
    let launched = format!("Launching a new EC2 instance: {}", first[0]);
    let successful = ("Successful".to_owned(), launched);
    assert_eq!(group.activities().await, std::slice::from_ref(&successful));
    // When EC2 refuses the next launch, the call that wants it succeeds
    let why = "We currently do not have sufficient t3.micro capacity.";
    let fail = cloud.launches_fail(group.name, "InsufficientInstanceCapacity", why);
    fail.await.unwrap();
    group.desire(2).await;
    // Then a failed activity says why
    let told = format!("{why} Launching EC2 instance failed.");
    let failed = ("Failed".to_owned(), told);
    assert_eq!(group.activities().await, [failed, successful]);
    assert_eq!(group.members().await, first);
    // And what is owed is launched when EC2 takes it again
    cloud.launches_succeed(group.name).await.unwrap();
    assert_eq!(group.members().await.len(), 2);
    assert_eq!(group.activities().await[0].0, "Successful");
    group.gone().await;
}

pub(super) async fn scale_in_deregisters(cloud: &LocalCloud) {
    let group = Group::made(cloud, "scale-in", 3).await;
    let mut members = group.members().await;
    let oldest = members[0].clone();
    members.sort();
    assert_eq!(group.targets().await, members);
    group.desire(2).await;
    let mut left = group.members().await;
    left.sort();
    assert!(!left.contains(&oldest));
    assert_eq!((left.len(), group.targets().await), (2, left));
    assert!(!group.runs(&oldest).await);
    group.gone().await;
}

pub(super) async fn members_are_spread_and_tagged(cloud: &LocalCloud) {
    let quiet = scaling::Tag::builder().key("quiet").value("tag");
    let quiet = quiet.propagate_at_launch(false).build();
    let pinned = cloud.add_version("--idle-after 9s").await.unwrap();
    let pinned = pinned.to_string();
    let template = scaling::LaunchTemplateSpecification::builder()
        .launch_template_id(&cloud.world().launch_template)
        .version(&pinned)
        .build();
    let group = Group::made_with(cloud, "spread", 3, |making| {
        making.tags(quiet).launch_template(template)
    });
    let group = group.await;
    let described = group.now().await;
    let members = described.instances().iter();
    let zones: BTreeSet<_> = members.map(|it| it.availability_zone().unwrap()).collect();
    assert_eq!(zones.len(), 3, "{zones:?}");
    // Each member says, and is tagged with, the version that it was launched from, and has its user data
    let ids = group.members().await;
    let asking = cloud.clients().ec2.describe_instance_attribute();
    let asking = asking.instance_id(&ids[0]);
    let told = asking.attribute(InstanceAttributeName::UserData).send();
    let told = told.await.unwrap();
    let data = told.user_data().and_then(|it| it.value()).unwrap();
    let data = aws_smithy_types::base64::decode(data).unwrap();
    assert_eq!(data, b"--idle-after 9s");
    let instances = cloud.instances().await.unwrap();
    for member in instances.iter().filter(|it| ids.contains(&it.id)) {
        let tags = &member.tags;
        assert_eq!(tags.get("ebbtide:service"), Some(&"tunnel".to_owned()));
        assert_eq!(member.environment(), Some(&*group.environment().name));
        assert_eq!(tags.get("aws:ec2launchtemplate:version"), Some(&pinned));
        assert_eq!(tags.get("quiet"), None);
    }
    for member in described.instances() {
        let template = member.launch_template().unwrap();
        assert_eq!(template.version(), Some(&*pinned));
    }
    group.gone().await;
}

pub(super) async fn protected_members_ignore_the_desired_capacity(cloud: &LocalCloud) {
    // Given a group of three members, one of which is not protected
    let protected = Group::made_with(cloud, "protected", 3, |making| {
        making.new_instances_protected_from_scale_in(true)
    });
    let group = protected.await;
    let members = group.members().await;
    group.protect(&members[2], false).await;
    // When it is to have none, that one ends; the others stay, and the desired capacity is what was asked
    group.desire(0).await;
    assert_eq!(group.members().await, members[..2]);
    assert_eq!(group.now().await.desired_capacity(), Some(0));
    let (status, told) = group.activities().await.remove(0);
    assert_eq!(status, "Cancelled");
    assert!(told.contains("protected from scale-in"), "{told}");
    // A smaller largest size does not end them either
    group.update().max_size(0).send().await.unwrap();
    assert_eq!(group.members().await, members[..2]);
    // Who loses the protection ends; who is named ends in spite of it
    group.protect(&members[0], false).await;
    assert_eq!(group.members().await, members[1..2]);
    group.terminate(&members[1], false).await;
    assert_eq!(group.members().await, Vec::<String>::new());
    assert!(!group.runs(&members[1]).await);
    group.gone().await;
}
