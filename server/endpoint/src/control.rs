//! What the session endpoint orders: drain, resume, seal.
//!
//! Owns the epoch and the seal, in memory and in the state file, and the rule that nothing is acknowledged before it
//! would survive a restart. Refuses orders for another instance, of a lower epoch than it has seen, and what admission
//! refuses. One order at a time; reading takes no part in that, so a report never waits for a disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::admission::{Admission, Event, Mode, Refusal, State};
use crate::drain::Drain;
use crate::kept::{Keeper, Kept, Unreadable, WriteFailed};
use crate::order::{Kind, Order, Refused, What};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{now, spawn, spawn_blocking};

struct Memory {
    kept: Kept,
    /// The keeper is known to hold `kept`.
    written: bool,
}

pub(crate) struct Control {
    keeper: Arc<dyn Keeper>,
    memory: Mutex<Memory>,
    /// The epoch that a restart would know, for reports.
    epoch: AtomicU64,
    /// The keeper may say sealed although no write of a seal has succeeded: there is no way back then.
    seal_in_doubt: AtomicBool,
    admission: Admission,
    drain: Arc<Drain>,
    /// Tells the public port of the seal.
    sealed: watch::Sender<bool>,
}

impl Control {
    /// Reads what was kept: a sealed server starts sealed.
    pub(crate) fn start(
        instance: &str,
        keeper: Arc<dyn Keeper>,
        drain: Arc<Drain>,
    ) -> Result<Arc<Self>, Unreadable> {
        let kept = keeper.read(instance)?;
        Ok(Arc::new(Self {
            keeper,
            epoch: AtomicU64::new(kept.epoch),
            admission: Admission::new(State::start(kept.sealed)),
            seal_in_doubt: AtomicBool::new(false),
            memory: Mutex::new(Memory {
                kept,
                written: true,
            }),
            drain,
            sealed: watch::Sender::new(false),
        }))
    }

    /// Turns true when the seal is written.
    pub(crate) fn sealed(&self) -> watch::Receiver<bool> {
        self.sealed.subscribe()
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The highest epoch seen that a restart would still know.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Carries out an order, to its end even if the caller hangs up in the middle.
    pub(crate) async fn order(self: &Arc<Self>, order: Order) -> Result<(), Refused> {
        let control = self.clone();
        let carried_out = spawn(async move { control.carry_out(order).await }).await;
        carried_out.unwrap_or_else(|died| Err(Refused::Interrupted(died.to_string())))
    }

    async fn carry_out(&self, order: Order) -> Result<(), Refused> {
        let mut memory = self.memory.lock().await;
        memory.kept.admits(&order)?;
        let (kind, before) = (order.what.kind(), self.admission.state().mode);
        self.admission.update(|state| kind.begin(state))?;
        let kept = memory.kept.after(&order);
        if let Err(failed) = self.keep(&mut memory, kept).await {
            if kind == Kind::Seal {
                self.seal_not_kept(&failed, before, &mut memory)?;
            }
            return Err(failed.into());
        }
        match order.what {
            What::Drain { per_second, lease } => self.drain(per_second, lease)?,
            What::Resume => {
                self.drain.cancel();
                self.admission.update(|state| kind.end(state))?;
            }
            What::Seal => {
                self.admission.update(|state| kind.end(state))?;
                self.drain.cancel();
                self.sealed.send_replace(true);
            }
        }
        Ok(())
    }

    fn drain(&self, per_second: f64, lease: Duration) -> Result<(), Refusal> {
        if self.admission.state().mode == Mode::Open {
            self.drain.reset_closed();
        }
        let state = self.admission.update(|state| Kind::Drain.end(state))?;
        if state.mode == Mode::Draining {
            self.drain.give(per_second, lease, now());
        }
        Ok(())
    }

    /// Goes back to what was before only if the keeper certainly does not say sealed.
    fn seal_not_kept(
        &self,
        failed: &WriteFailed,
        before: Mode,
        memory: &mut Memory,
    ) -> Result<(), Refusal> {
        if failed.maybe_written {
            self.seal_in_doubt.store(true, Ordering::SeqCst);
        }
        if self.seal_in_doubt.load(Ordering::SeqCst) || before == Mode::Sealed {
            return Ok(());
        }
        memory.kept.sealed = false;
        self.admission.apply(Event::AbandonSeal)?;
        if before == Mode::Open {
            self.admission.apply(Event::Resume)?;
        }
        Ok(())
    }

    /// Remembers, on disk before this returns. In memory at once: a higher epoch fences even if the disk is full.
    async fn keep(&self, memory: &mut Memory, kept: Kept) -> Result<(), WriteFailed> {
        if memory.written && memory.kept == kept {
            return Ok(());
        }
        let epoch = kept.epoch;
        memory.kept = kept.clone();
        memory.written = false;
        let keeper = self.keeper.clone();
        let written = spawn_blocking(move || keeper.write(&kept)).await;
        written.unwrap_or_else(|panic| Err(WriteFailed::interrupted(panic)))?;
        memory.written = true;
        self.epoch.store(epoch, Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
#[path = "control_tests.rs"]
mod tests;
