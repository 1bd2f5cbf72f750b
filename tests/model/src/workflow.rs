//! An execution: what its Task calls, what the answer makes of its document, and where it stands then.
//!
//! The order of the states is the definition's; nothing is decided here.

use ebbtide_rules::ErrorName;
use ebbtide_rules::document::{Act, Document, Failure, Told as Answered};
use serde_json::Value;

use crate::calls::{self, Mishap, Returned, Told, asks};
use crate::canonical::forget_before;
use crate::clock::NOW;
use crate::definition::{DEFINITION, Output, Stand};
use crate::kept::{Id, Keep};
use crate::model::Deployments;
use crate::properties::Rule;
use crate::shipped;
use crate::variants::Variant;
use crate::world::{Call, Execution, Role, Status, Stray, World};

/// The call that an execution's Task makes, from its beginning.
pub(crate) fn call(world: &World, number: usize) -> Call {
    let execution = &world.executions[number];
    Call {
        execution: u8::try_from(number).unwrap_or(0),
        at: execution.at,
        document: execution.document,
        tried: execution.tried,
        redrives: execution.redrives,
        effect: None,
        marks: None,
        ending: None,
        write: None,
    }
}

/// One step of an execution. False when it has to wait.
pub(crate) fn go(model: &Deployments, world: &mut World, number: usize, mishap: Mishap) -> bool {
    if DEFINITION.act(world.executions[number].at).is_none() {
        return crate::beginning::plan(model, world, number);
    }
    let begun = world.executions[number].call.take();
    let call = begun.unwrap_or_else(|| call(world, number));
    if mishap == Mishap::GivenUp {
        again(model, world, number, call);
        return true;
    }
    let reply = run(model, world, call, mishap);
    match (reply, mishap) {
        (Returned::Waits, _) => false,
        (Returned::Under(call), Mishap::Decided) => {
            again(model, world, number, call);
            true
        }
        // There was nothing to decide about.
        (_, Mishap::Decided) => false,
        (Returned::Under(call), _) => {
            world.executions[number].call = Some(call);
            true
        }
        (Returned::Answer(told), Mishap::Unanswered) => {
            let execution = &mut world.executions[number];
            execution.tried = true;
            if let Told::Record(answer) = told {
                execution.unheard = Some(answer);
            }
            true
        }
        (reply, _) => {
            answered(model, world, number, reply);
            true
        }
    }
}

/// One step of the execution's ask, while an alarm fires.
pub(crate) fn alarmed(model: &Deployments, world: &mut World, number: usize) -> bool {
    let call = call(world, number);
    let before = world.record;
    let quiet = calls::step(model, &mut world.clone(), call, Mishap::None);
    let reply = calls::alarmed(model, world, call);
    let same = match (&quiet, &reply) {
        (Returned::Answer(Told::Record(quiet)), Returned::Answer(Told::Record(reply))) => {
            quiet == reply
        }
        _ => false,
    };
    if same && before == world.record {
        return false;
    }
    answered(model, world, number, reply);
    true
}

/// Where calls are not looked into, all of a call is one step, but for a server's disk, which is quick then.
fn run(model: &Deployments, world: &mut World, call: Call, mishap: Mishap) -> Returned {
    let mut reply = calls::step(model, world, call, mishap);
    while let (Returned::Under(under), true) = (&reply, model.whole_calls) {
        if mishap == Mishap::Decided && (under.effect.is_some() || under.write.is_some()) {
            break;
        }
        for server in &mut world.servers {
            server.write(model.variant);
        }
        reply = calls::step(model, world, *under, mishap);
    }
    reply
}

/// The Task is done again, while its former call goes on by itself.
fn again(model: &Deployments, world: &mut World, number: usize, call: Call) {
    stray(model, world, call);
    world.executions[number].tried = true;
}

/// A call that nobody waits for goes on for 75 s at most.
pub(crate) fn stray(model: &Deployments, world: &mut World, call: Call) {
    // Late by more than it can be, where the variant stands on nothing else.
    let late = if model.variant == Variant::SharesFall {
        3
    } else {
        1
    };
    world.strays.push(Stray {
        call,
        left: model.clock.ticks * late,
    });
}

/// A stray call takes its next step.
pub(crate) fn stray_on(model: &Deployments, world: &mut World, number: usize) -> bool {
    let stray = world.strays.remove(number);
    match run(model, world, stray.call, Mishap::None) {
        Returned::Waits => false,
        Returned::Under(call) => {
            world.strays.push(Stray { call, ..stray });
            true
        }
        Returned::Failed(_) | Returned::Answer(_) => true,
    }
}

fn answered(model: &Deployments, world: &mut World, number: usize, reply: Returned) {
    let at = world.executions[number].at;
    match reply {
        Returned::Failed(name) => failed(model, world, number, name),
        Returned::Answer(told) => {
            note_other_answer(world, number, &told);
            let (output, next) = DEFINITION.answered(at);
            let execution = &world.executions[number];
            let known = execution.document;
            let added = |told| {
                let mut document = known.get().clone();
                if let Output::Added(key) = output {
                    add(model, &mut document, key, told, execution.tried);
                }
                document.keep()
            };
            let document = match told {
                Told::Record(answer) => model
                    .heard
                    .of((known, answer), || added(Told::Record(answer))),
                told => added(told),
            };
            goes_to(model, world, number, document, next);
        }
        Returned::Under(_) | Returned::Waits => {}
    }
}

/// The same ask got another answer, while its execution still acts for its deployment.
fn note_other_answer(world: &mut World, number: usize, told: &Told) {
    let arn = world.executions[number].arn.get();
    let unheard = world.executions[number].unheard.take();
    if let (Some(unheard), Told::Record(answer)) = (unheard, told) {
        let record = world.record();
        let front = record.front.iter().map(|front| &front.owner);
        let entries = record.retiring.iter().map(|entry| &entry.owner);
        let holds = front
            .chain(entries)
            .any(|owner| owner.execution == *arn && owner.epoch == unheard.get().epoch);
        if !holds {
            return;
        }
        if unheard.get().next != answer.get().next || unheard.get().doing != answer.get().doing {
            world.break_rule(Rule::SameAnswer);
        }
    }
}

fn failed(model: &Deployments, world: &mut World, number: usize, name: ErrorName) {
    let execution = &world.executions[number];
    let act = DEFINITION.act(execution.at);
    if let Some((output, next)) = DEFINITION.caught(execution.at, name.as_str()) {
        let mut document = execution.document.get().clone();
        let failure = Failure {
            error: name.as_str().to_owned(),
            cause: String::new(),
        };
        match output {
            Output::Added(key) if key == "ill" => document.ill = Some(failure),
            Output::Added(_) => document.rejection = Some(failure),
            Output::Requested | Output::Planned => document = requested(),
            Output::Same => {}
        }
        goes_to(model, world, number, document.keep(), next);
        return;
    }
    if name == ErrorName::Superseded && act.is_some_and(asks) && !execution.replaced {
        world.break_rule(Rule::OwnersAreAnswered);
    }
    let execution = &mut world.executions[number];
    if act == Some(Act::Claim) && name != ErrorName::Superseded {
        // Nothing was touched: it can be started again.
        execution.status = Status::Waiting;
    } else {
        execution.status = Status::Stopped;
    }
    (execution.tried, execution.unheard) = (false, None);
}

/// An execution's input, but for what it was started for, which is its role.
pub(crate) fn requested() -> Document {
    Document::default()
}

/// Puts an execution, with what it knows, where it stands once it goes on to a state.
pub(crate) fn goes_to(
    model: &Deployments,
    world: &mut World,
    number: usize,
    document: Id<Document>,
    next: u8,
) {
    let stands = || stands(model, document.get(), next);
    let (stand, document) = model.stands.of((next, document), stands);
    let execution = &mut world.executions[number];
    execution.document = document;
    execution.at = stand.at;
    execution.wait = model.clock.ticks_of(stand.seconds);
    (execution.tried, execution.unheard) = (false, None);
    if DEFINITION.is_end(stand.at) {
        execution.status = Status::Ended;
    }
}

/// Where an execution stands that goes on to a state, and what it knows then.
fn stands(model: &Deployments, document: &Document, next: u8) -> (Stand, Id<Document>) {
    let mut stand = DEFINITION.stand(next, document);
    let mut document = if stand.anew {
        requested()
    } else {
        document.clone()
    };
    while matches!(
        DEFINITION.act(stand.at),
        Some(Act::TestBlue | Act::AskBlue | Act::AskGreen | Act::AskService)
    ) {
        // Reads servers that the plan has just read, or asks users' way to the service, and changes nothing: no step of its own.
        let (_, next) = DEFINITION.answered(stand.at);
        stand = DEFINITION.stand(next, &document);
    }
    if model.variant != Variant::NotListedAgain {
        forget_before(DEFINITION.act(stand.at), &mut document);
    }
    (stand, document.keep())
}

/// Adds an answer to the document, as the Task's output does.
fn add(model: &Deployments, document: &mut Document, key: &str, told: Told, tried: bool) {
    fn told_of<T>(answer: T, tried: bool, former: Option<&Answered<T>>) -> Option<Answered<T>> {
        Some(Answered::new(answer, u32::from(tried), former, NOW))
    }
    match (key, told) {
        ("record", Told::Record(answer)) => document.record = Some(answer.get().clone()),
        ("blueTest", Told::Tested(test)) => document.blue_test = Some(test),
        ("test", Told::Tested(test)) => document.test = Some(test),
        ("attach", Told::Switched(it)) => {
            document.attach = told_of(it, tried, document.attach.as_ref());
        }
        ("switch", Told::Switched(it)) => {
            document.switch = told_of(it, tried, document.switch.as_ref());
        }
        ("back", Told::Switched(it)) => document.back = told_of(it, tried, document.back.as_ref()),
        ("detached", Told::Switched(it)) => {
            document.detached = told_of(it, tried, document.detached.as_ref());
        }
        ("green", Told::Launched(it)) => {
            document.green = told_of(it, tried, document.green.as_ref());
        }
        ("held", Told::Listed(it)) => document.held = told_of(it, tried, document.held.as_ref()),
        ("retiring", Told::Listed(it)) => {
            let former = document.retiring.as_ref();
            let same = former.filter(|former| former.environment == it.environment);
            document.retiring = match (same, model.variant) {
                (Some(same), Variant::NotListedAgain) => Some(same.clone()),
                _ => told_of(it, tried, former),
            };
        }
        ("drain", Told::Drained(it)) => document.drain = Some(it),
        ("check", Told::Checked(it)) => document.check = Some(it),
        ("terminate", Told::Terminated(it)) => {
            document.terminate = told_of(it, tried, document.terminate.as_ref());
        }
        ("rejected", Told::Terminated(it)) => {
            document.rejected = told_of(it, tried, document.rejected.as_ref());
        }
        ("resume", Told::Resumed(it)) => document.resume = Some(it),
        (key, told) => unreachable!("{key} is no place for {told:?}"),
    }
}

/// An execution rejects green: it is found unfit.
pub(crate) fn rejects(model: &Deployments, world: &mut World, number: usize) {
    failed(model, world, number, ErrorName::GreenUnfit);
}

/// keep-record starts the execution that the record names; one of that name that exists already is the one meant.
pub(crate) fn start(model: &Deployments, world: &mut World, name: &str, document: &Document) {
    let arn = shipped::arn(name).keep();
    if world.executions.iter().any(|it| it.arn == arn) {
        return;
    }
    let Ok(fence) = document.fence() else {
        return;
    };
    let continued = Document {
        continued: Some(Value::Bool(true)),
        ..document.clone()
    };
    let mut execution = Execution::new(arn, shipped::number_of(&fence.deployment), Role::Continues);
    execution.status = Status::Running;
    world.executions.push(execution);
    let number = world.executions.len() - 1;
    goes_to(model, world, number, continued.keep(), DEFINITION.start());
}
