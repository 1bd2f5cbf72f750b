//! The gate: refuses, seals and counts in the kernel, for a server that knows nothing of it.
//!
//! Owns the order of steps: the rule first, the barrier, the count last. What cannot be told is an error, never a guess.
//! One thing at a time: whoever counts waits for whoever seals.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ebbtide_endpoint::admission::Mode;
use ebbtide_endpoint::order::Refused;
use ebbtide_endpoint::{Count, Gate, Refusal, SessionNumber, Sessions, Unknown};
use tokio::task::block_in_place;

use crate::barrier::barrier;
use crate::busy::Sessions as Held;
use crate::closing::Closing;
use crate::config::IdlePolicy;
use crate::hook::Hook;
use crate::orders::{Change, Orders};
use crate::rules::{Begin, DROP_LASTS, Standing};
use crate::sockets::{self, Detail, Socket};
use crate::steps;

/// How long before its end a drop is not trusted any more: timers of the kernel are a little coarse.
const MARGIN: Duration = Duration::from_millis(100);

/// The gate in this machine's kernel.
pub struct KernelGate {
    ports: Vec<u16>,
    orders: Orders,
    inner: Mutex<Inner>,
    /// What is in use. Apart from the rest, which is kept while nft works: whoever asks for the last count, and each order
    /// does, must not wait for that, or nobody is left to read what nft says.
    held: Mutex<Held>,
    /// Closes idle sessions, where the operator has said so.
    closing: Option<Arc<Closing>>,
    /// Asks the server what is in use, where it says.
    hook: Option<Hook>,
}

struct Inner {
    /// What was set last.
    mode: Mode,
    /// How the table looked when it was put there; None if it has to be put there.
    installed: Option<Standing>,
    /// Until when the drop of [`Gate::shut`] is trusted.
    shut_until: Option<Instant>,
}

type Step<T> = Result<T, Refused>;

impl KernelGate {
    /// A gate before these ports; open, and nothing is in the kernel yet.
    pub fn new(ports: &[u16], orders: Orders, idle: IdlePolicy, hook: Option<Hook>) -> Self {
        Self {
            ports: ports.into(),
            closing: idle.close.then(|| Arc::new(Closing::new(orders.clone()))),
            orders,
            hook,
            inner: Mutex::new(Inner {
                mode: Mode::Open,
                installed: None,
                shut_until: None,
            }),
            held: Mutex::new(Held::new(idle)),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never kept while something else is waited for.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps up what lapses by itself, and puts back what somebody has taken away. Called a few times in
    /// [`crate::rules::REFUSAL_LASTS`].
    pub fn keep_up(&self) {
        let mut inner = self.inner();
        let kept = match inner.mode {
            Mode::Open | Mode::Sealed => self.look_after(&mut inner),
            Mode::Draining | Mode::Sealing => self
                .orders
                .change(Change::Refuse)
                .map_err(unknown)
                .and_then(|()| self.look_after(&mut inner)),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, mode = ?inner.mode, "the rules do not stand; putting them back");
            match self.put_back(&mut inner) {
                Ok(()) => tracing::warn!(mode = ?inner.mode, "the rules stand again"),
                Err(error) => tracing::error!(%error, "the rules cannot be put back"),
            }
        }
    }

    /// Whether what was set last stands.
    fn look_after(&self, inner: &mut Inner) -> Step<()> {
        let standing = self.untouched(inner)?;
        let stands = match inner.mode {
            // While a seal is being written the drop stands, and lapses a little after it is trusted.
            Mode::Open => {
                let sealing = |until| Instant::now() < until + 3 * MARGIN;
                standing.accepts(inner.shut_until.is_some_and(sealing))
            }
            Mode::Draining | Mode::Sealing => standing.refuses(),
            Mode::Sealed => standing.is_sealed(),
        };
        if stands {
            return Ok(());
        }
        Err(Refused::Unknown(format!(
            "the rules do not say {:?}",
            inner.mode
        )))
    }

    /// The table as it is, if nobody has touched its rules.
    fn untouched(&self, inner: &Inner) -> Step<Standing> {
        let standing = self.orders.look().map_err(unknown)?;
        match &inner.installed {
            Some(installed) if standing.is_untouched_since(installed) => Ok(standing),
            _ => Err(Refused::Unknown("somebody has changed the rules".into())),
        }
    }

    fn put_back(&self, inner: &mut Inner) -> Step<()> {
        let mode = inner.mode;
        // A table that is whole stays while a seal waits for sessions to end: a new one would thaw whom it freezes.
        if mode != Mode::Sealed || self.untouched(inner).is_err() {
            inner.installed = None;
        }
        self.install(inner, refusing_unless_open(mode))?;
        if mode == Mode::Sealed {
            self.orders.change(Change::Refuse).map_err(unknown)?;
            self.seal(inner)?;
        }
        Ok(())
    }

    fn install(&self, inner: &mut Inner, begin: Begin) -> Step<()> {
        if inner.installed.is_none() {
            inner.shut_until = None;
            let installed = self.orders.install(begin);
            inner.installed = Some(installed.map_err(unknown)?);
            steps::done("installed");
        }
        Ok(())
    }

    /// A table that another process has put there refuses for good. What cannot be told does not.
    fn was_sealed(&self) -> bool {
        self.orders
            .look()
            .is_ok_and(|standing| standing.was_sealed())
    }

    /// Longest idle first. Nobody is, if that cannot be told.
    fn idle_sockets(&self) -> Option<Vec<Socket>> {
        let sockets = sockets::connections(&self.ports, Detail::Traffic)
            .inspect_err(
                |error| tracing::warn!(%error, "nobody is closed: the sockets cannot be read"),
            )
            .ok()?;
        if self.hooked() != Ok(0) {
            return None;
        }
        let mut held = self.held();
        held.seen(&sockets, Instant::now());
        Some(held.idle(sockets))
    }

    /// What the server says is in use; nothing where it is not asked.
    fn hooked(&self) -> Result<u64, String> {
        self.hook.as_ref().map_or(Ok(0), Hook::in_use)
    }

    fn in_use(&self) -> Step<u64> {
        let connections = sockets::connections(&self.ports, Detail::Presence).map_err(unknown)?;
        Ok(self
            .hooked()
            .map_err(unknown)?
            .max(connections.len() as u64))
    }

    /// Drop, barrier, count: when this returns, nothing is in use, and nothing comes in before `shut_until`.
    fn shut(&self, inner: &mut Inner) -> Step<()> {
        self.untouched(inner)?;
        match self.in_use()? {
            0 => {}
            held => return Err(Refusal::InUse(held).into()),
        }
        steps::done("looked");
        // Before the order: the element's time runs from its arrival in the kernel.
        let until = Instant::now() + DROP_LASTS - MARGIN;
        let shut = self
            .orders
            .change(Change::Drop)
            .map_err(unknown)
            .and_then(|()| self.nothing_came(inner, until));
        match shut {
            Ok(()) => inner.shut_until = Some(until),
            // It lapses by itself if this fails.
            Err(_) => drop(self.orders.change(Change::Lift)),
        }
        shut
    }

    /// What passed before the drop has arrived, and is nothing; and the drop has stood from its beginning until now.
    fn nothing_came(&self, inner: &Inner, until: Instant) -> Step<()> {
        steps::done("dropped");
        barrier().map_err(unknown)?;
        steps::done("barred");
        let held = self.in_use()?;
        let standing = self.untouched(inner)?;
        if held > 0 {
            return Err(Refusal::InUse(held).into());
        }
        if !standing.drops() || Instant::now() >= until {
            return Err(Refused::Unknown(
                "the count took longer than the drop lasts; the machine is too busy".into(),
            ));
        }
        steps::done("counted");
        Ok(())
    }

    /// Refuses everything for good. The seal is on disk.
    fn seal(&self, inner: &mut Inner) -> Step<()> {
        steps::done("written");
        let standing = self.untouched(inner)?;
        if !standing.is_sealed() && self.orders.change(Change::Seal).is_err() {
            // The drop had lapsed, as after a restart or on a slow disk.
            self.shut(inner)?;
            self.orders.change(Change::Seal).map_err(unknown)?;
        }
        steps::done("sealed");
        self.sealed(inner)
    }

    /// The seal is on disk and cannot be enforced yet: new connections are refused until it can be.
    fn seal_again_later(&self, inner: &mut Inner) {
        if inner.mode != Mode::Sealed {
            (inner.mode, inner.shut_until) = (Mode::Sealing, None);
        }
        if let Err(error) = self.orders.change(Change::Refuse) {
            tracing::warn!(%error, "new connections are not refused yet");
        }
    }

    /// The rule stands: barrier, count.
    fn sealed(&self, inner: &mut Inner) -> Step<()> {
        barrier().map_err(unknown)?;
        let held = self.in_use()?;
        let standing = self.untouched(inner)?;
        if !standing.is_sealed() {
            return Err(Refused::Unknown("the rules do not say Sealed".into()));
        }
        if held > 0 {
            self.orders.change(Change::Unseal).map_err(unknown)?;
            return Err(Refusal::InUse(held).into());
        }
        inner.shut_until = None;
        Ok(())
    }
}

impl Gate for KernelGate {
    fn agent(&self) -> &'static str {
        concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))
    }

    fn shut(&self) -> Result<(), Refused> {
        let mut inner = self.inner();
        Self::shut(self, &mut inner)
    }

    fn set(&self, mode: Mode) -> Result<(), Refused> {
        let mut inner = self.inner();
        // After a restart: what the process before has put there refuses until its successor's does, without a gap.
        let begin = match mode {
            Mode::Sealed if inner.installed.is_none() && self.was_sealed() => Begin::Sealed,
            mode => refusing_unless_open(mode),
        };
        self.install(&mut inner, begin)?;
        match mode {
            Mode::Open => self.orders.change(Change::Accept).map_err(unknown)?,
            Mode::Draining | Mode::Sealing => {
                self.orders.change(Change::Refuse).map_err(unknown)?;
                steps::done("refused");
                self.orders.change(Change::Lift).map_err(unknown)?;
            }
            Mode::Sealed => {
                if let Err(refused) = self.seal(&mut inner) {
                    self.seal_again_later(&mut inner);
                    return Err(refused);
                }
            }
        }
        (inner.mode, inner.shut_until) = (mode, None);
        steps::done(match mode {
            Mode::Open => "set open",
            Mode::Draining => "set draining",
            Mode::Sealing => "set sealing",
            Mode::Sealed => "set sealed",
        });
        Ok(())
    }

    fn look(&self) -> Result<Count, Unknown> {
        let mut inner = self.inner();
        let told = |error: Refused| Unknown(error.to_string());
        self.look_after(&mut inner).map_err(told)?;
        let unread =
            |error: std::io::Error| Unknown(format!("the sockets cannot be read: {error}"));
        let unheard = sockets::without_listener(&self.ports).map_err(unread)?;
        if !unheard.is_empty() {
            return Err(Unknown(format!(
                "nobody listens on {unheard:?} in this network namespace"
            )));
        }
        let connections = sockets::connections(&self.ports, Detail::Traffic).map_err(unread)?;
        let count = self.held().seen(&connections, Instant::now());
        Ok(with_hook(count, self.hooked().map_err(Unknown)?))
    }
}

impl Sessions for KernelGate {
    fn count(&self) -> Count {
        self.held().last()
    }

    fn idle(&self) -> Vec<SessionNumber> {
        let Some(closing) = &self.closing else {
            return Vec::new();
        };
        block_in_place(|| closing.candidates(|| self.idle_sockets()))
    }

    fn close_if_idle(&self, session: SessionNumber) -> bool {
        let Some(closing) = &self.closing else {
            return false;
        };
        let closed =
            block_in_place(|| closing.close(session, || self.untouched(&self.inner()).is_ok()));
        if closed {
            self.held().leaves(session);
        }
        closed
    }
}

/// Where the server says that something is in use, none of its sessions is idle.
fn with_hook(count: Count, hooked: u64) -> Count {
    if hooked == 0 {
        return count;
    }
    Count {
        busy: hooked.max(count.busy + count.idle),
        idle: 0,
        ..count
    }
}

fn unknown(error: impl std::fmt::Display) -> Refused {
    Refused::Unknown(error.to_string())
}

fn refusing_unless_open(mode: Mode) -> Begin {
    match mode {
        Mode::Open => Begin::Accepting,
        Mode::Draining | Mode::Sealing | Mode::Sealed => Begin::Refusing,
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
