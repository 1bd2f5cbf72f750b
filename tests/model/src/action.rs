//! A step of somebody's: users, the load balancer, servers, operators, executions, and the calls that nobody waits for.

use ebbtide_rules::input::Verb;

use crate::calls::Mishap;

/// A step of somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A new session, in use, sent by the load balancer.
    Arrive(usize),
    /// A new session although the load balancer had settled: it was slower than its setting. A fault.
    Straggle(usize),
    /// A busy session goes idle.
    Rest(usize),
    /// An idle session is used.
    Use(usize),
    /// A busy session ends.
    Leave(usize),
    /// An idle session ends, by itself or by an order.
    Close(usize),
    /// A request comes that is carried for another server.
    Carry(usize),
    /// Such a request ends.
    Carried(usize),
    /// A client begins a handshake of which nothing is kept, or whose packet is under way.
    Knock(usize),
    /// It becomes a session.
    ComeIn(usize),
    /// It comes to nothing.
    GoAway(usize),
    /// The load balancer has settled.
    Settle,
    /// Time passes.
    Tick,
    /// A seal is written to the disk.
    Write(usize),
    /// An agent refuses everything for good, or finds that something has come in.
    Enforce(usize),
    /// An agent cannot tell whether anything has come in: its machine was too slow. A fault.
    Falter(usize),
    /// The process that speaks for a server dies. A fault.
    Crash(usize),
    /// The process starts again.
    Start(usize),
    /// The same, and an agent finds something that leaves before it can tell.
    StartInUse(usize),
    /// A late order arrives.
    Deliver(usize),
    /// An operator opens a server by hand. A fault.
    OpenByHand(usize),
    /// An operator terminates an instance that hangs, in an environment that is being drained.
    Lose(usize),
    /// Auto Scaling launches an instance.
    Launch(usize),
    /// An operator tells a deployment something.
    Wish(u8, Verb),
    /// An execution takes its next step; it asks keep-record, and an alarm fires.
    Alarm(usize),
    /// Green is found unfit before any weight moves.
    Reject(usize),
    /// An execution takes its next step.
    Go(usize, Mishap),
    /// A Task's call is given up, and its execution with it; the call may yet do everything. A fault.
    Abandon(usize),
    /// An operator redrives.
    Redrive(usize),
    /// An execution is started, and plans.
    Begin(usize),
    /// A call that nobody waits for takes its next step.
    Stray(usize),
}

impl Action {
    /// Whether it uses up a fault.
    pub fn is_fault(self) -> bool {
        match self {
            Self::Straggle(_)
            | Self::Crash(_)
            | Self::Falter(_)
            | Self::OpenByHand(_)
            | Self::Abandon(_) => true,
            Self::Go(_, mishap) => mishap != Mishap::None,
            _ => false,
        }
    }
}
