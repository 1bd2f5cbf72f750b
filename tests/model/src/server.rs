//! A server of the world: its sessions, the state that `ebbtide-endpoint` decides admission with, and what its disk
//! remembers.
//!
//! Admission is that library's own [`State`], and an order is fenced, begun and ended by its [`Kind`]; in between, and
//! that is what this adds, lies the write, a step of the world. `server/beside.rs` has what an agent does instead.

mod beside;

use ebbtide_endpoint::admission::{self, Event, Mode, State};
use ebbtide_endpoint::order::{Kind, is_stale};
use ebbtide_rules::report::{Admission, Reading, Refusal, Reply, SessionReport, UnknownReason};

use crate::variants::Variant;

/// What has become of an instance and the server process on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// Absent is when it has not been launched yet.
    Absent,
    /// Up is when the server answers.
    Up,
    /// Down is when the process is dead and the instance runs: nothing answers, and nothing is gone.
    Down,
    /// Gone is when EC2 calls the instance terminated.
    Gone,
}

/// Who speaks the session endpoint for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Library is when the server is linked with `ebbtide-endpoint`.
    Library,
    /// Agent is when an agent beside it does, and the server knows nothing of that.
    Agent,
}

/// What a deployment may order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// Take no new sessions, close idle ones.
    Drain,
    /// Take sessions again.
    Resume,
    /// Promise never to take one again.
    Seal,
}

/// An order with its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sent {
    /// What is ordered.
    pub order: Order,
    /// The sender's deployment.
    pub deployment: u8,
    /// The sender's epoch.
    pub epoch: u8,
}

/// One instance and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Its target group.
    pub group: u8,
    /// Who speaks for it.
    pub endpoint: Endpoint,
    /// What has become of it.
    pub life: Life,
    /// The reference server's admission state.
    pub admission: State,
    /// Sessions in use.
    pub busy: u8,
    /// Sessions open and unused.
    pub idle: u8,
    /// Requests carried for another server, which no session here counts.
    pub carried: u8,
    /// Clients that have begun a handshake of which nothing is kept; an agent's server only.
    pub knocking: u8,
    /// Whether an agent's rules refuse everything for good.
    pub barred: bool,
    /// The highest epoch that the disk knows.
    pub epoch: u8,
    /// Whether the disk says sealed.
    pub kept_seal: bool,
    /// The order to seal that is being written.
    pub sealing: Option<Sent>,
    /// For which deployment it ever promised never to take a session again. The world's memory, not the server's.
    pub promised: Option<u8>,
    /// Whether its group had weight since it was launched. The world's memory.
    pub served: bool,
    /// Whether a rollback gave its group the weight back while it had not opened. The world's memory.
    pub missed: bool,
    /// Whether it is a target of its group.
    pub registered: bool,
    /// Which deployment's `ebbtide:deployment` tag it carries.
    pub launched_by: Option<u8>,
    /// Which deployment's `ebbtide:retiring` tag it carries.
    pub retiring: Option<u8>,
    /// An order that has been sent and is still under way.
    pub late: Option<Sent>,
}

impl Server {
    /// A server of `group` with no sessions.
    pub fn new(group: u8, life: Life, endpoint: Endpoint) -> Self {
        Self {
            group,
            endpoint,
            life,
            admission: State::start(false),
            busy: 0,
            idle: 0,
            carried: 0,
            knocking: 0,
            barred: false,
            epoch: 0,
            kept_seal: false,
            sealing: None,
            promised: None,
            served: false,
            missed: false,
            registered: life == Life::Up,
            launched_by: None,
            retiring: None,
            late: None,
        }
    }

    /// Whether the instance exists and EC2 does not call it terminated.
    pub fn is_live(&self) -> bool {
        matches!(self.life, Life::Up | Life::Down)
    }

    /// Whether ending it would cut anything.
    pub fn holds(&self) -> bool {
        self.busy + self.idle + self.carried > 0
    }

    /// Whether it must not hold anything any more: with an agent that is so once its rules enforce what is on the disk.
    pub fn is_sealed(&self) -> bool {
        self.promised.is_some() && (self.barred || !self.has_agent())
    }

    /// Whether it takes new sessions.
    pub fn is_open(&self) -> bool {
        self.life == Life::Up && self.registered && self.admission.mode == Mode::Open
    }

    /// Its report, as the library makes it: what is carried counts as busy, a seal is told once it is written.
    pub fn report(&self, name: &str, variant: Variant) -> SessionReport {
        let carried = if variant == Variant::CarriedNotCounted {
            0
        } else {
            self.carried
        };
        SessionReport {
            instance: name.to_owned(),
            admission: match self.admission.mode {
                Mode::Open => Admission::Open,
                Mode::Draining | Mode::Sealing => Admission::Draining,
                Mode::Sealed => Admission::Sealed,
            },
            epoch: u64::from(self.epoch),
            busy: u64::from(self.busy + carried),
            idle: u64::from(self.idle),
            closed: 0,
            oldest_busy_seconds: 0,
            agent: false,
        }
    }

    /// What reading it gives; a time-out is the caller's affair.
    pub fn read(&self, name: &str, variant: Variant) -> Reading {
        match self.life {
            Life::Up => Reading::Report(self.report(name, variant)),
            Life::Absent | Life::Down | Life::Gone => Reading::Unknown(UnknownReason::Refused),
        }
    }

    /// Whether an order would have to wait for the one before, which is being written.
    pub fn is_writing(&self) -> bool {
        self.life == Life::Up && self.sealing.is_some()
    }

    /// Carries out an order. A seal has only begun then: [`Server::write`] ends it.
    pub fn take(&mut self, sent: Sent, name: &str, variant: Variant) -> Reply {
        if self.life != Life::Up {
            return Reply::Unknown(UnknownReason::Refused);
        }
        if is_stale(sent.epoch.into(), self.epoch.into()) {
            return Reply::Refused(Refusal::StaleEpoch, self.report(name, variant));
        }
        match self.obey(sent, variant) {
            Ok(()) => Reply::Report(self.report(name, variant)),
            Err(refusal) => {
                let refusal = match refusal {
                    admission::Refusal::InUse(_) => Refusal::InUse,
                    _ => Refusal::Sealed,
                };
                Reply::Refused(refusal, self.report(name, variant))
            }
        }
    }

    fn obey(&mut self, sent: Sent, variant: Variant) -> Result<(), admission::Refusal> {
        match sent.order {
            Order::Drain => {
                let begun = Kind::Drain.begin(self.admission)?;
                self.epoch = sent.epoch;
                self.admission = Kind::Drain.end(begun)?;
            }
            Order::Resume if variant == Variant::SealedResumes => {
                self.epoch = sent.epoch;
                self.kept_seal = false;
                self.admission.mode = Mode::Open;
            }
            Order::Resume => {
                let begun = Kind::Resume.begin(self.admission)?;
                self.epoch = sent.epoch;
                self.admission = Kind::Resume.end(begun)?;
            }
            Order::Seal if self.has_agent() => self.shut(sent)?,
            Order::Seal => {
                let begun = Kind::Seal.begin(self.admission)?;
                if variant != Variant::SealNotAtomic {
                    self.admission = begun;
                }
                self.sealing = Some(sent);
            }
        }
        Ok(())
    }

    /// Whether the order to seal is on the disk already.
    pub fn has_written(&self) -> bool {
        let writes = |sent: Sent| self.kept_seal && self.epoch == sent.epoch;
        self.has_agent() && self.sealing.is_some_and(writes)
    }

    /// The seal is on the disk, and only now acknowledged and reported.
    pub fn write(&mut self, variant: Variant) {
        if self.has_agent() {
            return self.keep_seal();
        }
        let Some(sent) = self.sealing.take() else {
            return;
        };
        if variant == Variant::SealNotAtomic {
            self.admission.mode = Mode::Sealed;
        } else if let Ok(sealed) = Kind::Seal.end(self.admission) {
            self.admission = sealed;
        }
        self.epoch = sent.epoch;
        self.kept_seal = true;
        self.promised = Some(sent.deployment);
    }

    /// A session or a request comes; false if it was refused.
    pub fn enter(&mut self, event: Event) -> bool {
        match self.applies(event) {
            Ok(entered) => {
                self.admission = entered;
                true
            }
            Err(_) => false,
        }
    }

    /// A session or a request ends.
    pub fn leave(&mut self) {
        if let Ok(left) = self.applies(Event::Leave) {
            self.admission = left;
        }
    }

    /// The process that speaks for it dies; if that is the server, all that it carried goes too.
    pub fn crash(&mut self) {
        if self.has_agent() {
            self.orphan();
        } else {
            self.die();
        }
    }

    fn die(&mut self) {
        self.life = Life::Down;
        (self.busy, self.idle, self.carried) = (0, 0, 0);
        self.sealing = None;
        self.late = None;
        self.admission = State::start(false);
    }

    /// The process starts again and reads its disk.
    pub fn start(&mut self, variant: Variant) {
        if self.has_agent() {
            return self.rejoin(false);
        }
        self.life = Life::Up;
        self.admission = State::start(self.kept_seal && variant != Variant::SealForgotten);
    }

    /// The instance ends.
    pub fn end(&mut self) {
        self.die();
        self.life = Life::Gone;
        self.registered = false;
    }
}
