//! What EC2 and ELB say now: the one thing that polls moto, for the host and those who watch.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{Action, TargetHealthStateEnum};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::error::{Error, Result};
use crate::world::is_rule;

/// How often EC2 and ELB are asked: answering costs moto, and reading costs us, more than anything else that runs here.
pub const EVERY: Duration = Duration::from_millis(500);

/// An instance as EC2 describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// Its private address, a loopback one here.
    pub ip: Ipv4Addr,
    /// `pending`, `running`, `shutting-down`, `terminated`, …
    pub state: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// Whether its server process is to run.
    pub fn is_up(&self) -> bool {
        self.state == "running"
    }

    /// The environment that it is tagged for.
    pub fn environment(&self) -> Option<&str> {
        self.tags.get("ebbtide:environment").map(String::as_str)
    }
}

/// A target group in the forward action of a listener or rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// The listener's or the rule's ARN.
    pub of: String,
    /// The target group's ARN.
    pub group: String,
    /// Its weight, 0 to 999.
    pub weight: u32,
    /// The instances registered in it that are healthy, in order.
    pub healthy: Vec<String>,
    /// All instances registered in it, each with its health.
    pub health: BTreeMap<String, String>,
}

/// Everything that was seen in one poll.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// All instances that EC2 knows, terminated ones included.
    pub instances: Vec<Instance>,
    /// The forward actions, one after the other.
    pub forwarding: Vec<Forwarding>,
}

impl Observation {
    /// Asks EC2, and ELB about these listeners and rules.
    ///
    /// # Errors
    /// If one of them does not answer.
    pub async fn make(clients: &Clients, forwards: &[String]) -> Result<Self> {
        let forwarding = forwards.iter().map(|arn| forwarding(clients, arn));
        let forwarding = futures_util::future::try_join_all(forwarding);
        let (instances, forwarding) = tokio::try_join!(instances(clients), forwarding)?;
        Ok(Self {
            instances,
            forwarding: forwarding.concat(),
        })
    }

    /// A target group as it is forwarded to; `None` if it is in no forward action.
    pub fn group(&self, group: &str) -> Option<&Forwarding> {
        self.forwarding.iter().find(|it| it.group == group)
    }

    /// A target group's weight; `None` if it is in no forward action.
    pub fn weight(&self, group: &str) -> Option<u32> {
        self.group(group).map(|forwarding| forwarding.weight)
    }
}

/// Asks every [`EVERY`] and publishes, until stopped. A poll that fails is dropped: what was seen before stays.
pub async fn publish(
    clients: Clients,
    forwards: Vec<String>,
    sender: watch::Sender<Observation>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match Observation::make(&clients, &forwards).await {
            Ok(seen) => {
                sender.send_if_modified(|last| {
                    let changed = *last != seen;
                    *last = seen;
                    changed
                });
            }
            Err(error) => tracing::warn!(%error, "polling moto failed"),
        }
    }
}

/// All instances that EC2 knows, terminated ones included.
///
/// # Errors
/// If EC2 does not answer.
pub async fn instances(clients: &Clients) -> Result<Vec<Instance>> {
    let answer = clients
        .ec2
        .describe_instances()
        .send()
        .await
        .map_err(Error::aws("DescribeInstances"))?;
    let described = answer
        .reservations()
        .iter()
        .flat_map(|reservation| reservation.instances());
    Ok(described.filter_map(instance).collect())
}

/// An instance without id or address is none: moto gives both from the start.
fn instance(described: &aws_sdk_ec2::types::Instance) -> Option<Instance> {
    let tags = described.tags().iter();
    Some(Instance {
        id: described.instance_id()?.to_owned(),
        ip: described
            .private_ip_address()
            .and_then(|ip| ip.parse().ok())
            .unwrap_or(Ipv4Addr::UNSPECIFIED),
        state: described.state()?.name()?.as_str().to_owned(),
        tags: tags
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
            .collect(),
    })
}

/// The groups that the forward action of a listener or rule names, each with its weight: one call, no health.
///
/// # Errors
/// If Elastic Load Balancing does not answer.
pub async fn action(clients: &Clients, arn: &str) -> Result<BTreeMap<String, u32>> {
    let named = named(clients, arn).await?;
    Ok(named.into_iter().collect())
}

async fn named(clients: &Clients, arn: &str) -> Result<Vec<(String, u32)>> {
    let actions = if is_rule(arn) {
        actions_of_rule(clients, arn).await?
    } else {
        actions_of_listener(clients, arn).await?
    };
    Ok(actions.iter().flat_map(weights).collect())
}

async fn actions_of_listener(clients: &Clients, arn: &str) -> Result<Vec<Action>> {
    let asking = clients.elb.describe_listeners().listener_arns(arn);
    let answer = asking
        .send()
        .await
        .map_err(Error::aws("DescribeListeners"))?;
    let listeners = answer.listeners.into_iter().flatten();
    Ok(listeners
        .flat_map(|it| it.default_actions.unwrap_or_default())
        .collect())
}

async fn actions_of_rule(clients: &Clients, arn: &str) -> Result<Vec<Action>> {
    let asking = clients.elb.describe_rules().rule_arns(arn);
    let answer = asking.send().await.map_err(Error::aws("DescribeRules"))?;
    let rules = answer.rules.into_iter().flatten();
    Ok(rules
        .flat_map(|it| it.actions.unwrap_or_default())
        .collect())
}

async fn forwarding(clients: &Clients, arn: &str) -> Result<Vec<Forwarding>> {
    let mut forwarding = Vec::new();
    for (group, weight) in named(clients, arn).await? {
        let health = health(clients, &group).await?;
        forwarding.push(Forwarding {
            of: arn.to_owned(),
            healthy: health
                .iter()
                .filter(|(_, state)| *state == TargetHealthStateEnum::Healthy.as_str())
                .map(|(id, _)| id.clone())
                .collect(),
            group,
            weight,
            health,
        });
    }
    Ok(forwarding)
}

/// Groups and weights of a forward action, in either of its two spellings.
fn weights(action: &Action) -> Vec<(String, u32)> {
    let groups = action
        .forward_config()
        .map(|forward| forward.target_groups())
        .unwrap_or_default();
    if groups.is_empty() {
        return action
            .target_group_arn()
            .map(|group| (group.to_owned(), 1))
            .into_iter()
            .collect();
    }
    let weight = |weight: i32| u32::try_from(weight).unwrap_or(0);
    groups
        .iter()
        .filter_map(|group| {
            Some((
                group.target_group_arn()?.to_owned(),
                weight(group.weight().unwrap_or(1)),
            ))
        })
        .collect()
}

async fn health(clients: &Clients, group: &str) -> Result<BTreeMap<String, String>> {
    let answer = clients
        .elb
        .describe_target_health()
        .target_group_arn(group)
        .send()
        .await
        .map_err(Error::aws("DescribeTargetHealth"))?;
    let described = answer.target_health_descriptions().iter();
    Ok(described
        .filter_map(|target| {
            Some((
                target.target()?.id()?.to_owned(),
                target.target_health()?.state()?.as_str().to_owned(),
            ))
        })
        .collect())
}
