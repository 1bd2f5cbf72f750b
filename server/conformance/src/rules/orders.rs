//! Rules about orders alone; they need no session.

use ebbtide_rules::report::Admission;
use serde_json::{Value, json};

use crate::server::Order;
use crate::trial::{Ended, Trial, Tried, failed};

/// A report, and the server open with nothing in use: else nothing can be tried.
pub(super) async fn report(trial: &mut Trial) -> Tried {
    let report = trial.report().await?;
    trial.epoch = report.epoch;
    Ok(String::new())
}

pub(super) async fn takes_its_epoch(trial: &mut Trial) -> Tried {
    for order in [Order::Drain, Order::Resume] {
        let body = trial.next_epoch();
        let answered = trial.done(order, &body).await?;
        let read = trial.report().await?;
        let due = match order {
            Order::Drain => Admission::Draining,
            Order::Resume | Order::Seal => Admission::Open,
        };
        for report in [answered, read] {
            if (report.admission, report.epoch) != (due, trial.epoch) {
                return failed(format!(
                    "{} of epoch {} left it {} of epoch {}",
                    order.name(),
                    trial.epoch,
                    report.admission,
                    report.epoch
                ));
            }
        }
    }
    Ok(String::new())
}

pub(super) async fn idempotent(trial: &mut Trial) -> Tried {
    for order in [Order::Drain, Order::Resume] {
        let body = trial.next_epoch();
        let first = trial.done(order, &body).await?;
        for _ in 0..2 {
            let again = trial.done(order, &body).await?;
            if again.admission != first.admission {
                return failed(format!(
                    "{} left it {}, and again {}",
                    order.name(),
                    first.admission,
                    again.admission
                ));
            }
        }
    }
    Ok(String::new())
}

/// The refusal of a stranger's order has this server's report beside it, so it is well-formed.
pub(super) async fn wrong_instance(trial: &mut Trial) -> Tried {
    for order in Order::ALL {
        let mut body = trial.next_epoch();
        body["instance"] = json!(format!("{}0", trial.instance));
        trial.refused(order, &body, "WrongInstance").await?;
    }
    Ok(String::new())
}

pub(super) async fn order_of_checks(trial: &mut Trial) -> Tried {
    for order in Order::ALL {
        let mut body = trial.body(trial.epoch - 1);
        body["instance"] = json!(format!("{}0", trial.instance));
        trial.refused(order, &body, "WrongInstance").await?;
    }
    Ok("another instance and a lower epoch: WrongInstance".to_owned())
}

pub(super) async fn stale_epoch(trial: &mut Trial) -> Tried {
    for order in Order::ALL {
        let body = trial.body(trial.epoch - 1);
        trial.refused(order, &body, "StaleEpoch").await?;
    }
    Ok(String::new())
}

/// Bodies that are of no order's form.
fn malformed(order: Order, good: &Value) -> Vec<String> {
    let mut bodies: Vec<String> = ["", "{", "null", "[]", "\"drain\"", "{}"]
        .map(str::to_owned)
        .into();
    let mut with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        bodies.push(body.to_string());
    };
    for value in [
        json!(null),
        json!("7"),
        json!(-1),
        json!(1.5),
        json!(9_007_199_254_740_992_u64),
    ] {
        with("epoch", value);
    }
    for field in ["instance", "deployment"] {
        for value in [json!(null), json!(7), json!("")] {
            with(field, value);
        }
    }
    if order == Order::Drain {
        for value in [json!(null), json!("5"), json!(0), json!(-1)] {
            with("perSecond", value);
        }
        for value in [json!(null), json!(0), json!(1.5), json!(86_401)] {
            with("leaseSeconds", value);
        }
    }
    let mut needed = vec!["instance", "deployment", "epoch"];
    if order == Order::Drain {
        needed.extend(["perSecond", "leaseSeconds"]);
    }
    for field in needed {
        let mut body = good.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.remove(field);
        }
        bodies.push(body.to_string());
    }
    bodies
}

pub(super) async fn malformed_bodies(trial: &mut Trial) -> Tried {
    let mut count = 0;
    for order in Order::ALL {
        let good = trial.body(trial.epoch + 1);
        for body in malformed(order, &good) {
            let told = format!("{} with {body:?}", order.name());
            let answer = trial.server.post(order, body.into_bytes()).await;
            let answer = answer.map_err(|why| Ended::Failed(format!("{told}: {why}")))?;
            if answer.status != 400 {
                let seen = answer.told();
                return failed(format!("{told}: 400 was due, seen {seen}"));
            }
            count += 1;
        }
        unchanged(trial, Admission::Open).await?;
    }
    Ok(format!("{count} bodies"))
}

pub(super) async fn too_large(trial: &mut Trial) -> Tried {
    for order in Order::ALL {
        let mut body = trial.body(trial.epoch + 1);
        body["note"] = json!(" ".repeat(64 * 1024));
        // A server may close the connection on what it does not read, and the answer may be lost with it.
        let mut answer = trial.post(order, &body).await;
        for _ in 0..3 {
            if answer.is_err() {
                answer = trial.post(order, &body).await;
            }
        }
        let answer = answer?;
        if answer.status != 413 {
            let seen = answer.told();
            return failed(format!("{}: 413 was due, seen {seen}", order.name()));
        }
    }
    unchanged(trial, Admission::Open).await?;
    Ok(String::new())
}

pub(super) async fn unknown_fields(trial: &mut Trial) -> Tried {
    for order in [Order::Drain, Order::Resume] {
        let mut body = trial.next_epoch();
        body["note"] = json!({"of": "a later version"});
        trial.done(order, &body).await?;
    }
    Ok(String::new())
}

pub(super) async fn unchanged(trial: &Trial, admission: Admission) -> Result<(), Ended> {
    let report = trial.report().await?;
    if (report.admission, report.epoch) == (admission, trial.epoch) {
        return Ok(());
    }
    failed(format!(
        "it was {admission} of epoch {}, and is {} of epoch {}",
        trial.epoch, report.admission, report.epoch
    ))
}
