//! Rules about the seal. There is no way back from it, so they come last.

use ebbtide_rules::report::Admission;

use crate::hammer::{Struck, hammer};
use crate::hands::NotOpened;
use crate::server::Order;
use crate::trial::{Ended, Trial, Tried, failed, not_tried};

/// Fewer arrivals than this, in all rounds, say nothing about a race.
const FEWEST: usize = 20;

/// Nothing to be tried on a server that is not sealed.
pub(super) fn is_sealed(trial: &Trial) -> Result<(), Ended> {
    if trial.sealed {
        return Ok(());
    }
    not_tried("the server could not be sealed")
}

/// Seals again and again while sessions come and go: whoever counts first and seals then takes one in between.
pub(super) async fn atomic(trial: &mut Trial) -> Tried {
    let open = trial.opener()?;
    let mut all = Struck::default();
    for round in 1.. {
        let body = trial.next_epoch();
        let struck = hammer(trial, &open, &body).await?;
        trial.sealed = true;
        all.add(&struck);
        if all.alive > 0 {
            return failed(format!(
                "{} sessions were open when the seal of round {round} was acknowledged, or were taken after it",
                all.alive
            ));
        }
        let Some(fresh) = trial.hands.fresh.clone().filter(|_| round < trial.rounds) else {
            break;
        };
        let begun = fresh().await;
        begun.map_err(|why| Ended::NotTried(format!("--fresh: {why}")))?;
        let report = trial.answers().await?;
        if report.admission != Admission::Open {
            return not_tried(format!("--fresh left it {}", report.admission));
        }
        (trial.sealed, trial.epoch) = (false, report.epoch);
    }
    if all.taken < FEWEST || all.in_use == 0 {
        return not_tried(format!("the race was too slow to say anything: {all}"));
    }
    Ok(all.to_string())
}

pub(super) async fn seals(trial: &mut Trial) -> Tried {
    if !trial.sealed {
        trial.begin().await?;
        let body = trial.next_epoch();
        let report = trial.done(Order::Seal, &body).await?;
        if report.admission != Admission::Sealed {
            return failed(format!("200, and it is {}", report.admission));
        }
        trial.sealed = true;
    }
    let read = trial.report().await?;
    if (read.admission, read.epoch) != (Admission::Sealed, trial.epoch) {
        let (admission, epoch) = (read.admission, read.epoch);
        return failed(format!("then it is {admission} of epoch {epoch}"));
    }
    Ok(String::new())
}

/// Two deployments after another: the second must get the seal for its own epoch.
pub(super) async fn sealed_again(trial: &mut Trial) -> Tried {
    is_sealed(trial)?;
    let same = trial.body(trial.epoch);
    trial.done(Order::Seal, &same).await?;
    let higher = trial.next_epoch();
    for body in [&higher, &higher] {
        let report = trial.done(Order::Seal, body).await?;
        if report.admission != Admission::Sealed {
            return failed(format!("sealed again it is {}", report.admission));
        }
    }
    Ok(String::new())
}

pub(super) async fn sealed_drains(trial: &mut Trial) -> Tried {
    is_sealed(trial)?;
    let body = trial.next_epoch();
    let report = trial.done(Order::Drain, &body).await?;
    if report.admission != Admission::Sealed {
        return failed(format!("drained it is {}", report.admission));
    }
    Ok(String::new())
}

pub(super) async fn never_resumes(trial: &mut Trial) -> Tried {
    is_sealed(trial)?;
    let body = trial.body(trial.epoch + 1);
    trial.refused(Order::Resume, &body, "Sealed").await?;
    let stale = trial.body(trial.epoch - 1);
    trial.refused(Order::Resume, &stale, "StaleEpoch").await?;
    Ok("with a lower epoch: StaleEpoch".to_owned())
}

pub(super) async fn refuses_sessions(trial: &mut Trial) -> Tried {
    is_sealed(trial)?;
    trial.opener()?;
    takes_no_session(trial).await?;
    Ok(String::new())
}

/// Fails if a session is taken; says nothing where none can be opened.
pub(super) async fn takes_no_session(trial: &Trial) -> Result<(), Ended> {
    let Some(open) = &trial.hands.open else {
        return Ok(());
    };
    match open().await {
        Ok(_) => failed("a sealed server took a session"),
        Err(NotOpened(_)) => Ok(()),
    }
}
