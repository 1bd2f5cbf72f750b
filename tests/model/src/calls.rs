//! The Lambdas: each observes, asks `ebbtide-rules` what to do, and acts, in the order of its own `lib.rs`.
//!
//! What is asynchronous in a Lambda is repeated here; what decides is called. Between two steps of a call anything may
//! happen: between a seal, its writing and its acknowledgement, and between the check of the record and an end. Moving
//! weights and tagging are one step with their check of the record: that window is the design's (rule 8), not covered.

mod aws;
mod check;
mod sessions;
mod terminate;

use crate::model::Deployments;
use crate::properties::Rule;
use crate::shipped;
use crate::shipped::instance;
use crate::variants::Variant;
use crate::world::{Call, Listed, Task, World};
use ebbtide_rules::Fence;
use ebbtide_rules::report::{Reading, UnknownReason};

/// What goes wrong with one step, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// None is when all goes well.
    None,
    /// Unread is when a server does not answer in time when it is read.
    Unread(usize),
    /// Late is when an order to a server does not arrive before everybody has given it up.
    Late(usize),
    /// Unheard is when a server obeys and its answer is lost.
    Unheard(usize),
    /// Unanswered is when the function's own answer is lost, or that of the table: the Task is done again.
    Unanswered,
}

/// What a step of a call led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is not over.
    Under(Call),
    /// It waits for a server's disk.
    Waits,
    /// The function failed; the Task fails uncaught.
    Failed,
    /// Green has too few healthy targets.
    GreenUnhealthy,
    /// Held and listed.
    Listed(Listed),
    /// Done, with nothing to tell.
    Done,
    /// Whether weights were changed.
    Switched(bool),
    /// Whether green is accepted.
    Tested(bool),
    /// Who sealed, and whether seals could be asked for.
    Checked(u8, bool),
    /// Whether nothing is left.
    Terminated(bool),
    /// Who has not opened.
    Resumed(u8),
}

/// One step of a call.
pub(crate) fn step(model: &Deployments, world: &mut World, call: Call, mishap: Mishap) -> Reply {
    let calling = Calling {
        model,
        call,
        mishap,
    };
    match call.task {
        Task::Hold(group) => calling.hold(world, group),
        Task::LetGo(group) => calling.let_go(world, group),
        Task::Switch(green) => calling.switch(world, green),
        Task::Launch => calling.launch(world),
        Task::Test(servers) => calling.test(world, servers),
        Task::Drain(listed) => calling.drain(world, listed),
        Task::Check(listed, may_seal) => calling.check(world, listed, may_seal),
        Task::Terminate { .. } => calling.terminate(world),
        Task::Resume(servers, minimum) => calling.resume(world, servers, minimum),
    }
}

struct Calling<'a> {
    model: &'a Deployments,
    call: Call,
    mishap: Mishap,
}

impl Calling<'_> {
    fn variant(&self) -> Variant {
        self.model.variant
    }

    fn fence(&self) -> Fence {
        shipped::fence(self.call.deployment, self.call.epoch)
    }

    fn admits(&self, world: &World) -> bool {
        self.variant() == Variant::RecordNotRead
            || world.shipped_record().admits(&self.fence()).is_ok()
    }

    /// Notes a change of AWS that the record does not allow at this moment.
    fn changes(&self, world: &mut World) {
        if world.shipped_record().admits(&self.fence()).is_err() {
            world.break_rule(Rule::OneOwner);
        }
    }

    fn read(&self, world: &World, server: usize) -> Reading {
        if self.mishap == Mishap::Unread(server) {
            return Reading::Unknown(UnknownReason::TimedOut);
        }
        world.servers[server].read(instance(server), self.variant())
    }
}

fn shipped_server(number: usize) -> ebbtide_rules::Server {
    ebbtide_rules::Server {
        instance: instance(number).to_owned(),
        ip: String::new(),
    }
}
