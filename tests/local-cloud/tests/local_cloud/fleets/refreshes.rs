//! Instance refreshes.

use super::*;

async fn start(group: &Group<'_>, version: Option<&str>) -> Result<String, String> {
    let desired = version.map(|version| {
        let template = scaling::LaunchTemplateSpecification::builder()
            .launch_template_id(&group.cloud.world().launch_template)
            .version(version);
        let desired = scaling::DesiredConfiguration::builder();
        desired.launch_template(template.build()).build()
    });
    let call = group.client().start_instance_refresh();
    let call = call.auto_scaling_group_name(group.name);
    let answer = call.set_desired_configuration(desired).send().await;
    let answer = answer.map_err(|error| code(&error))?;
    Ok(answer.instance_refresh_id().unwrap().to_owned())
}

/// The refreshes' statuses, the newest one's first.
async fn statuses(group: &Group<'_>) -> Vec<String> {
    let call = group.client().describe_instance_refreshes();
    let call = call.auto_scaling_group_name(group.name);
    let answer = call.send().await.unwrap();
    let statuses = answer.instance_refreshes().iter();
    let statuses = statuses.map(|it| it.status().unwrap().as_str().to_owned());
    statuses.collect()
}

async fn cancel(group: &Group<'_>) -> Result<(), String> {
    let call = group.client().cancel_instance_refresh();
    let call = call.auto_scaling_group_name(group.name);
    call.send().await.map(|_| ()).map_err(|error| code(&error))
}

pub(super) async fn a_refresh_goes_on_pauses_and_ends(cloud: &LocalCloud) {
    // Given a group of two, one of them protected
    let second = cloud.add_version("").await.unwrap().to_string();
    let group = Group::made(cloud, "refresh", 2).await;
    let members = group.members().await;
    group.protect(&members[0], true).await;
    assert_eq!(statuses(&group).await, Vec::<String>::new());
    let none = cancel(&group).await;
    assert_eq!(none, Err("ActiveInstanceRefreshNotFound".to_owned()));
    // When a refresh starts, no other does, and nobody else changes what is launched
    start(&group, Some(&second)).await.unwrap();
    assert_eq!(statuses(&group).await, ["Pending"]);
    let refused = Err("InstanceRefreshInProgress".to_owned());
    assert_eq!(start(&group, None).await, refused);
    let template = scaling::LaunchTemplateSpecification::builder()
        .launch_template_id(&cloud.world().launch_template)
        .version("1")
        .build();
    let update = group.update().launch_template(template);
    let refused = update.send().await.unwrap_err();
    assert_eq!(code(&refused), "ValidationError");
    group.update().max_size(4).send().await.unwrap();
    // It pauses while it is suspended
    group.suspend(&["InstanceRefresh"]).await;
    cloud.refresh_goes_on(group.name).await.unwrap();
    assert_eq!(group.members().await, members);
    assert_eq!(statuses(&group).await, ["Pending"]);
    // Then it replaces those that are not protected
    group.resume(&["InstanceRefresh"]).await;
    cloud.refresh_goes_on(group.name).await.unwrap();
    assert_eq!(statuses(&group).await, ["Successful"]);
    let now = group.now().await;
    let versions = now.instances().iter();
    let versions = versions.map(|it| it.launch_template().unwrap().version().unwrap());
    assert_eq!(versions.collect::<Vec<_>>(), ["1", &*second]);
    assert_eq!(group.members().await[0], members[0]);
    // Another one is cancelled, whatever it was doing
    start(&group, None).await.unwrap();
    cloud
        .refresh_becomes(group.name, "InProgress")
        .await
        .unwrap();
    assert_eq!(statuses(&group).await, ["InProgress", "Successful"]);
    cancel(&group).await.unwrap();
    assert_eq!(statuses(&group).await, ["Cancelled", "Successful"]);
    group.gone().await;
}
