//! A server of the world: its sessions, the admission state of the reference server, and what its disk remembers.
//!
//! Admission is `tunnel`'s own [`State`]. What is around it there, and async (the order of checks, what is kept before it
//! is acknowledged, what a restart forgets), is repeated here in its order.

use ebbtide_rules::report::Admission;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tunnel::admission::{Event, Mode, Refusal, State};

use crate::event::Trouble;

/// One server process and its disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Server {
    pub(crate) instance: String,
    /// Whether the process runs.
    pub(crate) up: bool,
    pub(crate) admission: State,
    pub(crate) busy: u32,
    pub(crate) idle: u32,
    /// Requests carried for another server, which no session counts.
    pub(crate) carried: u32,
    pub(crate) disk: Disk,
    /// What is wrong with its answers, and whether only orders are answered so.
    pub(crate) trouble: Option<(Trouble, bool)>,
    /// Users who come between its next report and what it is ordered then.
    pub(crate) coming: u32,
    closed: u64,
    order: Option<Standing>,
}

/// What survives the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Disk {
    pub(crate) epoch: u64,
    /// The deployment that it has sealed for.
    pub(crate) sealed_for: Option<String>,
}

/// A standing order to close idle sessions.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    per_second: f64,
    until: Timestamp,
}

/// What a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Drain,
    Resume,
    Seal,
}

impl Server {
    pub(crate) fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            up: true,
            admission: State::start(false),
            busy: 0,
            idle: 0,
            carried: 0,
            disk: Disk::default(),
            trouble: None,
            coming: 0,
            closed: 0,
            order: None,
        }
    }

    /// Whether its end would cut anything.
    pub(crate) fn holds(&self) -> bool {
        self.busy + self.idle + self.carried > 0
    }

    pub(crate) fn is_open(&self) -> bool {
        self.up && self.admission.mode == Mode::Open
    }

    /// Whether a reading of it gives no report.
    pub(crate) fn is_unreadable(&self) -> bool {
        let silent = |&(trouble, orders_only): &(Trouble, bool)| {
            !orders_only && trouble != Trouble::LosesReply
        };
        !self.up || self.trouble.as_ref().is_some_and(silent)
    }

    /// A session comes; false if it is refused.
    pub(crate) fn enter(&mut self, busy: bool) -> bool {
        let entered = self.up && self.apply(Event::EnterSession);
        if entered {
            *(if busy { &mut self.busy } else { &mut self.idle }) += 1;
        }
        entered
    }

    /// A request for another server comes.
    pub(crate) fn carry(&mut self) {
        if self.up && self.apply(Event::EnterRequest) {
            self.carried += 1;
        }
    }

    /// Its busy sessions turn idle, or its idle ones busy.
    pub(crate) fn turn(&mut self) {
        std::mem::swap(&mut self.busy, &mut self.idle);
    }

    /// One of each that it holds ends.
    pub(crate) fn leave(&mut self) {
        let counts = [self.busy.min(1), self.idle.min(1), self.carried.min(1)];
        self.busy -= counts[0];
        self.idle -= counts[1];
        self.carried -= counts[2];
        for _ in 0..counts.iter().sum() {
            assert!(self.apply(Event::Leave), "a place was not counted");
        }
    }

    /// Its standing order works for so long; says how many idle sessions it has closed.
    pub(crate) fn close_idle(&mut self, now: Timestamp, seconds: i64) -> u32 {
        let Some(order) = self.order.as_ref().filter(|_| self.up) else {
            return 0;
        };
        let from = now - SignedDuration::from_secs(seconds);
        let worked = order
            .until
            .min(now)
            .duration_since(from)
            .as_secs_f64()
            .max(0.0);
        let allowed = (worked * order.per_second).ceil();
        let closed = (0..self.idle)
            .take_while(|done| f64::from(*done) < allowed)
            .count();
        let closed = u32::try_from(closed).expect("as many as were idle");
        self.idle -= closed;
        self.closed += u64::from(closed);
        for _ in 0..closed {
            assert!(self.apply(Event::Leave), "a place was not counted");
        }
        closed
    }

    /// The process dies, and with it what it carried.
    pub(crate) fn crash(&mut self) {
        let (instance, disk) = (self.instance.clone(), self.disk.clone());
        *self = Self {
            up: false,
            disk,
            ..Self::new(&instance)
        };
    }

    /// The process starts again and reads its disk.
    pub(crate) fn restart(&mut self) {
        self.crash();
        self.up = true;
        self.admission = State::start(self.disk.sealed_for.is_some());
    }

    /// Answers a call: a status and a body.
    pub(crate) fn answer(&mut self, call: Call, body: &Value, now: Timestamp) -> (u16, Value) {
        if call == Call::Read {
            return (200, self.report());
        }
        for _ in 0..std::mem::take(&mut self.coming) {
            self.enter(true);
        }
        match self.obey(call, body, now) {
            Ok(()) => (200, self.report()),
            Err(error) => {
                let mut refusal = self.report();
                refusal["error"] = json!(error);
                refusal["message"] = json!("refused");
                (409, refusal)
            }
        }
    }

    fn obey(&mut self, call: Call, body: &Value, now: Timestamp) -> Result<(), &'static str> {
        let epoch = body["epoch"].as_u64().expect("an order has an epoch");
        if body["instance"] != json!(self.instance) {
            return Err("WrongInstance");
        }
        if epoch < self.disk.epoch {
            return Err("StaleEpoch");
        }
        match call {
            Call::Drain => {
                self.disk.epoch = epoch;
                if self.admission.mode == Mode::Open {
                    self.closed = 0;
                }
                self.apply(Event::Drain);
                let lease = body["leaseSeconds"].as_i64().expect("an order has a lease");
                self.order = (self.admission.mode == Mode::Draining).then(|| Standing {
                    per_second: body["perSecond"].as_f64().expect("an order has a pace"),
                    until: now + SignedDuration::from_secs(lease),
                });
            }
            Call::Resume => {
                self.admission = self.admission.apply(Event::Resume).map_err(|_| "Sealed")?;
                self.disk.epoch = epoch;
                self.order = None;
            }
            Call::Seal => {
                let began = self.admission.apply(Event::BeginSeal);
                self.admission = began.map_err(|refusal| match refusal {
                    Refusal::InUse(_) => "InUse",
                    _ => "Sealed",
                })?;
                self.disk.epoch = epoch;
                self.disk.sealed_for = body["deployment"].as_str().map(str::to_owned);
                assert!(self.apply(Event::ConfirmSeal), "a seal is written");
                self.order = None;
            }
            Call::Read => {}
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) -> bool {
        let after = self.admission.apply(event);
        self.admission = after.unwrap_or(self.admission);
        after.is_ok()
    }

    /// Its report: what is carried counts as busy.
    pub(crate) fn report(&self) -> Value {
        let admission = match self.admission.mode {
            Mode::Open => Admission::Open,
            Mode::Draining | Mode::Sealing => Admission::Draining,
            Mode::Sealed => Admission::Sealed,
        };
        let busy = self.busy + self.carried;
        json!({"version": 1, "instance": self.instance, "admission": admission, "epoch": self.disk.epoch,
               "busy": busy, "idle": self.idle, "closed": self.closed, "oldestBusySeconds": busy.min(1) * 431})
    }
}
