//! Rules about what a restart remembers.

use ebbtide_rules::report::{Admission, SessionReport};

use crate::server::Order;
use crate::trial::{Ended, Trial, Tried, failed, not_tried};

pub(super) async fn keeps_epoch(trial: &mut Trial) -> Tried {
    if trial.hands.restart.is_none() {
        return not_tried("it takes --restart");
    }
    let body = trial.next_epoch();
    trial.done(Order::Drain, &body).await?;
    let report = restarted(trial).await?;
    if report.epoch != trial.epoch {
        let epoch = trial.epoch;
        return failed(format!(
            "epoch {epoch} was acknowledged, {} is known",
            report.epoch
        ));
    }
    let stale = trial.body(trial.epoch - 1);
    trial.refused(Order::Resume, &stale, "StaleEpoch").await?;
    Ok(String::new())
}

pub(super) async fn keeps_seal(trial: &mut Trial) -> Tried {
    super::sealing::is_sealed(trial)?;
    if trial.hands.restart.is_none() {
        return not_tried("it takes --restart");
    }
    let report = restarted(trial).await?;
    if (report.admission, report.epoch) != (Admission::Sealed, trial.epoch) {
        return failed(format!(
            "sealed for epoch {}, and after a restart {} of epoch {}",
            trial.epoch, report.admission, report.epoch
        ));
    }
    super::sealing::takes_no_session(trial).await?;
    Ok(String::new())
}

/// Restarts the process, and waits until it answers.
pub(super) async fn restarted(trial: &Trial) -> Result<SessionReport, Ended> {
    let Some(restart) = &trial.hands.restart else {
        return not_tried("it takes --restart");
    };
    let done = restart().await;
    done.map_err(|why| Ended::NotTried(format!("--restart: {why}")))?;
    trial.answers().await
}
