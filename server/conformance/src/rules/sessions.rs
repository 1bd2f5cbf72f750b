//! Rules about sessions that are open: what is counted, what is refused, what is closed.

use std::time::Duration;

use ebbtide_rules::report::{Admission, SessionReport};
use serde_json::json;
use tokio::time::sleep;

use crate::hands::NotOpened;
use crate::server::Order;
use crate::trial::{Ended, Trial, Tried, failed, not_tried, open};

/// How long to watch for what must not happen. A server that does it takes no longer than a slot or two.
const WATCH: Duration = Duration::from_secs(4);
/// Sessions of the rules about slots and leases.
const SEVERAL: usize = 5;

pub(super) async fn counted(trial: &mut Trial) -> Tried {
    let open = trial.opener()?;
    let mut sessions = Vec::new();
    for count in 1..=3_u64 {
        let opened = open().await;
        let opened =
            opened.map_err(|NotOpened(why)| Ended::Failed(format!("it is open, and: {why}")))?;
        sessions.push(opened);
        // Not "after a while": a report without a session that is open proves nothing.
        let report = trial.report().await?;
        if report.busy + report.idle < count {
            let (busy, idle) = (report.busy, report.idle);
            return failed(format!("{count} sessions: {busy} busy, {idle} idle"));
        }
    }
    // Idle they count no less.
    let seen = |report: &SessionReport| report.idle == 3 || report.busy + report.idle < 3;
    let report = trial.until("3 sessions are idle", seen).await?;
    if report.busy + report.idle < 3 {
        let (busy, idle) = (report.busy, report.idle);
        return failed(format!("3 sessions, then {busy} busy, {idle} idle"));
    }
    drop(sessions);
    let gone = "sessions that are gone are not counted";
    trial.until(gone, |report| report.counts_nothing()).await?;
    Ok(String::new())
}

pub(super) async fn busy_counted(trial: &mut Trial) -> Tried {
    let session = trial.busy().await?;
    trial
        .until("a session is busy", |report| report.busy > 0)
        .await?;
    trial
        .until("it has been busy for a second", |report| {
            report.oldest_busy_seconds > 0
        })
        .await?;
    drop(session);
    Ok(String::new())
}

pub(super) async fn seal_refused_in_use(trial: &mut Trial) -> Tried {
    let _sessions = trial.idle(1).await?;
    let body = trial.body(trial.epoch + 1);
    trial.refused(Order::Seal, &body, "InUse").await?;
    let stale = trial.body(trial.epoch - 1);
    trial.refused(Order::Seal, &stale, "StaleEpoch").await?;
    Ok("also an idle session; with a lower epoch: StaleEpoch".to_owned())
}

pub(super) async fn draining_refuses(trial: &mut Trial) -> Tried {
    let open = trial.opener()?;
    let mut body = trial.next_epoch();
    body["perSecond"] = json!(0.001);
    trial.done(Order::Drain, &body).await?;
    if open().await.is_ok() {
        return failed("a draining server took a session");
    }
    let body = trial.next_epoch();
    trial.done(Order::Resume, &body).await?;
    match open().await {
        Ok(_) => Ok("and taken again after resume".to_owned()),
        Err(NotOpened(why)) => failed(format!("after resume: {why}")),
    }
}

pub(super) async fn closes_idle(trial: &mut Trial) -> Tried {
    let sessions = trial.idle(SEVERAL).await?;
    let body = trial.next_epoch();
    let ordered = trial.done(Order::Drain, &body).await?;
    if ordered.admission != Admission::Draining {
        return failed(format!("drain left it {}", ordered.admission));
    }
    if !trial.at_most_open(&sessions, 0).await {
        let left = open(&sessions);
        return failed(format!("{left} of {SEVERAL} idle sessions were not closed"));
    }
    let all = SEVERAL as u64;
    let what = format!("{all} sessions are counted as closed");
    let closed = trial.until(&what, |report| report.closed >= all).await?;
    if closed.closed > all {
        return failed(format!("{} of {all} are said to be closed", closed.closed));
    }
    Ok(String::new())
}

pub(super) async fn spares_busy(trial: &mut Trial) -> Tried {
    let busy = trial.busy().await?;
    trial
        .until("a session is busy", |report| report.busy > 0)
        .await?;
    let open = trial.opener()?;
    let idle = open().await;
    let idle = idle.map_err(|NotOpened(why)| Ended::Failed(why))?;
    trial
        .until("one is busy and one idle", |report| {
            (report.busy, report.idle) == (1, 1)
        })
        .await?;
    let body = trial.next_epoch();
    trial.done(Order::Drain, &body).await?;
    if !trial.at_most_open(&[idle], 0).await {
        return failed("the idle session was not closed");
    }
    // Fifty slots a second: in the next ones nothing is idle.
    sleep(WATCH / 4).await;
    if !busy.is_open() {
        return failed("a busy session was closed");
    }
    Ok(String::new())
}

pub(super) async fn lease_ends(trial: &mut Trial) -> Tried {
    let sessions = trial.idle(SEVERAL).await?;
    let mut body = trial.next_epoch();
    (body["perSecond"], body["leaseSeconds"]) = (json!(1), json!(1));
    trial.done(Order::Drain, &body).await?;
    sleep(WATCH).await;
    let (left, report) = (open(&sessions), trial.report().await?);
    // One slot a second for a second: one closes in it, or two, one at each end.
    if left + 2 < SEVERAL {
        let closed = SEVERAL - left;
        return failed(format!(
            "a lease of one second at one a second closed {closed} of {SEVERAL}"
        ));
    }
    if report.admission != Admission::Draining {
        let admission = report.admission;
        return failed(format!("after the lease it is {admission}, not draining"));
    }
    Ok(format!("{left} of {SEVERAL} are left"))
}

pub(super) async fn resume_cancels(trial: &mut Trial) -> Tried {
    let sessions = trial.idle(SEVERAL).await?;
    let mut body = trial.next_epoch();
    body["perSecond"] = json!(2);
    trial.done(Order::Drain, &body).await?;
    let body = trial.next_epoch();
    let resumed = trial.done(Order::Resume, &body).await?;
    // What was closed before the answer may be noticed after it.
    let closed = usize::try_from(resumed.closed).unwrap_or(SEVERAL);
    let left = SEVERAL.saturating_sub(closed);
    trial.at_most_open(&sessions, left).await;
    sleep(WATCH / 8).await;
    let before = open(&sessions);
    if before == 0 {
        return not_tried("all sessions were closed before the resume");
    }
    sleep(WATCH / 2).await;
    let after = open(&sessions);
    if after < before {
        return failed(format!("{} closed after the resume", before - after));
    }
    Ok(format!("{after} of {SEVERAL} are left"))
}
