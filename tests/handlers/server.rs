//! A server of the world: its sessions, what it remembers and decides by, and the order that it works at.
//!
//! What it decides, and answers, is `ebbtide-endpoint`'s. Its sessions, its trouble and its clock are here.

use ebbtide_endpoint::admission::{Event, Mode, State};
use ebbtide_endpoint::fake;
use ebbtide_endpoint::order::{Kind, What};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

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
        let kind = match call {
            Call::Read => return (200, self.report()),
            Call::Drain => Kind::Drain,
            Call::Resume => Kind::Resume,
            Call::Seal => Kind::Seal,
        };
        for _ in 0..std::mem::take(&mut self.coming) {
            self.enter(true);
        }
        let mut decided = self.decides();
        let (status, answer, done) =
            decided.answer(kind, body.to_string().as_bytes(), self.counts());
        self.admission = decided.admission;
        self.disk.epoch = decided.kept.epoch;
        self.closed = decided.closed;
        if let Some(what) = done {
            if what == What::Seal {
                self.disk.sealed_for = decided.kept.deployment;
            }
            self.order = self.standing(what, now);
        }
        (status, answer)
    }

    /// The order that stands after one that was accepted.
    fn standing(&self, what: What, now: Timestamp) -> Option<Standing> {
        let What::Drain { per_second, lease } = what else {
            return None;
        };
        let lease = SignedDuration::try_from(lease).expect("a lease is short");
        (self.admission.mode == Mode::Draining).then(|| Standing {
            per_second,
            until: now + lease,
        })
    }

    /// What it decides by.
    fn decides(&self) -> fake::Server {
        let mut decides = fake::Server::new(&self.instance);
        decides.kept.epoch = self.disk.epoch;
        decides.kept.sealed = self.disk.sealed_for.is_some();
        decides.admission = self.admission;
        decides.closed = self.closed;
        decides
    }

    /// Busy and idle in its report: what is carried counts as busy.
    fn counts(&self) -> (u64, u64) {
        (u64::from(self.busy + self.carried), u64::from(self.idle))
    }

    fn apply(&mut self, event: Event) -> bool {
        let after = self.admission.apply(event);
        self.admission = after.unwrap_or(self.admission);
        after.is_ok()
    }

    pub(crate) fn report(&self) -> Value {
        json!(self.decides().report(self.counts()))
    }
}
