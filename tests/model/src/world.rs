//! The world's state: servers, forward action, record, executions, and calls that nobody waits for any more.
//!
//! The record and the documents are those of the shipped rules, in a normal form (`canonical.rs`). The rest is small on
//! purpose: whatever tells two states apart multiplies their number.

use ebbtide_rules::document::Document;
use ebbtide_rules::record::{Answer, Record, State};

use crate::kept::Id;
use crate::server::Server;

/// The most servers.
pub const SERVERS: usize = 5;

/// What an execution is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Deploys is when it is a deployment's first execution.
    Deploys,
    /// TakesOver is when it goes on with a deployment whose execution has ended.
    TakesOver {
        /// Whether to roll back.
        back: bool,
    },
    /// Continues is when another execution has handed on to it.
    Continues,
}

/// Whether an execution runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Waiting is when it has not been started.
    Waiting,
    /// Running is when it runs.
    Running,
    /// Stopped is when it failed in a Task, or was aborted: it can be redriven, and taken over.
    Stopped,
    /// Ended is when it reached a final state.
    Ended,
}

/// An execution: where it is, and what it knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Execution {
    /// Its ARN.
    pub arn: Id<String>,
    /// Its deployment.
    pub deployment: u8,
    /// What it was started for.
    pub role: Role,
    /// Whether it runs.
    pub status: Status,
    /// The state that it is at, or is redriven at.
    pub at: u8,
    /// How many ticks it waits before that.
    pub wait: u8,
    /// Its document.
    pub document: Id<Document>,
    /// Whether this Task was tried before, and its answer did not come.
    pub tried: bool,
    /// How often it was redriven after a call of it was given up.
    pub redrives: u8,
    /// The call of the Task under way, if it has several steps.
    pub call: Option<Call>,
    /// An answer of keep-record that was lost on its way.
    pub unheard: Option<Id<Answer>>,
    /// Whether another execution has taken its place.
    pub replaced: bool,
}

/// Where a server stands in a call of `check-drained`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Unlisted is when the call does not concern it.
    Unlisted,
    /// ToAsk is when it will be asked to seal.
    ToAsk,
    /// Asked is when it was, and has not answered.
    Asked,
    /// Sealed is when it acknowledged its seal.
    Sealed,
    /// Held is when it did not seal.
    Held,
    /// Newer is when it has taken a higher epoch.
    Newer,
    /// Unknown is when nothing is known of it.
    Unknown,
}

/// A change of AWS that a call has decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// The forward action is set to these weights.
    Set([Option<u8>; 3]),
    /// These servers are tagged as retiring.
    Hold(u8),
    /// These servers are not any more.
    LetGo(u8),
    /// Green's servers are launched, into this group.
    Launch(u8),
}

/// A function's call, between two of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// The execution that made it.
    pub execution: u8,
    /// The state that made it.
    pub at: u8,
    /// What it was given.
    pub document: Id<Document>,
    /// Whether its Task was tried before.
    pub tried: bool,
    /// How often its execution was redriven.
    pub redrives: u8,
    /// How far it is: what it is about to change.
    pub effect: Option<Effect>,
    /// How far it is: what each server has said.
    pub marks: Option<[Mark; SERVERS]>,
    /// How far it is: which instances are still to be ended, and what comes next.
    pub ending: Option<(u8, Turn)>,
    /// How far it is: what it is about to write into the table, whatever is there then.
    pub write: Option<Id<Record>>,
}

/// What `terminate-blue` does next; the record may change between any two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Turn {
    /// Deregister all that will be ended; the record was read for that.
    Deregister,
    /// Read the record for the first of them.
    Read,
    /// End it.
    End,
}

/// A call that nobody waits for, and for how many ticks it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stray {
    /// The call.
    pub call: Call,
    /// The ticks that are left to it.
    pub left: u8,
}

/// The whole world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// Every instance that there is or will be.
    pub servers: Vec<Server>,
    /// The forward action: each group's weight; none for a group that it does not name.
    pub weights: [Option<u8>; 3],
    /// Which groups the load balancer sends new sessions to although they have no weight any more.
    pub stale: [bool; 3],
    /// Instances of each group that were lost without any deployment.
    pub lost: [u8; 3],
    /// The record.
    pub record: Id<Record>,
    /// The executions.
    pub executions: Vec<Execution>,
    /// Calls whose execution does not wait for them: late, repeated, or aborted.
    pub strays: Vec<Stray>,
    /// How each deployment has ended.
    pub ended: [Option<End>; 3],
    /// Which deployments have launched their green.
    pub launched: u8,
    /// The faults that may still happen.
    pub faults: u8,
    /// Rules that a step has broken.
    pub broken: u32,
}

/// How a deployment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Promoted is when green serves and blue is gone.
    Promoted,
    /// RolledBack is when blue serves and green is gone.
    RolledBack,
    /// Rejected is when green never had weight.
    Rejected,
}

impl Execution {
    /// Whether it may yet act.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, Status::Running | Status::Stopped)
    }
}

impl World {
    /// The record.
    pub fn record(&self) -> &'static Record {
        self.record.get()
    }

    /// The servers of a set.
    pub(crate) fn of(&self, set: u8) -> impl Iterator<Item = usize> + use<> {
        (0..self.servers.len()).filter(move |server| set & (1 << server) != 0)
    }

    /// A group's weight.
    pub(crate) fn weight(&self, group: u8) -> u8 {
        self.weights[usize::from(group)].unwrap_or(0)
    }

    /// Whether a deployment ended like this.
    pub(crate) fn has_ended(&self, deployment: usize, end: End) -> bool {
        self.ended[deployment] == Some(end)
    }

    /// Whether an execution of this ARN runs.
    pub(crate) fn runs(&self, arn: Id<String>) -> bool {
        let mut executions = self.executions.iter();
        executions.any(|it| it.arn == arn && it.status == Status::Running)
    }

    /// Whether the record is free, and nothing retires.
    pub fn is_free(&self) -> bool {
        let record = self.record();
        record.front.is_none() && record.retiring.is_empty()
    }

    /// Whether an environment is being emptied.
    pub(crate) fn retires(&self, group: u8) -> bool {
        let entry = self.record().entry(crate::shipped::environment(group));
        entry.is_some_and(|entry| entry.state == State::Draining)
    }

    /// Whether the load balancer may send a new session to a server.
    pub(crate) fn is_routed(&self, server: &Server) -> bool {
        let group = usize::from(server.group);
        server.registered && (self.weight(server.group) > 0 || self.stale[group])
    }

    /// Sets the forward action; sessions may still come for a while to a group that loses its weight.
    pub(crate) fn set(&mut self, weights: [Option<u8>; 3]) {
        for (group, weight) in weights.iter().enumerate() {
            let (had, has) = (self.weights[group].unwrap_or(0), weight.unwrap_or(0));
            if has == 0 && had > 0 {
                self.stale[group] = true;
            }
            if has > 0 {
                self.stale[group] = false;
                for server in &mut self.servers {
                    server.served |= usize::from(server.group) == group && server.is_live();
                }
            }
        }
        self.weights = weights;
    }

    /// A place is used again for another instance: nobody who knew the former means this one.
    pub(crate) fn forget(&mut self, number: usize) {
        let others = !(1 << number);
        let under_way = self.executions.iter_mut().filter_map(|it| it.call.as_mut());
        let strays = self.strays.iter_mut().map(|stray| &mut stray.call);
        for call in under_way.chain(strays) {
            if let Some(marks) = &mut call.marks {
                marks[number] = Mark::Unlisted;
            }
            if let Some((chosen, _)) = &mut call.ending {
                *chosen &= others;
            }
            if let Some(Effect::Hold(servers) | Effect::LetGo(servers)) = &mut call.effect {
                *servers &= others;
            }
        }
    }
}
