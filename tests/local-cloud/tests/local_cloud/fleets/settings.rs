//! What groups are made with and changed to.

use aws_sdk_autoscaling::operation::update_auto_scaling_group::builders::UpdateAutoScalingGroupFluentBuilder;

use super::*;

fn template(cloud: &LocalCloud, version: &str) -> scaling::LaunchTemplateSpecification {
    scaling::LaunchTemplateSpecification::builder()
        .launch_template_id(&cloud.world().launch_template)
        .version(version)
        .build()
}

/// A policy of this version and two instance types.
fn mixed(cloud: &LocalCloud, version: &str) -> scaling::MixedInstancesPolicy {
    let kind = |name| scaling::LaunchTemplateOverrides::builder().instance_type(name);
    let launches = scaling::LaunchTemplate::builder()
        .launch_template_specification(template(cloud, version))
        .overrides(kind("t3.large").build())
        .overrides(kind("t3.medium").build())
        .build();
    let distribution = scaling::InstancesDistribution::builder()
        .on_demand_base_capacity(1)
        .on_demand_percentage_above_base_capacity(50)
        .build();
    scaling::MixedInstancesPolicy::builder()
        .launch_template(launches)
        .instances_distribution(distribution)
        .build()
}

pub(super) async fn mixed_instances_policies_are_kept(cloud: &LocalCloud) {
    let second = cloud.add_version("").await.unwrap().to_string();
    let making = cloud.new_scaling_group("mixed", &cloud.world().c);
    let making = making.set_launch_template(None).max_size(2);
    let making = making.mixed_instances_policy(mixed(cloud, "1"));
    making
        .target_group_arns(&cloud.world().c.arn)
        .send()
        .await
        .unwrap();
    let group = Group {
        cloud,
        name: "mixed",
    };
    let policy = async || group.now().await.mixed_instances_policy.unwrap();
    let version = |policy: &scaling::MixedInstancesPolicy| {
        let launches = policy.launch_template().unwrap();
        let specification = launches.launch_template_specification().unwrap();
        specification.version().unwrap().to_owned()
    };
    assert_eq!(group.now().await.launch_template(), None);
    let before = policy().await;
    assert_eq!(version(&before), "1");
    // An update that does not name it
    group.update().desired_capacity(1).send().await.unwrap();
    assert_eq!(policy().await, before);
    let member = &group.now().await.instances.unwrap()[0];
    assert_eq!(member.instance_type(), Some("t3.large"));
    // One that names the version only
    let launches = scaling::LaunchTemplate::builder();
    let launches = launches.launch_template_specification(template(cloud, &second));
    let changed = scaling::MixedInstancesPolicy::builder();
    let changed = changed.launch_template(launches.build()).build();
    let update = group.update().mixed_instances_policy(changed);
    update.send().await.unwrap();
    let after = policy().await;
    assert_eq!(version(&after), second);
    assert_eq!(
        after.instances_distribution(),
        before.instances_distribution()
    );
    let kinds = |policy: &scaling::MixedInstancesPolicy| {
        policy.launch_template().unwrap().overrides().to_vec()
    };
    assert_eq!((kinds(&after), kinds(&after).len()), (kinds(&before), 2));
    // A launch template in its stead
    let update = group.update().launch_template(template(cloud, "1"));
    update.send().await.unwrap();
    let now = group.now().await;
    assert_eq!(now.mixed_instances_policy(), None);
    assert_eq!(now.launch_template().unwrap().version(), Some("1"));
    group.gone().await;
}

pub(super) async fn lifecycle_policies_and_warm_pools_are_kept(cloud: &LocalCloud) {
    let policy = |action: scaling::RetentionAction| {
        let triggers = scaling::RetentionTriggers::builder();
        let triggers = triggers.terminate_hook_abandon(action).build();
        let policy = scaling::InstanceLifecyclePolicy::builder();
        policy.retention_triggers(triggers).build()
    };
    let retain = policy(scaling::RetentionAction::Retain);
    let retaining = Group::made_with(cloud, "kept", 0, |making| {
        making.instance_lifecycle_policy(retain.clone())
    });
    let group = retaining.await;
    assert_eq!(group.now().await.instance_lifecycle_policy(), Some(&retain));
    group.update().max_size(4).send().await.unwrap();
    assert_eq!(group.now().await.instance_lifecycle_policy(), Some(&retain));
    let terminate = policy(scaling::RetentionAction::Terminate);
    let update = group.update().instance_lifecycle_policy(terminate.clone());
    update.send().await.unwrap();
    assert_eq!(
        group.now().await.instance_lifecycle_policy(),
        Some(&terminate)
    );
    // A warm pool
    assert_eq!(group.now().await.warm_pool_configuration(), None);
    let pool = group
        .client()
        .put_warm_pool()
        .auto_scaling_group_name(group.name);
    let pool = pool.min_size(2).pool_state(scaling::WarmPoolState::Stopped);
    pool.send().await.unwrap();
    let described = group.client().describe_warm_pool();
    let described = described.auto_scaling_group_name(group.name);
    let described = described.send().await.unwrap();
    let configured = described.warm_pool_configuration().unwrap();
    assert_eq!(configured.min_size(), Some(2));
    let now = group.now().await;
    assert_eq!(now.warm_pool_configuration(), Some(configured));
    group.gone().await;
}

pub(super) async fn actions_and_policies_are_a_groups_own(cloud: &LocalCloud) {
    let groups = [
        Group::made(cloud, "evening-one", 0).await,
        Group::made(cloud, "evening-two", 0).await,
    ];
    for (group, size) in groups.iter().zip([1, 2]) {
        let action = group.client().put_scheduled_update_group_action();
        let action = action.auto_scaling_group_name(group.name);
        let action = action.scheduled_action_name("evening");
        action.desired_capacity(size).send().await.unwrap();
        let policy = group.client().put_scaling_policy();
        let policy = policy.auto_scaling_group_name(group.name);
        let policy = policy.policy_name("up").policy_type("SimpleScaling");
        let policy = policy.adjustment_type("ExactCapacity");
        policy.scaling_adjustment(size).send().await.unwrap();
    }
    for (group, size) in groups.iter().zip([1, 2]) {
        let actions = group.client().describe_scheduled_actions();
        let actions = actions.auto_scaling_group_name(group.name);
        let answer = actions.send().await.unwrap();
        let actions = answer.scheduled_update_group_actions().iter();
        let sizes: Vec<_> = actions.map(|it| it.desired_capacity()).collect();
        assert_eq!(sizes, [Some(size)]);
        let policies = group.client().describe_policies();
        let policies = policies.auto_scaling_group_name(group.name);
        let answer = policies.send().await.unwrap();
        let policies = answer.scaling_policies().iter();
        let sizes: Vec<_> = policies.map(|it| it.scaling_adjustment()).collect();
        assert_eq!(sizes, [Some(size)]);
    }
    for group in groups {
        group.gone().await;
    }
}

pub(super) async fn traffic_sources_are_the_target_groups(cloud: &LocalCloud) {
    let group = Group::made(cloud, "sources", 1).await;
    let described = async || {
        let call = group.client().describe_traffic_sources();
        let answer = call
            .auto_scaling_group_name(group.name)
            .send()
            .await
            .unwrap();
        let sources = answer.traffic_sources().iter();
        let sources = sources.map(|it| {
            (
                it.identifier().unwrap().to_owned(),
                it.r#type().unwrap().to_owned(),
            )
        });
        sources.collect::<Vec<_>>()
    };
    let of_the_group = async || {
        let now = group.now().await;
        let sources = now.traffic_sources().iter();
        let sources = sources.map(|it| {
            (
                it.identifier().unwrap().to_owned(),
                it.r#type().unwrap().to_owned(),
            )
        });
        (
            sources.collect::<Vec<_>>(),
            now.target_group_arns().to_vec(),
        )
    };
    let (b, c) = (cloud.world().b.arn.clone(), cloud.world().c.arn.clone());
    let one = vec![(c.clone(), "elbv2".to_owned())];
    assert_eq!(described().await, one);
    assert_eq!(of_the_group().await, (one, vec![c.clone()]));
    // One more is attached, by the other of the two calls, and takes the member
    let source = scaling::TrafficSourceIdentifier::builder()
        .identifier(&b)
        .build();
    let call = group.client().attach_traffic_sources();
    let call = call.auto_scaling_group_name(group.name);
    call.traffic_sources(source).send().await.unwrap();
    let both = vec![
        (c.clone(), "elbv2".to_owned()),
        (b.clone(), "elbv2".to_owned()),
    ];
    assert_eq!(described().await, both);
    assert_eq!(of_the_group().await, (both, vec![c, b.clone()]));
    let asking = cloud.clients().elb.describe_target_health();
    let answer = asking.target_group_arn(&b).send().await.unwrap();
    assert_eq!(answer.target_health_descriptions().len(), 1);
    // It leaves both
    group.desire(0).await;
    let asking = cloud.clients().elb.describe_target_health();
    let answer = asking.target_group_arn(&b).send().await.unwrap();
    assert_eq!(answer.target_health_descriptions(), []);
    group.gone().await;
}

pub(super) async fn what_cannot_be_is_refused(cloud: &LocalCloud) {
    let group = Group::made(cloud, "impossible", 0).await;
    let update = || group.update();
    let refusals: [(&str, UpdateAutoScalingGroupFluentBuilder); 6] = [
        ("desired above max", update().desired_capacity(6)),
        (
            "desired below min",
            update().min_size(2).desired_capacity(1),
        ),
        ("min above max", update().min_size(6)),
        (
            "no such version",
            update().launch_template(template(cloud, "99")),
        ),
        (
            "no version",
            update().launch_template(template(cloud, "newest")),
        ),
        (
            "no such version in a policy",
            update().mixed_instances_policy(mixed(cloud, "99")),
        ),
    ];
    for (what, call) in refusals {
        let refused = call.send().await.unwrap_err();
        assert_eq!(code(&refused), "ValidationError", "{what}");
    }
    let call = group.client().set_desired_capacity();
    let call = call.auto_scaling_group_name(group.name).desired_capacity(6);
    assert_eq!(code(&call.send().await.unwrap_err()), "ValidationError");
    let making = cloud.new_scaling_group("never", &cloud.world().c);
    let refused = making.clone().desired_capacity(1).send().await.unwrap_err();
    assert_eq!(code(&refused), "ValidationError");
    let making = making.launch_template(template(cloud, "99"));
    assert_eq!(code(&making.send().await.unwrap_err()), "ValidationError");
    // A new smallest size takes the desired capacity along, and so does a new largest one
    for (least, most, desired) in [(1, 5, 1), (0, 5, 1), (0, 0, 0)] {
        let call = group.update().min_size(least).max_size(most);
        call.send().await.unwrap();
        let now = group.now().await;
        let sizes = (now.min_size(), now.max_size(), now.desired_capacity());
        assert_eq!(sizes, (Some(least), Some(most), Some(desired)));
    }
    // A group with members is not deleted by accident
    group
        .update()
        .max_size(1)
        .desired_capacity(1)
        .send()
        .await
        .unwrap();
    let call = group.client().delete_auto_scaling_group();
    let call = call.auto_scaling_group_name(group.name);
    assert_eq!(code(&call.send().await.unwrap_err()), "ResourceInUse");
    group.gone().await;
}
