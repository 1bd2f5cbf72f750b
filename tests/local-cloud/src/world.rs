//! The service as AWS would hold it before its first deployment by Ebbtide: network, launch template, load balancer
//! with three target groups, and blue's instances.
//!
//! All of it in moto, made once per cloud. The subnets are loopback networks, so that each instance's private address
//! is one that a server process on this machine can listen on.

use aws_sdk_ec2::types::{RequestLaunchTemplateData, ResourceType, Tag, TagSpecification};
use aws_sdk_elasticloadbalancingv2::types as elb;

use crate::clients::Clients;
use crate::error::{Error, Result};

/// What [`World::make`] makes.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The service's name, in tags and as the prefix of the target groups' names.
    pub service: &'a str,
    /// Port of the servers' public side, that the load balancer forwards to and checks.
    pub service_port: u16,
    /// How many blue instances.
    pub blue: usize,
}

/// Ids and ARNs of what was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The listener whose forward action carries the service's traffic.
    pub listener_arn: String,
    /// The target group that is blue at the start: name and ARN.
    pub a: TargetGroup,
    /// The one that is green first.
    pub b: TargetGroup,
    /// The one after it.
    pub c: TargetGroup,
    /// The launch template that instances come from.
    pub launch_template: String,
    /// Three subnets: 127.0.10.0/24, 127.0.20.0/24 and 127.0.30.0/24.
    pub subnets: Vec<String>,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name, which is also its environment's.
    pub name: String,
    /// Its ARN.
    pub arn: String,
}

impl World {
    /// Makes everything and starts blue's instances.
    ///
    /// # Errors
    /// If moto refuses a call.
    pub async fn make(clients: &Clients, wanted: &Wanted<'_>) -> Result<Self> {
        let (vpc, subnets) = network(clients).await?;
        let launch_template = launch_template(clients, wanted.service).await?;
        let a = target_group(clients, wanted, "a", &vpc).await?;
        let b = target_group(clients, wanted, "b", &vpc).await?;
        let c = target_group(clients, wanted, "c", &vpc).await?;
        let world = Self {
            listener_arn: listener(clients, wanted.service, &subnets, &a.arn).await?,
            a,
            b,
            c,
            launch_template,
            subnets,
        };
        for index in 0..wanted.blue {
            world.launch_blue(clients, wanted.service, index).await?;
        }
        Ok(world)
    }

    /// The target groups, in the order in which their environments take turns.
    pub fn groups(&self) -> [&TargetGroup; 3] {
        [&self.a, &self.b, &self.c]
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
        clients
            .elb
            .register_targets()
            .target_group_arn(&self.a.arn)
            .targets(elb::TargetDescription::builder().id(id).build())
            .send()
            .await
            .map_err(Error::aws("RegisterTargets"))?;
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

async fn network(clients: &Clients) -> Result<(String, Vec<String>)> {
    let made = clients
        .ec2
        .create_vpc()
        .cidr_block("127.0.0.0/16")
        .send()
        .await
        .map_err(Error::aws("CreateVpc"))?;
    let vpc = made
        .vpc()
        .and_then(|vpc| vpc.vpc_id())
        .ok_or_else(|| missing("CreateVpc", "an id"))?
        .to_owned();
    let mut subnets = Vec::new();
    for (block, zone) in [
        ("127.0.10.0/24", "a"),
        ("127.0.20.0/24", "b"),
        ("127.0.30.0/24", "c"),
    ] {
        let made = clients
            .ec2
            .create_subnet()
            .vpc_id(&vpc)
            .cidr_block(block)
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

async fn launch_template(clients: &Clients, service: &str) -> Result<String> {
    let made = clients
        .ec2
        .create_launch_template()
        .launch_template_name(service)
        .launch_template_data(template_data(""))
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

/// Checks as quick as ELB takes them; moto is told to make them quicker still.
async fn target_group(
    clients: &Clients,
    wanted: &Wanted<'_>,
    letter: &str,
    vpc: &str,
) -> Result<TargetGroup> {
    let name = format!("{}-{letter}", wanted.service);
    let made = clients
        .elb
        .create_target_group()
        .name(&name)
        .protocol(elb::ProtocolEnum::Http)
        .port(i32::from(wanted.service_port))
        .vpc_id(vpc)
        .health_check_path("/health")
        .health_check_interval_seconds(5)
        .health_check_timeout_seconds(2)
        .healthy_threshold_count(2)
        .unhealthy_threshold_count(2)
        .send()
        .await
        .map_err(Error::aws("CreateTargetGroup"))?;
    let arn = made
        .target_groups()
        .first()
        .and_then(|group| group.target_group_arn())
        .ok_or_else(|| missing("CreateTargetGroup", "an ARN"))?;
    Ok(TargetGroup {
        name,
        arn: arn.to_owned(),
    })
}

async fn listener(
    clients: &Clients,
    service: &str,
    subnets: &[String],
    group: &str,
) -> Result<String> {
    let made = clients
        .elb
        .create_load_balancer()
        .name(service)
        .set_subnets(Some(subnets.to_vec()))
        .send()
        .await
        .map_err(Error::aws("CreateLoadBalancer"))?;
    let balancer = made
        .load_balancers()
        .first()
        .and_then(|balancer| balancer.load_balancer_arn())
        .ok_or_else(|| missing("CreateLoadBalancer", "an ARN"))?;
    let made = clients
        .elb
        .create_listener()
        .load_balancer_arn(balancer)
        .protocol(elb::ProtocolEnum::Http)
        .port(80)
        .default_actions(forward(&[(group, 100)]))
        .send()
        .await
        .map_err(Error::aws("CreateListener"))?;
    made.listeners()
        .first()
        .and_then(|listener| listener.listener_arn())
        .map(ToOwned::to_owned)
        .ok_or_else(|| missing("CreateListener", "an ARN"))
}

/// A forward action with these weights.
pub(crate) fn forward(groups: &[(&str, i32)]) -> elb::Action {
    let groups = groups
        .iter()
        .map(|(arn, weight)| {
            elb::TargetGroupTuple::builder()
                .target_group_arn(*arn)
                .weight(*weight)
                .build()
        })
        .collect();
    elb::Action::builder()
        .r#type(elb::ActionTypeEnum::Forward)
        .forward_config(
            elb::ForwardActionConfig::builder()
                .set_target_groups(Some(groups))
                .build(),
        )
        .build()
}

pub(crate) fn missing(call: &str, what: &str) -> Error {
    Error::Aws {
        call: call.to_owned(),
        why: format!("the answer lacks {what}"),
    }
}
