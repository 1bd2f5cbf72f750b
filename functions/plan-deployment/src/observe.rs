//! What the preflight looks at: the listener, every group, blue's instances and the launch template.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_aws::{Cloud, CloudError};
use ebbtide_rules::Server;
use ebbtide_rules::input::Input;
use ebbtide_rules::observed::{DEPLOYMENT_TAG, Instance, InstanceState};
use ebbtide_rules::plan::{Group, Hazards, Observation, Template};
use ebbtide_rules::record::Record;
use ebbtide_rules::roles::roles;
use ebbtide_rules::settings::Settings;

/// Reads all of it; changes nothing.
pub(crate) async fn observe(
    cloud: &Cloud,
    settings: &Settings,
    input: &Input,
    record: &Record,
    deployment: &str,
) -> Result<Observation, CloudError> {
    let forward = cloud.listener.read().await?.forward;
    let balancer = cloud.listener.load_balancer().await?;
    let other_forwards = cloud.listener.other_forwards(&balancer).await?;
    let mut groups = Vec::new();
    let mut instances = BTreeMap::new();
    for (index, arn) in settings.target_groups.iter().enumerate() {
        let (mut group, registered) = group(cloud, arn).await?;
        let own = settings.auto_scaling_groups.get(index);
        group.environment.auto_scaling_group = own.cloned();
        groups.push(group);
        instances.insert(arn, registered);
    }
    // Without clear roles there is no plan, and nobody asks whose instances these are.
    let roles = roles(&forward, &settings.target_groups, &record.retiring).ok();
    let own_group = |arn: Option<&String>| -> Option<String> {
        let arn = arn?;
        let group = groups.iter().find(|group| group.environment.has(arn))?;
        group.environment.auto_scaling_group.clone()
    };
    let blue_group = own_group(roles.as_ref().map(|roles| &roles.blue));
    let green_group = own_group(roles.as_ref().map(|roles| &roles.green));
    let mut of = |arn: Option<&String>| arn.and_then(|arn| instances.remove(arn));
    let blue = of(roles.as_ref().map(|roles| &roles.blue)).unwrap_or_default();
    let green = of(roles.as_ref().map(|roles| &roles.green)).unwrap_or_default();
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
        forward,
        balancer,
        groups,
        retiring: record.retiring.clone(),
        other_forwards,
        blue_subnets: blue.iter().filter_map(|it| it.subnet.clone()).collect(),
        blue_servers: blue.iter().filter_map(server).collect(),
        hazards,
        configured_template,
        own_green: green.iter().filter(own).map(|it| it.id.clone()).collect(),
        configured_subnets: settings.subnets.clone(),
        template,
        passes_role: settings.passes_role,
        alarms: cloud.alarms.spans(watched(settings, input)).await?,
    })
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
