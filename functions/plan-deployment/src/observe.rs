//! What the preflight looks at: the listeners, every group, blue's instances and the launch template.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_aws::{Cloud, CloudError, union};
use ebbtide_rules::input::Input;
use ebbtide_rules::observed::{DEPLOYMENT_TAG, Instance, InstanceState, Listener};
use ebbtide_rules::plan::{
    Balancer, Group, Hazards, Observation, OtherForward, Template, alarm_prefix,
};
use ebbtide_rules::record::Record;
use ebbtide_rules::roles::roles;
use ebbtide_rules::settings::Settings;
use ebbtide_rules::{Environment, Server};

/// Reads all of it; changes nothing.
pub(crate) async fn observe(
    cloud: &Cloud,
    settings: &Settings,
    input: &Input,
    record: &Record,
    deployment: &str,
) -> Result<Observation, CloudError> {
    let (listeners, balancers) = listeners(cloud, settings).await?;
    let other_forwards = other_forwards(cloud, settings, &balancers).await?;
    let mut groups = Vec::new();
    let mut instances = BTreeMap::new();
    for environment in &settings.environments {
        let mut registered = Vec::new();
        for arn in &environment.target_group_arns {
            let (group, instances) = group(cloud, arn).await?;
            groups.push(group);
            registered = union(registered, instances);
        }
        instances.insert(&environment.name, registered);
    }
    // Without clear roles there is no plan, and nobody asks whose instances these are.
    let roles = roles(&listeners, &settings.environments, &record.retiring).ok();
    let blue_environment = roles.as_ref().map(|roles| &roles.blue);
    let green_environment = roles.as_ref().map(|roles| &roles.green);
    let own_group = |of: Option<&Environment>| of.and_then(|it| it.auto_scaling_group.clone());
    let (blue_group, green_group) = (own_group(blue_environment), own_group(green_environment));
    let mut of = |it: Option<&Environment>| instances.remove(&it?.name);
    let blue = of(blue_environment).unwrap_or_default();
    let green = of(green_environment).unwrap_or_default();
    let blue: Vec<Instance> = blue.into_iter().filter(Instance::is_live).collect();
    let requested = input
        .launch_template_version
        .clone()
        .unwrap_or_else(|| "$Latest".to_owned());
    let hazards = hazards(cloud, &blue, blue_group, green_group).await?;
    let configured_template = settings.launch_template.clone();
    let its_own = hazards
        .green_fleet
        .as_ref()
        .and_then(|it| it.template.clone());
    let template = its_own.or_else(|| configured_template.clone());
    let template = match &template {
        Some(template) => cloud.templates.resolve(template, &requested).await?,
        None => no_template(&requested),
    };
    let own = |it: &&Instance| it.tag(DEPLOYMENT_TAG) == Some(deployment);
    Ok(Observation {
        listeners,
        balancers,
        environments: settings.environments.clone(),
        groups,
        retiring: record.retiring.clone(),
        other_forwards,
        tests: settings.tests.clone(),
        blue_subnets: blue.iter().filter_map(|it| it.subnet.clone()).collect(),
        blue_servers: blue.iter().filter_map(server).collect(),
        hazards,
        configured_template,
        own_green: green.iter().filter(own).map(|it| it.id.clone()).collect(),
        configured_subnets: settings.subnets.clone(),
        template,
        passes_role: settings.passes_role,
        alarms: cloud.alarms.spans(watched(settings, input)).await?,
        firing: cloud.alarms.firing(&alarm_prefix(&cloud.service)).await?,
    })
}

/// The listeners and rules with their live actions, and the load balancer of each.
async fn listeners(
    cloud: &Cloud,
    settings: &Settings,
) -> Result<(Vec<Listener>, Vec<Balancer>), CloudError> {
    let (mut listeners, mut balancers) = (Vec::new(), Vec::new());
    for arn in &settings.listeners {
        let listener = cloud.listener(arn);
        listeners.push(Listener {
            arn: arn.clone(),
            forward: listener.read().await?.forward,
        });
        balancers.push(listener.load_balancer().await?);
    }
    Ok((listeners, balancers))
}

/// Of each load balancer once, however many of the listeners are its.
async fn other_forwards(
    cloud: &Cloud,
    settings: &Settings,
    balancers: &[Balancer],
) -> Result<Vec<OtherForward>, CloudError> {
    let (mut found, mut asked) = (Vec::new(), BTreeSet::new());
    for (arn, balancer) in settings.listeners.iter().zip(balancers) {
        if asked.insert(&balancer.arn) {
            let listener = cloud.listener(arn);
            found.extend(
                listener
                    .other_forwards(balancer, &settings.listeners)
                    .await?,
            );
        }
    }
    Ok(found)
}

/// The alarms that the deployment would watch.
fn watched<'a>(settings: &'a Settings, input: &'a Input) -> &'a [String] {
    let asked = input.alarms.as_ref();
    asked.unwrap_or(&settings.defaults.alarms)
}

/// An instance without an address stops the plan; see [`Hazards`].
fn server(instance: &Instance) -> Option<Server> {
    Some(Server {
        instance: instance.id.clone(),
        ip: instance.ip.clone()?,
    })
}

/// Of a group without a template, which is refused for that.
fn no_template(requested: &str) -> Template {
    Template {
        id: String::new(),
        requested: requested.to_owned(),
        version: None,
    }
}

async fn hazards(
    cloud: &Cloud,
    blue: &[Instance],
    blue_group: Option<String>,
    green_group: Option<String>,
) -> Result<Hazards, CloudError> {
    let ids: Vec<String> = blue.iter().map(|it| it.id.clone()).collect();
    let protection = cloud.instances.protection(&ids).await?;
    let groups = cloud.auto_scaling.groups_of(&ids).await?;
    let names: BTreeSet<String> = groups
        .into_iter()
        .map(|it| it.name)
        .chain(blue_group)
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    let green_group: Vec<String> = green_group.into_iter().collect();
    let green_fleet = cloud.fleets.of(&green_group, &cloud.service).await?.pop();
    let spot = cloud.instances.spot(&ids).await?;
    let no_address = blue.iter().filter(|it| it.ip.is_none());
    Ok(Hazards {
        protected: protection.protected,
        unread: protection.unread,
        spot: spot.instances,
        persistent: spot.persistent,
        no_address: no_address.map(|it| it.id.clone()).collect(),
        fleets: cloud.fleets.of(&names, &cloud.service).await?,
        green_fleet,
    })
}

/// A group with its targets, without those whose instance is gone, and the instances of those that are registered.
async fn group(cloud: &Cloud, arn: &str) -> Result<(Group, Vec<Instance>), CloudError> {
    let mut group = cloud.groups.describe(arn).await?;
    let mut targets = cloud.groups.targets(arn).await?;
    let ids: Vec<String> = targets
        .iter()
        .filter(|it| it.registered)
        .map(|it| it.instance.clone())
        .collect();
    let instances = cloud.instances.by_ids(&ids).await?;
    let gone = |id: &str| {
        instances
            .iter()
            .any(|it| it.id == id && it.state == InstanceState::Terminated)
    };
    targets.retain(|target| !gone(&target.instance));
    group.targets = targets;
    Ok((group, instances))
}
