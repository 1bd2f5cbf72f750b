//! The Lambda `drain-idle`: gives every retiring server that answers its standing order to close idle sessions.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::drain`, acts by ordering, and confirms by
//! counting only the orders that were taken. It does nothing until the load balancer has settled. A repeat renews the
//! lease and changes nothing else. What servers do wrong is data; it fails only when a newer deployment owns one.

use std::collections::HashMap;

use ebbtide_rules::drain::{
    self, Decision, Drained, Order, Pace, Question, Untold, not_settled, taken,
};
use ebbtide_rules::report::{Answer, NewerEpoch, Reading, SessionReport};
use ebbtide_rules::{ErrorName, Fence, Server};
use ebbtide_runtime::Failure;
use ebbtide_sessions::SessionClient;
use jiff::Timestamp;
use serde::Deserialize;

/// What the state machine passes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// Who orders.
    pub fence: Fence,
    /// The retiring environment's servers.
    pub servers: Vec<Server>,
    /// The pace of the whole environment.
    pub closures_per_second: Pace,
    /// When the load balancer stops sending new sessions; null in a step of traffic: nothing is ordered then.
    #[serde(default)]
    pub settled_at: Option<Timestamp>,
    /// When anything last changed, as the last check saw it.
    #[serde(default)]
    pub changed_at: Option<Timestamp>,
    /// Whether the last check found the deployment still baking.
    pub baking: bool,
    /// The longest wait between passes while baking.
    pub poll_seconds: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DrainIdleError(#[from] NewerEpoch);

impl Failure for DrainIdleError {
    fn name(&self) -> ErrorName {
        ErrorName::Superseded
    }
}

/// Orders the retiring environment once. `clock` is read before anybody is asked.
///
/// # Errors
/// When a server has taken a higher epoch.
pub async fn drain_idle(
    client: &SessionClient,
    clock: impl Fn() -> Timestamp,
    payload: Payload,
) -> Result<Drained, DrainIdleError> {
    let now = clock();
    let question = question(&payload);
    let drained = match not_settled(&question, now) {
        Some(_) => Drained::not_settled(payload.settled_at, now),
        None => order(client, &payload, &question, now).await?,
    };
    tracing::info!(
        deployment = payload.fence.deployment,
        epoch = payload.fence.epoch,
        ordered = drained.ordered,
        per_second = drained.per_second,
        lease_seconds = drained.lease_seconds,
        unknown = drained.unknown.len(),
        reason = drained.reason,
        "ordered"
    );
    Ok(drained)
}

async fn order(
    client: &SessionClient,
    payload: &Payload,
    question: &Question,
    now: Timestamp,
) -> Result<Drained, NewerEpoch> {
    let readings = client.read(&payload.servers).await;
    let reports: Vec<&SessionReport> = readings.iter().filter_map(Reading::report).collect();
    NewerEpoch::refuse(&payload.fence, reports.iter().copied())?;
    let unknown = readings.len() - reports.len();
    let (orders, sealed, lease_seconds) = match drain::decide(&reports, unknown, question, now) {
        Decision::NotSettled { settled_at } => return Ok(Drained::not_settled(settled_at, now)),
        Decision::Order {
            orders,
            sealed,
            lease_seconds,
        } => (orders, sealed, lease_seconds),
    };
    let orders = addressed(&payload.servers, orders);
    let answers = client.drain(&payload.fence, &orders).await;
    NewerEpoch::refuse(&payload.fence, answers.iter().filter_map(Answer::report))?;
    let mut unknown = unread(&payload.servers, &readings);
    let mut given = Vec::new();
    for ((server, order), answer) in orders.iter().zip(&answers) {
        match taken(answer) {
            Ok(()) => given.push(*order),
            Err(reason) => unknown.push(untold(server, reason)),
        }
    }
    Ok(Drained::of_orders(
        &given,
        lease_seconds,
        sealed,
        unknown,
        now,
    ))
}

/// The orders with their servers' addresses.
fn addressed(servers: &[Server], orders: Vec<(String, Order)>) -> Vec<(Server, Order)> {
    let orders: HashMap<String, Order> = orders.into_iter().collect();
    servers
        .iter()
        .filter_map(|server| {
            let order = orders.get(&server.instance)?;
            Some((server.clone(), *order))
        })
        .collect()
}

fn unread(servers: &[Server], readings: &[Reading]) -> Vec<Untold> {
    servers
        .iter()
        .zip(readings)
        .filter_map(|(server, reading)| match reading {
            Reading::Unknown(reason) => Some(untold(server, reason.to_string())),
            Reading::Report(_) => None,
        })
        .collect()
}

fn untold(server: &Server, reason: String) -> Untold {
    Untold {
        instance: server.instance.clone(),
        reason,
    }
}

fn question(payload: &Payload) -> Question {
    Question {
        pace: payload.closures_per_second,
        settled_at: payload.settled_at,
        changed_at: payload.changed_at,
        baking: payload.baking,
        poll_seconds: payload.poll_seconds,
    }
}
