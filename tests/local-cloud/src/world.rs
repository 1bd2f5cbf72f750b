//! The service as AWS would hold it before its first deployment by Ebbtide: network, launch template, load balancer
//! with three target groups for each of its forwards, and blue's instances.
//!
//! All of it in moto, made once per cloud. The subnets are loopback networks, so that each instance's private address
//! is one that a server process on this machine can listen on, unless each instance is a machine of its own.

use aws_sdk_ec2::types::{RequestLaunchTemplateData, ResourceType, Tag, TagSpecification};
use aws_sdk_elasticloadbalancingv2::types as elb;

use crate::clients::Clients;
use crate::error::{Error, Result};

mod forwards;

pub use forwards::{Forward, TargetGroup};
pub(crate) use forwards::{forward, is_rule};

/// What [`World::make`] makes.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The service's name, in tags and as the prefix of the target groups' names.
    pub service: &'a str,
    /// Port of the servers' public side, that the load balancer forwards to and checks.
    pub service_port: u16,
    /// How many blue instances.
    pub blue: usize,
    /// How many listeners carry the service's traffic; one at least.
    pub listeners: usize,
    /// How many rules of the first listener do, besides it.
    pub rules: usize,
    /// Whether each environment has a listener for tests, besides.
    pub tests: bool,
    /// Where an agent answers for each server, where they are machines of their own: the port, and their user data. A Network
    /// Load Balancer stands before them.
    pub machines: Option<(u16, String)>,
}

/// Ids and ARNs of what was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The first listener whose forward action carries the service's traffic.
    pub listener_arn: String,
    /// Its target group that is blue at the start.
    pub a: TargetGroup,
    /// The one that is green first.
    pub b: TargetGroup,
    /// The one after it.
    pub c: TargetGroup,
    /// The other listeners that carry the service's traffic, then the rules.
    pub further: Vec<Forward>,
    /// The environments' listeners for tests, by ARN.
    pub tests: Vec<String>,
    /// The launch template that instances come from.
    pub launch_template: String,
    /// Three subnets: 127.0.10.0/24, 127.0.20.0/24 and 127.0.30.0/24; of machines, those of 10.0.0.0/16.
    pub subnets: Vec<String>,
}

impl World {
    /// Makes everything and starts blue's instances.
    ///
    /// # Errors
    /// If moto refuses a call.
    pub async fn make(clients: &Clients, wanted: &Wanted<'_>) -> Result<Self> {
        let (net, user_data) = match &wanted.machines {
            None => (127, ""),
            Some((_, user_data)) => (10, user_data.as_str()),
        };
        let (vpc, subnets) = network(clients, net).await?;
        let launch_template = launch_template(clients, wanted.service, user_data).await?;
        let (mut forwards, tests) = forwards::make(clients, wanted, &vpc, &subnets).await?;
        let Forward {
            arn: listener_arn,
            groups: [a, b, c],
        } = forwards.remove(0);
        let world = Self {
            listener_arn,
            a,
            b,
            c,
            further: forwards,
            tests,
            launch_template,
            subnets,
        };
        for index in 0..wanted.blue {
            world.launch_blue(clients, wanted.service, index).await?;
        }
        Ok(world)
    }

    /// The first listener's target groups, in the order in which their environments take turns.
    pub fn groups(&self) -> [&TargetGroup; 3] {
        [&self.a, &self.b, &self.c]
    }

    /// All that carries the service's traffic: the listeners, then the rules.
    pub fn forwards(&self) -> Vec<Forward> {
        let first = Forward {
            arn: self.listener_arn.clone(),
            groups: self.groups().map(Clone::clone),
        };
        let further = self.further.iter().cloned();
        std::iter::once(first).chain(further).collect()
    }

    /// The ARNs of an environment's target groups, one for each forward; the first one says which environment.
    pub fn groups_of(&self, environment: &TargetGroup) -> Vec<String> {
        let forwards = self.forwards();
        let place = forwards[0].groups.iter().position(|it| it == environment);
        let groups = |place: usize| forwards.iter().map(move |it| it.groups[place].arn.clone());
        place.into_iter().flat_map(groups).collect()
    }

    async fn launch_blue(&self, clients: &Clients, service: &str, index: usize) -> Result<()> {
        let tags = [
            ("Name", self.a.name.as_str()),
            ("ebbtide:service", service),
            ("ebbtide:environment", self.a.name.as_str()),
        ];
        let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
        let template = aws_sdk_ec2::types::LaunchTemplateSpecification::builder()
            .launch_template_id(&self.launch_template)
            .version("1");
        let launched = clients
            .ec2
            .run_instances()
            .launch_template(template.build())
            .subnet_id(&self.subnets[index % self.subnets.len()])
            .tag_specifications(
                TagSpecification::builder()
                    .resource_type(ResourceType::Instance)
                    .set_tags(Some(tags.to_vec()))
                    .build(),
            )
            .min_count(1)
            .max_count(1)
            .send()
            .await
            .map_err(Error::aws("RunInstances"))?;
        let id = launched
            .instances()
            .first()
            .and_then(|instance| instance.instance_id())
            .ok_or_else(|| missing("RunInstances", "an instance"))?;
        self.register_with_blue(clients, &[id]).await
    }

    /// Registers instances in all of blue's target groups.
    ///
    /// # Errors
    /// If moto refuses.
    pub(crate) async fn register_with_blue(&self, clients: &Clients, ids: &[&str]) -> Result<()> {
        let target = |id: &&str| elb::TargetDescription::builder().id(*id).build();
        for group in self.groups_of(&self.a) {
            let registering = clients.elb.register_targets().target_group_arn(group);
            let registering = registering.set_targets(Some(ids.iter().map(target).collect()));
            let registered = registering.send().await;
            registered.map_err(Error::aws("RegisterTargets"))?;
        }
        Ok(())
    }

    /// Adds a version to the launch template, as a user does before a deployment; `user_data` tells the host what to
    /// start, see [`crate::host::ServerProgram::of_user_data`]. Returns the version's number.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn add_version(&self, clients: &Clients, user_data: &str) -> Result<i64> {
        self.add_version_of(clients, template_data(user_data)).await
    }

    /// Adds a version of just this data, whatever AWS would make of a launch from it.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn add_version_of(
        &self,
        clients: &Clients,
        data: RequestLaunchTemplateData,
    ) -> Result<i64> {
        let made = clients
            .ec2
            .create_launch_template_version()
            .launch_template_id(&self.launch_template)
            .launch_template_data(data)
            .send()
            .await
            .map_err(Error::aws("CreateLaunchTemplateVersion"))?;
        made.launch_template_version()
            .and_then(|version| version.version_number())
            .ok_or_else(|| missing("CreateLaunchTemplateVersion", "a number"))
    }
}

/// A VPC with three subnets; `net` is the first byte of every address.
async fn network(clients: &Clients, net: u8) -> Result<(String, Vec<String>)> {
    let made = clients
        .ec2
        .create_vpc()
        .cidr_block(format!("{net}.0.0.0/16"))
        .send()
        .await
        .map_err(Error::aws("CreateVpc"))?;
    let vpc = made
        .vpc()
        .and_then(|vpc| vpc.vpc_id())
        .ok_or_else(|| missing("CreateVpc", "an id"))?
        .to_owned();
    let mut subnets = Vec::new();
    for (block, zone) in [(10, "a"), (20, "b"), (30, "c")] {
        let made = clients
            .ec2
            .create_subnet()
            .vpc_id(&vpc)
            .cidr_block(format!("{net}.0.{block}.0/24"))
            .availability_zone(format!("{}{zone}", crate::REGION))
            .send()
            .await
            .map_err(Error::aws("CreateSubnet"))?;
        let id = made
            .subnet()
            .and_then(|subnet| subnet.subnet_id())
            .ok_or_else(|| missing("CreateSubnet", "an id"))?;
        subnets.push(id.to_owned());
    }
    Ok((vpc, subnets))
}

async fn launch_template(clients: &Clients, service: &str, user_data: &str) -> Result<String> {
    let made = clients
        .ec2
        .create_launch_template()
        .launch_template_name(service)
        .launch_template_data(template_data(user_data))
        .send()
        .await
        .map_err(Error::aws("CreateLaunchTemplate"))?;
    made.launch_template()
        .and_then(|template| template.launch_template_id())
        .map(ToOwned::to_owned)
        .ok_or_else(|| missing("CreateLaunchTemplate", "an id"))
}

/// Any image id will do: the host starts a process whatever the image.
fn template_data(user_data: &str) -> RequestLaunchTemplateData {
    RequestLaunchTemplateData::builder()
        .image_id("ami-12c6146b")
        .instance_type(aws_sdk_ec2::types::InstanceType::T3Micro)
        .set_user_data((!user_data.is_empty()).then(|| aws_smithy_types::base64::encode(user_data)))
        .build()
}

pub(crate) fn missing(call: &str, what: &str) -> Error {
    Error::Aws {
        call: call.to_owned(),
        why: format!("the answer lacks {what}"),
    }
}
