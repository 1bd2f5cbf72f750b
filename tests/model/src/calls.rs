//! The functions: each observes, asks `ebbtide-rules` what to do, and acts, in the order of its own `lib.rs`.
//!
//! What is asynchronous in a function is repeated here; what decides is called. Between two steps of a call anything may
//! happen: between a seal, its writing and its acknowledgement, between the check of the record and an end, and, where the
//! configuration says so, between the check of the record and every other change.

mod asks;
mod aws;
mod check;
mod sessions;
mod terminate;

use ebbtide_rules::document::{Act, Document, Invocation};
use ebbtide_rules::green_test::GreenTest;
use ebbtide_rules::record::{Answer, Work};
use ebbtide_rules::report::{Reading, UnknownReason};
use ebbtide_rules::{ErrorName, Fence, Retiring};
use ebbtide_rules::{check::Check, drain::Drained, launch::Launched, resume::Resumed};
use ebbtide_rules::{terminate::Terminated, weights::Switched};

use crate::definition::DEFINITION;
use crate::kept::Id;
use crate::model::Deployments;
use crate::properties::Rule;
use crate::variants::Variant;
use crate::world::{Call, World};

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
    /// Unanswered is when the function's own answer is lost: the Task is done again.
    Unanswered,
    /// Late start is when the call is given up before it has begun, and begins later; the Task is done again.
    GivenUp,
    /// Decided is when the call is given up after its decision, and acts later; the Task is done again.
    Decided,
}

/// What a step of a call led to.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one step of the model"
)]
#[derive(Clone, Debug)]
pub(crate) enum Returned {
    /// It is not over.
    Under(Call),
    /// It waits for a server's disk.
    Waits,
    /// The function failed.
    Failed(ErrorName),
    /// It answered.
    Answer(Told),
}

/// An answer.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for one step of the model"
)]
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// keep-record's.
    Record(Id<Answer>),
    /// hold-blue's, of both acts.
    Listed(Retiring),
    /// switch-target-group's.
    Switched(Switched),
    /// launch-green's.
    Launched(Launched),
    /// test-green's.
    Tested(GreenTest),
    /// drain-idle's.
    Drained(Drained),
    /// check-drained's.
    Checked(Check),
    /// terminate-blue's.
    Terminated(Terminated),
    /// resume-blue's.
    Resumed(Resumed),
}

/// One step of a call.
pub(crate) fn step(model: &Deployments, world: &mut World, call: Call, mishap: Mishap) -> Returned {
    let Some(act) = DEFINITION.act(call.at) else {
        unreachable!("{} calls no function", DEFINITION.name(call.at));
    };
    let document = call.document.get();
    let Ok(fence) = document.fence() else {
        return Returned::Failed(ErrorName::InvalidInput);
    };
    let calling = Calling {
        model,
        call,
        act,
        document,
        fence,
        mishap,
    };
    let replied = calling.acts(world);
    replied.unwrap_or(Returned::Failed(ErrorName::InvalidInput))
}

struct Calling<'a> {
    model: &'a Deployments,
    call: Call,
    act: Act,
    document: &'a Document,
    fence: Fence,
    mishap: Mishap,
}

impl Calling<'_> {
    /// None where the document lacks what the call needs.
    fn acts(&self, world: &mut World) -> Option<Returned> {
        if self.call.effect.is_some() {
            return self.effect(world);
        }
        match self.act {
            Act::Claim | Act::Adopt | Act::Switch | Act::Pass | Act::HandOn | Act::Release => {
                Some(self.ask(world, false))
            }
            Act::Hold => self.hold(world),
            Act::LetGo => self.let_go(world),
            Act::Attach | Act::Weigh | Act::WeighBack | Act::Detach => self.weigh(world),
            Act::Launch => self.launch(world),
            Act::TestBlue | Act::AskBlue | Act::AskGreen | Act::AskService => {
                Some(Returned::Answer(Told::Tested(accepted(0))))
            }
            Act::TestGreen => self.test(world),
            Act::Drain => self.drain(world),
            Act::Check => self.check(world),
            Act::EndUnserved | Act::EndSealed => self.terminate(world),
            Act::Resume | Act::ResumeAgain => self.resume(world),
        }
    }

    fn variant(&self) -> Variant {
        self.model.variant
    }

    fn admits(&self, world: &World, work: Work<'_>) -> bool {
        if self.variant() == Variant::RecordNotRead {
            return true;
        }
        let record = world.record();
        if self.variant() == Variant::TwoWriters && matches!(work, Work::Detach) {
            return record
                .retiring
                .iter()
                .any(|entry| entry.owner.is(&self.fence));
        }
        record.admits(&self.fence, work).is_ok()
    }

    /// Notes a change of AWS that the record does not allow at this moment, and one of an execution that was taken over.
    fn changes(&self, world: &mut World, work: Work<'_>) {
        if world.record().admits(&self.fence, work).is_err() {
            world.break_rule(Rule::OneOwner);
        }
        if world.executions[usize::from(self.call.execution)].replaced {
            world.break_rule(Rule::ReplacedIsRefused);
        }
    }

    /// The call as its function gets it.
    fn invocation(&self, world: &World) -> Invocation {
        Invocation {
            act: self.act,
            execution: world.executions[usize::from(self.call.execution)]
                .arn
                .get()
                .clone(),
            state: DEFINITION.name(self.call.at).to_owned(),
            retries: u32::from(self.call.tried),
            redrives: u64::from(self.call.redrives),
            document: self.document.clone(),
        }
    }

    fn read(&self, world: &World, server: usize) -> Reading {
        if self.mishap == Mishap::Unread(server) {
            return Reading::Unknown(UnknownReason::TimedOut);
        }
        world.servers[server].read(&world.instance(server), self.variant())
    }
}

/// keep-record, while an alarm fires.
pub(crate) fn alarmed(model: &Deployments, world: &mut World, call: Call) -> Returned {
    let document = call.document.get();
    let (Some(act), Ok(fence)) = (DEFINITION.act(call.at), document.fence()) else {
        return Returned::Failed(ErrorName::InvalidInput);
    };
    let calling = Calling {
        model,
        call,
        act,
        document,
        fence,
        mishap: Mishap::None,
    };
    calling.ask(world, true)
}

/// Whether an act asks keep-record.
pub(crate) fn asks(act: Act) -> bool {
    kind(act).is_some()
}

pub(crate) use asks::{Decisions, kind};

fn accepted(servers: usize) -> GreenTest {
    GreenTest {
        servers,
        reason: String::new(),
    }
}
