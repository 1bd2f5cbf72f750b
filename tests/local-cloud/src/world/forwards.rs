//! What carries the service's traffic: listeners and rules of one load balancer, each with a target group for every
//! environment.

use aws_sdk_elasticloadbalancingv2::types as elb;

use super::{Wanted, missing};
use crate::clients::Clients;
use crate::error::{Error, Result};

/// The first listener's port; the others have the next ones.
const PORT: i32 = 80;
/// The first environment's listener for tests.
const TEST_PORT: i32 = 8001;

/// A listener, or a listener's rule, whose forward action carries the service's traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The listener's or the rule's ARN.
    pub arn: String,
    /// Its target groups, in the order in which their environments take turns.
    pub groups: [TargetGroup; 3],
}

impl Forward {
    /// The ARNs of its target groups, in the environments' order.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.arn.as_str())
    }

    /// The API action that changes it.
    pub fn changed_by(&self) -> &'static str {
        if self.is_rule() {
            "ModifyRule"
        } else {
            "ModifyListener"
        }
    }

    pub(crate) fn is_rule(&self) -> bool {
        is_rule(&self.arn)
    }
}

/// Whether an ARN is a rule's, and no listener's.
pub(crate) fn is_rule(arn: &str) -> bool {
    arn.contains(":listener-rule/")
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name; the first listener's is also its environment's.
    pub name: String,
    /// Its ARN.
    pub arn: String,
}

/// Makes the load balancer with its listeners, then the first listener's rules. Each forwards to its first group; the
/// environments' listeners for tests, whose ARNs come beside, each to its environment's.
pub(super) async fn make(
    clients: &Clients,
    wanted: &Wanted<'_>,
    vpc: &str,
    subnets: &[String],
) -> Result<(Vec<Forward>, Vec<String>)> {
    let balancer = load_balancer(clients, wanted, subnets).await?;
    let mut forwards: Vec<Forward> = Vec::new();
    for (index, port) in (0..wanted.listeners.max(1)).zip(PORT..) {
        let groups = groups(clients, wanted, index, vpc).await?;
        let arn = listener(clients, wanted, &balancer, port, &groups[0].arn).await?;
        forwards.push(Forward { arn, groups });
    }
    let first = forwards[0].arn.clone();
    for (index, priority) in (forwards.len()..).zip(1..).take(wanted.rules) {
        let groups = groups(clients, wanted, index, vpc).await?;
        let arn = rule(clients, &first, priority, &groups[0].arn).await?;
        forwards.push(Forward { arn, groups });
    }
    let mut tests = Vec::new();
    let tested = forwards[0].groups.iter().filter(|_| wanted.tests);
    for (group, port) in tested.zip(TEST_PORT..) {
        tests.push(listener(clients, wanted, &balancer, port, &group.arn).await?);
    }
    Ok((forwards, tests))
}

/// Three groups: `tunnel-a` and so on for the first forward, `tunnel-a-2` for the second.
async fn groups(
    clients: &Clients,
    wanted: &Wanted<'_>,
    index: usize,
    vpc: &str,
) -> Result<[TargetGroup; 3]> {
    let number = match index {
        0 => String::new(),
        index => format!("-{}", index + 1),
    };
    let name = |letter: &str| format!("{}-{letter}{number}", wanted.service);
    Ok([
        target_group(clients, wanted, name("a"), vpc).await?,
        target_group(clients, wanted, name("b"), vpc).await?,
        target_group(clients, wanted, name("c"), vpc).await?,
    ])
}

/// Checks as quick as ELB takes them; moto is told to make them quicker still.
async fn target_group(
    clients: &Clients,
    wanted: &Wanted<'_>,
    name: String,
    vpc: &str,
) -> Result<TargetGroup> {
    let checked = match &wanted.machines {
        None => "traffic-port".to_owned(),
        Some((agent, _)) => agent.to_string(),
    };
    let made = clients
        .elb
        .create_target_group()
        .name(&name)
        .protocol(protocol(wanted))
        .health_check_protocol(elb::ProtocolEnum::Http)
        .health_check_port(checked)
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
    if wanted.machines.is_some() {
        set_for_agents(clients, arn).await?;
    }
    Ok(TargetGroup {
        name,
        arn: arn.to_owned(),
    })
}

fn protocol(wanted: &Wanted<'_>) -> elb::ProtocolEnum {
    match wanted.machines {
        None => elb::ProtocolEnum::Http,
        Some(_) => elb::ProtocolEnum::Tcp,
    }
}

/// What the plan demands of a group whose servers have agents, see docs/agent.md.
async fn set_for_agents(clients: &Clients, group: &str) -> Result<()> {
    let off = elb::TargetGroupAttribute::builder()
        .key("target_health_state.unhealthy.connection_termination.enabled")
        .value("false")
        .build();
    let setting = clients.elb.modify_target_group_attributes();
    let set = setting.target_group_arn(group).attributes(off).send().await;
    set.map_err(Error::aws("ModifyTargetGroupAttributes"))?;
    Ok(())
}

async fn load_balancer(
    clients: &Clients,
    wanted: &Wanted<'_>,
    subnets: &[String],
) -> Result<String> {
    let making = clients.elb.create_load_balancer().name(wanted.service);
    let kind = match wanted.machines {
        None => elb::LoadBalancerTypeEnum::Application,
        Some(_) => elb::LoadBalancerTypeEnum::Network,
    };
    let making = making.set_subnets(Some(subnets.to_vec())).r#type(kind);
    let made = making
        .send()
        .await
        .map_err(Error::aws("CreateLoadBalancer"))?;
    let balancer = made.load_balancers().first();
    let arn = balancer
        .and_then(|balancer| balancer.load_balancer_arn())
        .map(ToOwned::to_owned)
        .ok_or_else(|| missing("CreateLoadBalancer", "an ARN"))?;
    if wanted.machines.is_some() {
        cross_zones(clients, &arn).await?;
    }
    Ok(arn)
}

/// An ALB's nodes send to targets in every zone; an NLB's do where that is set, and a plan demands it.
async fn cross_zones(clients: &Clients, balancer: &str) -> Result<()> {
    let on = elb::LoadBalancerAttribute::builder()
        .key("load_balancing.cross_zone.enabled")
        .value("true")
        .build();
    let setting = clients.elb.modify_load_balancer_attributes();
    let set = setting.load_balancer_arn(balancer).attributes(on).send();
    let set = set.await;
    set.map_err(Error::aws("ModifyLoadBalancerAttributes"))?;
    Ok(())
}

async fn listener(
    clients: &Clients,
    wanted: &Wanted<'_>,
    balancer: &str,
    port: i32,
    group: &str,
) -> Result<String> {
    let made = clients
        .elb
        .create_listener()
        .load_balancer_arn(balancer)
        .protocol(protocol(wanted))
        .port(port)
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

/// A rule for a host name of its own.
async fn rule(clients: &Clients, listener: &str, priority: i32, group: &str) -> Result<String> {
    let names = elb::HostHeaderConditionConfig::builder();
    let names = names.values(format!("rule-{priority}.example.com")).build();
    let condition = elb::RuleCondition::builder()
        .field("host-header")
        .host_header_config(names)
        .build();
    let made = clients
        .elb
        .create_rule()
        .listener_arn(listener)
        .priority(priority)
        .conditions(condition)
        .actions(forward(&[(group, 100)]))
        .send()
        .await
        .map_err(Error::aws("CreateRule"))?;
    made.rules()
        .first()
        .and_then(|rule| rule.rule_arn())
        .map(ToOwned::to_owned)
        .ok_or_else(|| missing("CreateRule", "an ARN"))
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
