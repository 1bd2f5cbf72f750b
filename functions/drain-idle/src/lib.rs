//! The Lambda `drain-idle`: gives every retiring server that answers its standing order to close idle sessions.
//!
//! Observes through `ebbtide-sessions`, decides by `ebbtide_rules::drain`, acts by ordering, and confirms by
//! counting only the orders that were taken. It does nothing until the load balancer has settled. A repeat renews the
//! lease and changes nothing else. What servers do wrong is data; it fails only when a newer deployment owns one.

use std::collections::HashMap;

use ebbtide_rules::document::{Act, Invocation, WrongAct};
use ebbtide_rules::drain::{self, Decision, Drained, Order, Question, Untold, not_settled, taken};
use ebbtide_rules::report::{NewerEpoch, Reading, Reply, SessionReport};
use ebbtide_rules::{Fence, Server};
use ebbtide_sessions::SessionClient;
use jiff::Timestamp;

pub use ebbtide_runtime::Failed;

/// Orders the retiring environment once. `clock` is read before anybody is asked.
///
/// # Errors
/// When a server has taken a higher epoch, and when the document does not say what to order.
pub async fn handle(
    client: &SessionClient,
    clock: impl Fn() -> Timestamp,
    invocation: Invocation,
) -> Result<Drained, Failed> {
    if invocation.act != Act::Drain {
        return Err(WrongAct(invocation.act).into());
    }
    let now = clock();
    let document = &invocation.document;
    let fence = document.fence()?;
    let question = document.drain()?;
    let drained = match not_settled(&question, now) {
        Some(_) => Drained::not_settled(question.settled_at, now),
        None => {
            order(
                client,
                &fence,
                &document.retiring()?.servers,
                &question,
                now,
            )
            .await?
        }
    };
    tracing::info!(
        deployment = fence.deployment,
        epoch = fence.epoch,
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
    fence: &Fence,
    servers: &[Server],
    question: &Question,
    now: Timestamp,
) -> Result<Drained, NewerEpoch> {
    let readings = client.read(servers).await;
    let reports: Vec<&SessionReport> = readings.iter().filter_map(Reading::report).collect();
    NewerEpoch::refuse(fence, reports.iter().copied())?;
    let unknown = readings.len() - reports.len();
    let (orders, sealed, lease_seconds) = match drain::decide(&reports, unknown, question, now) {
        Decision::NotSettled { settled_at } => return Ok(Drained::not_settled(settled_at, now)),
        Decision::Order {
            orders,
            sealed,
            lease_seconds,
        } => (orders, sealed, lease_seconds),
    };
    let orders = addressed(servers, orders);
    let answers = client.drain(fence, &orders).await;
    NewerEpoch::refuse(fence, answers.iter().filter_map(Reply::report))?;
    let mut unknown = unread(servers, &readings);
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
