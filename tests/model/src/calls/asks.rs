//! keep-record: reads the record, looks at the facts, decides, writes on the condition that the record is as it was read.
//!
//! Reading and writing are one step, because a write that is not on the revision that was read is not made, and begins
//! again. A call that is late decides on the record that it then finds.

use ebbtide_rules::document::Act;
use ebbtide_rules::plan::Gate;
use ebbtide_rules::record::{
    Alarms, Answer, Ask, Decision, Doing, Execution, Facts, Front, Halt, Kind, Outcome, Phase,
    Record, decide, wants,
};
use ebbtide_rules::shape::Fence;
use ebbtide_rules::{ErrorName, Failure as _};

use super::{Calling, Mishap, Returned, Told};
use crate::canonical;
use crate::clock::NOW;
use crate::definition::DEFINITION;
use crate::kept::{Id, Keep, Memo};
use crate::properties::Rule;
use crate::shipped::number_of;
use crate::variants::Variant;
use crate::workflow;
use crate::world::{Call, End, World};

/// What keep-record is asked by an act.
pub(crate) fn kind(act: Act) -> Option<Kind> {
    match act {
        Act::Claim => Some(Kind::Claim),
        Act::Adopt => Some(Kind::Adopt),
        Act::Switch => Some(Kind::Switch),
        Act::Pass => Some(Kind::Pass),
        Act::HandOn => Some(Kind::HandOn),
        Act::Release => Some(Kind::Release),
        _ => None,
    }
}

/// What was decided before, by all that it depends on, and which facts that were to be.
#[derive(Default)]
pub(crate) struct Decisions {
    wanted: Memo<Question, (Option<Id<String>>, bool)>,
    decided: Memo<Question, Result<Decided, ErrorName>>,
}

/// The alarms, if they are looked at, and whether the holder's execution runs.
fn facts(looked: bool, alarm: bool, holder_runs: Option<bool>) -> Facts {
    let firing = if alarm {
        vec!["alarm".to_owned()]
    } else {
        Vec::new()
    };
    Facts {
        alarms: looked.then(|| Alarms {
            at: NOW,
            firing,
            fired: Vec::new(),
            missing: Vec::new(),
        }),
        holder: holder_runs.map(|running| Execution {
            running,
            status: String::new(),
        }),
    }
}

/// Everything that a decision depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    record: Id<Record>,
    call: (u8, Id<ebbtide_rules::document::Document>, u8),
    arn: Id<String>,
    alarm: bool,
    holder_runs: Option<bool>,
}

/// A decision, in the normal form.
#[derive(Clone, Copy)]
pub(crate) struct Decided {
    record: Id<Record>,
    answer: Id<Answer>,
    outcome: Option<(u8, End)>,
}

impl Calling<'_> {
    pub(super) fn ask(&self, world: &mut World, alarm: bool) -> Returned {
        if let Some(record) = self.call.write {
            // The variant without compare-and-set: what was decided is written, whatever is there now.
            world.record = record;
            return Returned::Failed(ErrorName::Superseded);
        }
        let Some(kind) = kind(self.act) else {
            unreachable!("only keep-record is asked");
        };
        match self.decided(world, kind, alarm) {
            Err(name) => Returned::Failed(name),
            Ok(decided) => {
                if self.mishap == Mishap::Decided {
                    return Returned::Under(Call {
                        write: Some(decided.record),
                        ..self.call
                    });
                }
                self.write(world, kind, decided);
                Returned::Answer(Told::Record(decided.answer))
            }
        }
    }

    fn decided(&self, world: &World, kind: Kind, alarm: bool) -> Result<Decided, ErrorName> {
        let arn = world.executions[usize::from(self.call.execution)].arn;
        let mut question = Question {
            record: world.record,
            call: (self.call.at, self.call.document, self.call.redrives),
            arn,
            alarm: false,
            holder_runs: None,
        };
        let decisions = &self.model.decisions;
        let wanted = decisions.wanted.of(question.clone(), || {
            let wants = wants(&self.as_read(world.record(), kind), &self.asks(kind, arn));
            (wants.holder.map(Keep::keep), wants.alarms.is_some())
        });
        question.holder_runs = wanted.0.map(|holder| world.runs(holder));
        question.alarm = alarm && wanted.1;
        let facts = || facts(wanted.1, question.alarm, question.holder_runs);
        decisions.decided.of(question.clone(), || {
            let record = self.as_read(world.record(), kind);
            let decision = decide(&record, &self.asks(kind, arn), &facts(), NOW);
            let decision = decision.map_err(|refused| refused.name())?;
            Ok(self.normal(self.as_decided(world.record(), decision)))
        })
    }

    fn asks(&self, kind: Kind, arn: Id<String>) -> Ask {
        Ask {
            kind,
            execution: arn.get().clone(),
            state: DEFINITION.name(self.call.at).to_owned(),
            redrives: u64::from(self.call.redrives),
            document: self.document.clone(),
        }
    }

    fn normal(&self, decision: Decision) -> Decided {
        let clock = self.model.clock;
        let outcome = decision.outcome.map(|item| {
            let end = match item.outcome.as_str() {
                "Promoted" => End::Promoted,
                "RolledBack" => End::RolledBack,
                _ => End::Rejected,
            };
            (number_of(&item.deployment), end)
        });
        Decided {
            record: canonical::record(clock, &decision.record).keep(),
            answer: canonical::answer(clock, &decision.answer).keep(),
            outcome,
        }
    }

    /// The record as the shipped rules read it; a variant that knows a rule less reads another one.
    fn as_read(&self, record: &Record, kind: Kind) -> Record {
        let mut record = record.clone();
        if let Some(front) = record.front.as_mut() {
            match self.variant() {
                Variant::PauseForgotten => front.waits = None,
                Variant::GateForgotten => front.plan.policy.approve.clear(),
                _ => {}
            }
        }
        let forgets = self.variant() == Variant::SupersededAfterSwitch && kind == Kind::Claim;
        let mut front = record.front.as_mut().filter(|_| forgets);
        if let Some(front) = front.as_mut().filter(|it| it.phase == Phase::Switched) {
            front.phase = Phase::Claimed;
        }
        record
    }

    fn as_decided(&self, before: &Record, mut decision: Decision) -> Decision {
        // It did not look at the gates; they are in the record all the same.
        let pair = before.front.as_ref().zip(decision.record.front.as_mut());
        if let (Variant::GateForgotten, Some((was, is))) = (self.variant(), pair) {
            is.plan = was.plan.clone();
        }
        let returns = matches!(decision.answer.doing, Doing::Returning { .. });
        if self.variant() == Variant::NoEpochAtRollback && returns {
            decision.record.epoch = before.epoch;
            decision.answer.epoch = self.fence.epoch;
            if let Some(front) = decision.record.front.as_mut() {
                front.owner.epoch = self.fence.epoch;
            }
            for answered in &mut decision.record.answers {
                answered.answer.epoch = answered.answer.epoch.min(before.epoch);
            }
        }
        decision
    }

    fn write(&self, world: &mut World, kind: Kind, decided: Decided) {
        let named = |record: &Record, arn: &String| {
            let front = record.front.iter().map(|front| &front.owner);
            let entries = record.retiring.iter().map(|entry| &entry.owner);
            front.chain(entries).any(|owner| owner.execution == *arn)
        };
        let (before, after) = (world.record(), decided.record.get());
        if kind == Kind::Claim {
            for execution in &mut world.executions {
                let arn = execution.arn.get();
                let taken = named(before, arn) && !named(after, arn);
                // One that claims anew has its own place again.
                execution.replaced = (execution.replaced || taken) && !named(after, arn);
            }
        }
        if let (Some(front), Kind::Claim) = (&before.front, kind) {
            let moved = matches!(front.phase, Phase::Switched | Phase::RollingBack { .. });
            if moved && after.front_of(&front.owner.deployment).is_none() {
                world.break_rule(Rule::SwitchedKeepsFront);
            }
        }
        if stood_still(before, &self.fence).is_some_and(|front| has_moved(front, after)) {
            world.break_rule(Rule::PausedStands);
        }
        if let Some((deployment, end)) = decided.outcome {
            let ended = &mut world.ended[usize::from(deployment)];
            if ended.replace(end).is_some() {
                world.break_rule(Rule::OutcomeOnce);
            }
        }
        world.record = decided.record;
        if let Some(successor) = decided.answer.get().successor() {
            workflow::start(self.model, world, successor, self.document);
        }
    }
}

/// The front of `fence`, if it is paused or the gate before its next move is shut.
fn stood_still<'a>(record: &'a Record, fence: &Fence) -> Option<&'a Front> {
    let front = record.front.as_ref()?;
    let gate = match front.phase {
        Phase::Claimed => Gate::Switch,
        Phase::Switched => Gate::Seal,
        _ => return None,
    };
    let paused = front.waits.as_ref().is_some_and(|it| it.at == Halt::Pause);
    let mut opened = front.wishes.approved.iter().map(|it| it.gate);
    let shut = front.plan.policy.approve.contains(&gate)
        && front.wishes.promote.is_none()
        && !opened.any(|opened| opened == gate);
    (front.owner.is(fence) && (paused || shut)).then_some(front)
}

/// Whether green got weight, or blue is given up, by this step. A step of traffic is none that the gate after it shuts.
fn has_moved(before: &Front, after: &Record) -> bool {
    let paused = before.waits.as_ref().is_some_and(|it| it.at == Halt::Pause);
    let deployment = &before.owner.deployment;
    match after.front_of(deployment) {
        Some(front) => {
            let switched = before.phase == Phase::Claimed && front.phase == Phase::Switched;
            switched || (paused && front.weights.green > before.weights.green)
        }
        None => after
            .entry_of(deployment)
            .is_some_and(|entry| entry.outcome == Outcome::Promoted),
    }
}
