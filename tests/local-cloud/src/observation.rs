//! What EC2 and ELB say now: the one thing that polls moto, for the host and those who watch.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::Action;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clients::Clients;
use crate::error::{Error, Result};
use crate::moto::Moto;
use crate::world::is_rule;

/// How often moto is asked.
const EVERY: Duration = Duration::from_millis(500);

/// An instance as EC2 describes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Observation {
    /// All instances that EC2 knows, terminated ones included.
    pub instances: Vec<Instance>,
    /// The forward actions, one after the other.
    pub forwarding: Vec<Forwarding>,
}

impl Observation {
    /// What moto knows of the instances, and of these listeners and rules: by a way of its own, since the same by the API,
    /// again and again, was a third of all that a local cloud computed.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn make(moto: &Moto, forwards: &[String]) -> Result<Self> {
        moto.ask("seen", &json!({ "forwards": forwards })).await
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
pub(crate) async fn publish(
    moto: Moto,
    forwards: Vec<String>,
    sender: watch::Sender<Observation>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match Observation::make(&moto, &forwards).await {
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
