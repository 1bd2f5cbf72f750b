//! Rules about signed calls. They are tried with keys alone.
//!
//! What has to be refused is an order that would change something, of an epoch that was not given yet: a server that takes
//! it is found out by its report too.

use std::sync::Arc;

use ebbtide_rules::report::Admission;
use ebbtide_signature::Key;
use serde_json::json;

use super::orders::unchanged;
use super::restarts::restarted;
use crate::call::{Call, now};
use crate::server::{Answer, Order};
use crate::trial::{Ended, Trial, Tried, failed, not_tried};

/// So far from now nobody's clock is.
const FAR: u64 = 60;
/// A call has four signatures at most, and one is the stranger's.
const MOST_BESIDE: usize = 3;

fn keys(trial: &Trial) -> Result<Arc<[Key]>, Ended> {
    if trial.server.keys.is_empty() {
        return not_tried("it takes --keys");
    }
    Ok(trial.server.keys.clone())
}

/// A key that no server has.
fn stranger() -> Result<Key, Ended> {
    let digits = format!(
        "{:032x}{:032x}",
        rand::random::<u128>(),
        rand::random::<u128>()
    );
    Key::read(&digits).map_err(|error| Ended::NotTried(error.to_string()))
}

/// An order of the epoch after the last one, not signed.
fn order(trial: &Trial, order: Order) -> Result<Call, Ended> {
    let body = trial.body(trial.epoch + 1).to_string();
    let call = trial.server.ordering(order, body.into_bytes());
    call.map_err(Ended::NotTried)
}

async fn sent(trial: &Trial, call: &Call, told: &str) -> Result<Answer, Ended> {
    let answer = trial.server.send(call).await;
    answer.map_err(|why| Ended::Failed(format!("{told}: {why}")))
}

/// Sends what has to be refused.
async fn refused(trial: &Trial, call: &Call, told: &str) -> Result<(), Ended> {
    let answer = sent(trial, call, told).await?;
    match answer.status {
        401 => Ok(()),
        _ => failed(format!("{told}: 401 was due, seen {}", answer.told())),
    }
}

/// Sends what has to be taken, and answered with a signature.
async fn taken(trial: &Trial, call: &Call, told: &str) -> Result<(), Ended> {
    let answer = sent(trial, call, told).await?;
    if answer.status != 200 {
        return failed(format!("{told}: 200 was due, seen {}", answer.told()));
    }
    let believed = trial.server.believe(call, &answer);
    believed.map_err(|why| Ended::Failed(format!("{told}: {why}")))
}

/// Not only of an open server: where this fails, so does the way back to one.
pub(super) async fn answers(trial: &mut Trial) -> Tried {
    let keys = keys(trial)?;
    let resume = trial.next_epoch();
    let mut elsewhere = resume.clone();
    elsewhere["instance"] = json!(format!("{}0", trial.instance));
    let ordering = |body: &serde_json::Value| {
        let body = body.to_string().into_bytes();
        trial.server.ordering(Order::Resume, body)
    };
    let calls = [
        ("a report", trial.server.reading(), 200),
        ("an order's report", ordering(&resume), 200),
        ("a refusal", ordering(&elsewhere), 409),
    ];
    for (told, call, due) in calls {
        let call = call.map_err(Ended::NotTried)?.signed(&keys, now());
        let answer = sent(trial, &call, told).await?;
        // First: of a server whose reports are not believed the epoch is not known, and its refusal may be right.
        if [200, 409].contains(&answer.status) {
            let believed = trial.server.believe(&call, &answer);
            believed.map_err(|why| Ended::Failed(format!("{told}: {why}")))?;
        }
        if answer.status != due {
            return failed(format!("{told}: {due} was due, seen {}", answer.told()));
        }
    }
    Ok(String::new())
}

pub(super) async fn unsigned(trial: &mut Trial) -> Tried {
    keys(trial)?;
    let reading = trial.server.reading().map_err(Ended::NotTried)?;
    refused(trial, &reading, "GET without a signature").await?;
    // The seal last: from a server that takes it there is no way back.
    for what in Order::ALL {
        let told = format!("{} without a signature", what.name());
        refused(trial, &order(trial, what)?, &told).await?;
        unchanged(trial, Admission::Open).await?;
    }
    Ok(String::new())
}

pub(super) async fn other_key(trial: &mut Trial) -> Tried {
    let (keys, stranger) = (keys(trial)?, stranger()?);
    let drain = order(trial, Order::Drain)?;
    let foreign = drain.signed(std::slice::from_ref(&stranger), now());
    refused(trial, &foreign, "drain signed with another key").await?;
    unchanged(trial, Admission::Open).await?;
    for known in keys.iter() {
        let foreign = foreign.under_the_name_of(&stranger, known);
        let told = "drain signed with another key, under the id of a known one";
        refused(trial, &foreign, told).await?;
        unchanged(trial, Admission::Open).await?;
    }
    Ok("also under the id of a known one".to_owned())
}

/// As Ebbtide signs while the secret rotates: the server may have one of its keys, and not the first.
pub(super) async fn several_keys(trial: &mut Trial) -> Tried {
    let (keys, stranger) = (keys(trial)?, stranger()?);
    let resume = order(trial, Order::Resume)?;
    trial.epoch += 1;
    let foreign = resume.signed(std::slice::from_ref(&stranger), now());
    let known = &keys[..keys.len().min(MOST_BESIDE)];
    let call = resume.signed(known, now()).behind(&foreign);
    let told = "resume signed with an unknown key, and then with known ones";
    taken(trial, &call, told).await?;
    Ok(String::new())
}

pub(super) async fn altered(trial: &mut Trial) -> Tried {
    let keys = keys(trial)?;
    let drain = order(trial, Order::Drain)?.signed(&keys, now());
    let mut other = trial.body(trial.epoch + 1);
    other["leaseSeconds"] = json!(1);
    let other = other.to_string().into_bytes();
    let mut elsewhere = order(trial, Order::Resume)?;
    elsewhere.headers = drain.headers.clone();
    let calls = [
        ("drain with another body", drain.altered(other.clone())),
        (
            "drain with another body and its digest",
            drain.altered_with_digest(other),
        ),
        ("resume with the signature of drain", elsewhere),
    ];
    for (told, call) in calls {
        refused(trial, &call, told).await?;
        unchanged(trial, Admission::Open).await?;
    }
    Ok("body, digest and path".to_owned())
}

pub(super) async fn replay(trial: &mut Trial) -> Tried {
    let keys = keys(trial)?;
    let resume = order(trial, Order::Resume)?;
    trial.epoch += 1;
    let reading = trial.server.reading().map_err(Ended::NotTried)?;
    for (name, call) in [("GET", reading), ("resume", resume)] {
        let call = call.signed(&keys, now());
        taken(trial, &call, name).await?;
        refused(trial, &call, &format!("{name} sent again as it was")).await?;
    }
    Ok(String::new())
}

pub(super) async fn skew(trial: &mut Trial) -> Tried {
    let keys = keys(trial)?;
    let drain = order(trial, Order::Drain)?;
    let now = now();
    for (told, created) in [("ago", now.saturating_sub(FAR)), ("ahead", now + FAR)] {
        let call = drain.signed(&keys, created);
        refused(trial, &call, &format!("drain signed {FAR} s {told}")).await?;
        unchanged(trial, Admission::Open).await?;
    }
    Ok(String::new())
}

pub(super) async fn restart_refuses(trial: &mut Trial) -> Tried {
    let keys = keys(trial)?;
    if trial.hands.restart.is_none() {
        return not_tried("it takes --restart");
    }
    let resume = order(trial, Order::Resume)?.signed(&keys, now());
    trial.epoch += 1;
    taken(trial, &resume, "resume").await?;
    restarted(trial).await?;
    refused(trial, &resume, "resume that was taken before the restart").await?;
    Ok(String::new())
}
