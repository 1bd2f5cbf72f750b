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
use crate::gate::Gate;
use crate::kept::{Keeper, Kept, Unreadable, WriteFailed};
use crate::order::{Kind, Order, Refused, What};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{now, spawn, spawn_blocking};

/// Why the endpoint of a server behind a gate does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// It cannot be told whether the server is sealed.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The gate cannot be set.
    #[error(transparent)]
    Gate(#[from] Refused),
}

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
    /// The keeper may say sealed, whether or not a write of a seal has succeeded: there is no way back then.
    seal_may_be_kept: AtomicBool,
    admission: Admission,
    drain: Arc<Drain>,
    /// What follows admission outside of this process.
    gate: Option<Arc<dyn Gate>>,
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
        let state = State::start(kept.sealed);
        Ok(Self::of(kept, state, keeper, drain, None))
    }

    /// The same behind a gate. What was sealed before starts sealed only if nothing has come in meanwhile, while no gate
    /// may have stood; else it refuses until a seal finds nothing in use.
    pub(crate) fn behind(
        gate: Arc<dyn Gate>,
        instance: &str,
        keeper: Arc<dyn Keeper>,
        drain: Arc<Drain>,
    ) -> Result<Arc<Self>, NotStarted> {
        let kept = keeper.read(instance)?;
        let mut state = State::start(kept.sealed);
        match gate.set(state.mode) {
            Err(Refused::Admission(Refusal::InUse(held))) if kept.sealed => {
                tracing::error!(held, "sessions came in although this server is sealed");
                state.mode = Mode::Sealing;
            }
            set => set?,
        }
        Ok(Self::of(kept, state, keeper, drain, Some(gate)))
    }

    fn of(
        kept: Kept,
        state: State,
        keeper: Arc<dyn Keeper>,
        drain: Arc<Drain>,
        gate: Option<Arc<dyn Gate>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            keeper,
            epoch: AtomicU64::new(kept.epoch),
            admission: Admission::new(state),
            seal_may_be_kept: AtomicBool::new(kept.sealed),
            memory: Mutex::new(Memory {
                kept,
                written: true,
            }),
            drain,
            gate,
            sealed: watch::Sender::new(false),
        })
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
        if kind == Kind::Seal
            && let Err(refused) = self.gate(Gate::shut).await
        {
            self.seal_not_kept(false, before, &mut memory).await?;
            return Err(refused);
        }
        let kept = memory.kept.after(&order);
        if let Err(failed) = self.keep(&mut memory, kept).await {
            if kind == Kind::Seal {
                self.seal_not_kept(failed.maybe_written, before, &mut memory)
                    .await?;
            }
            return Err(failed.into());
        }
        self.gate_follows(kind).await?;
        match order.what {
            What::Drain { per_second, lease } => self.drain(per_second, lease).await?,
            What::Resume => {
                self.tell_drain(|drain| drain.cancel()).await?;
                self.admission.update(|state| kind.end(state))?;
            }
            What::Seal => {
                self.admission.update(|state| kind.end(state))?;
                self.tell_drain(|drain| drain.cancel()).await?;
                self.sealed.send_replace(true);
            }
        }
        Ok(())
    }

    async fn drain(&self, per_second: f64, lease: Duration) -> Result<(), Refused> {
        if self.admission.state().mode == Mode::Open {
            self.tell_drain(|drain| drain.reset_closed()).await?;
        }
        let state = self.admission.update(|state| Kind::Drain.end(state))?;
        if state.mode == Mode::Draining {
            let given = now();
            self.tell_drain(move |drain| drain.give(per_second, lease, given))
                .await?;
        }
        Ok(())
    }

    /// Behind a gate closing a session takes a while, and whoever tells the drain something waits for that: not on a thread
    /// that others need.
    async fn tell_drain(
        &self,
        tell: impl FnOnce(&Arc<Drain>) + Send + 'static,
    ) -> Result<(), Refused> {
        let drain = self.drain.clone();
        if self.gate.is_none() {
            tell(&drain);
            return Ok(());
        }
        let told = spawn_blocking(move || tell(&drain)).await;
        told.map_err(|died| Refused::Interrupted(died.to_string()))
    }

    /// What is written down is enforced before it is acknowledged.
    async fn gate_follows(&self, kind: Kind) -> Result<(), Refused> {
        if kind == Kind::Seal {
            // It is written: whatever the gate says, there is no way back.
            self.seal_may_be_kept.store(true, Ordering::SeqCst);
        }
        let mode = kind.end(self.admission.state())?.mode;
        self.gate(move |gate| gate.set(mode)).await
    }

    /// Goes back to what was before only if the keeper certainly does not say sealed.
    async fn seal_not_kept(
        &self,
        maybe_written: bool,
        before: Mode,
        memory: &mut Memory,
    ) -> Result<(), Refused> {
        if maybe_written {
            self.seal_may_be_kept.store(true, Ordering::SeqCst);
        }
        if !self.seal_may_be_kept.load(Ordering::SeqCst) {
            memory.kept.sealed = false;
            self.admission.apply(Event::AbandonSeal)?;
            if before == Mode::Open {
                self.admission.apply(Event::Resume)?;
            }
        }
        let mode = self.admission.state().mode;
        if mode == Mode::Sealed {
            return Ok(());
        }
        self.gate(move |gate| gate.set(mode)).await
    }

    /// Asks the gate, if there is one.
    async fn gate(
        &self,
        ask: impl FnOnce(&dyn Gate) -> Result<(), Refused> + Send + 'static,
    ) -> Result<(), Refused> {
        let Some(gate) = self.gate.clone() else {
            return Ok(());
        };
        let asked = spawn_blocking(move || ask(&*gate)).await;
        asked.unwrap_or_else(|died| Err(Refused::Interrupted(died.to_string())))
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
