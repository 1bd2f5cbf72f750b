//! Runs a case: events happen to the world, executions make their steps, and the rules are asked after each.

use ebbtide_aws::fake::Fault;
use serde_json::{Value, json};

use crate::aws;
use crate::call::Call;
use crate::event::{AwsFault, Case, Event, Mishap};
use crate::execution::{Execution, Failure, Next, Status, TIMED_OUT};
use crate::functions::Ended;
use crate::rules::{self, Broken, Rule, demand};
use crate::strangers;
use crate::world::World;

/// One call in so many is made once more at once, to see that nothing changes.
const REPEATED: usize = 3;
/// Steps within which a deployment drains when all goes well.
const STEPS_TO_DRAIN: usize = 120;
/// Steps within which a kept sequence comes to the state that it names.
const MOST_STEPS_TO_A_STATE: usize = 200;
/// At most so many executions are started by people.
const MOST_STARTED: usize = 9;

/// Lets a case happen to a fresh world.
pub(crate) async fn run(world: &mut World, case: &Case) -> Result<(), Broken> {
    for _ in 0..case.setup.draining {
        begin_to_drain(world).await?;
    }
    world.deploy();
    for _ in 0..case.setup.begun {
        step_last(world).await?;
    }
    for event in &case.events {
        world.tell(format!("{event:?}"));
        happen(world, event).await?;
        rules::standing(world)?;
    }
    Ok(())
}

/// A deployment is made, and a busy session holds what it drains.
async fn begin_to_drain(world: &mut World) -> Result<(), Broken> {
    world.arrive(0, true, false);
    world.deploy();
    for _ in 0..STEPS_TO_DRAIN {
        if world.record().front.is_none() && world.record().epoch > 0 && is_last_drained(world) {
            return Ok(());
        }
        step_last(world).await?;
    }
    Ok(())
}

/// Whether the deployment that was started last has left the front.
fn is_last_drained(world: &World) -> bool {
    let last = world.last_started();
    world.record().entry_of(&last).is_some()
}

/// The execution that was started last makes a step.
async fn step_last(world: &mut World) -> Result<(), Broken> {
    let running = (0..world.executions.len()).rev();
    let last = running
        .into_iter()
        .find(|index| world.executions[*index].is_running());
    match last {
        Some(index) => step_of(world, index, None).await,
        None => Ok(()),
    }
}

async fn happen(world: &mut World, event: &Event) -> Result<(), Broken> {
    match event {
        Event::Go { who, steps } => {
            for _ in 0..*steps {
                step(world, *who, None).await?;
            }
        }
        Event::Until { who, state } => until(world, *who, state).await?,
        Event::Step { who, mishap } => step(world, *who, Some(*mishap)).await?,
        Event::Late { call, has_read } => late(world, *call, *has_read).await?,
        Event::Redrive { who } => {
            let redriven = nth(world, *who, |it| {
                matches!(it.status, Status::Failed(_) | Status::Stopped)
            });
            if let Some(index) = redriven {
                world.executions[index].redrive();
            }
        }
        Event::Stop { who, under_way } => stop(world, *who, *under_way)?,
        Event::Deploy => start(world, World::deploy),
        Event::TakeOver { whom, roll_back } => {
            start(world, |world| take_over(world, *whom, *roll_back));
        }
        Event::Wish { whom, verb } => start(world, |world| {
            if let Some(deployment) = named(world, *whom) {
                world.execute(json!({ verb.field(): deployment }));
            }
        }),
        Event::Alarm(fires) => world.set_alarm(*fires),
        Event::Flash => {
            let fires = world.alarm;
            world.set_alarm(!fires);
            world.set_alarm(fires);
        }
        Event::Pass { seconds } => world.pass(i64::from(*seconds)).await,
        Event::Arrive { at, busy, stale } => world.arrive(*at, *busy, *stale),
        other => strangers::act(world, other).await,
    }
    Ok(())
}

/// An execution goes on until it is in a state, or has ended.
async fn until(world: &mut World, who: u8, state: &str) -> Result<(), Broken> {
    let Some(index) = nth(world, who, Execution::is_running) else {
        return Ok(());
    };
    for _ in 0..MOST_STEPS_TO_A_STATE {
        let execution = &world.executions[index];
        if !execution.is_running() || execution.is_at(state, world.now) {
            return Ok(());
        }
        step_of(world, index, None).await?;
    }
    Ok(())
}

/// A call of unknown outcome arrives. If it had read the record before it was held up, it goes by what it read; what
/// writes the record has read nothing then, because a write on a former revision is lost.
async fn late(world: &mut World, call: u8, has_read: bool) -> Result<(), Broken> {
    if world.ghosts.is_empty() {
        return Ok(());
    }
    let ghost = world.ghosts.remove(usize::from(call) % world.ghosts.len());
    let has_read = has_read && ghost.call.function != "KeepRecord";
    world.tell(format!(
        "late: {}{}",
        ghost.call.state,
        if has_read {
            ", by the record as it was"
        } else {
            ""
        }
    ));
    let call = Call {
        is_late: true,
        ..ghost.call
    };
    let now = aws::table(&world.fake);
    if has_read {
        aws::set_table(&world.fake, ghost.read);
    }
    let done = call_function(world, &call).await;
    if has_read {
        aws::set_table(&world.fake, now);
    }
    done.map(|_| ())
}

fn stop(world: &mut World, who: u8, under_way: bool) -> Result<(), Broken> {
    let Some(index) = nth(world, who, Execution::is_running) else {
        return Ok(());
    };
    let mut execution = world.executions[index].clone();
    if under_way && let Next::Task { arguments } = fits(execution.next(world.now))? {
        let call = fits(Call::new(&execution.state, &arguments))?;
        world.lose(call);
    }
    world.executions[index].status = Status::Stopped;
    Ok(())
}

/// At most so many executions are started; there are as many addresses as they need.
fn start(world: &mut World, begin: impl FnOnce(&mut World)) {
    if world.started() < MOST_STARTED {
        begin(world);
    }
}

/// One of the deployments that the record names.
fn named(world: &World, whom: u8) -> Option<String> {
    let owners = world.owners();
    let owner = owners.get(usize::from(whom) % owners.len().max(1))?;
    Some(owner.deployment.clone())
}

/// Starts a take-over of one of those that the record names.
fn take_over(world: &mut World, whom: u8, roll_back: bool) {
    if let Some(deployment) = named(world, whom) {
        take_over_of(world, &deployment, roll_back);
    }
}

/// Starts a take-over of a deployment.
pub(crate) fn take_over_of(world: &mut World, deployment: &str, roll_back: bool) {
    let then = if roll_back { "rollBack" } else { "continue" };
    world.execute(json!({"takeOver": {"deployment": deployment, "then": then}}));
}

fn nth(world: &World, who: u8, of: impl Fn(&Execution) -> bool) -> Option<usize> {
    let all: Vec<usize> = (0..world.executions.len())
        .filter(|index| of(&world.executions[*index]))
        .collect();
    all.get(usize::from(who) % all.len().max(1)).copied()
}

/// A running execution makes one step, or waits; nothing when none runs.
pub(crate) async fn step(world: &mut World, who: u8, mishap: Option<Mishap>) -> Result<(), Broken> {
    match nth(world, who, Execution::is_running) {
        Some(index) => step_of(world, index, mishap).await,
        None => Ok(()),
    }
}

async fn step_of(world: &mut World, index: usize, mishap: Option<Mishap>) -> Result<(), Broken> {
    let mut execution = world.executions[index].clone();
    let next = fits(execution.next(world.now))?;
    let done = match next {
        Next::Ended => {
            world.tell(format!("{} ends: {:?}", execution.name, execution.status));
            world.meet(execution.state.clone());
            Ok(())
        }
        Next::Wait(until) => {
            let seconds = until.duration_since(world.now).as_secs();
            world.executions[index] = execution;
            world.pass(seconds.max(1)).await;
            return Ok(());
        }
        Next::Task { arguments } => {
            let state = execution.state.clone();
            let call = fits(Call::new(&state, &arguments))?;
            let told = task(world, call, mishap).await?;
            world.meet(state.clone());
            let mishap = mishap.map_or(String::new(), |it| format!(" ({it:?})"));
            let words = match &told {
                Ok(payload) => words(&payload["Payload"]),
                Err(failure) => {
                    world.meet(format!("{state}: {}", failure.error));
                    format!("{}: {}", failure.error, failure.cause)
                }
            };
            world.tell(format!("{}: {state}{mishap}: {words}", execution.name));
            match told {
                Ok(result) => execution.answered(result, world.now),
                Err(failure) => execution.failed(&failure, world.now),
            }
        }
    };
    fits(done)?;
    world.executions[index] = execution;
    Ok(())
}

/// An answer in a few words.
fn words(answer: &Value) -> String {
    match (answer["next"].as_str(), answer["reason"].as_str()) {
        (Some(next), Some(reason)) => format!("{next}: {reason}"),
        _ => "done".to_owned(),
    }
}

fn fits<T>(made: Result<T, String>) -> Result<T, Broken> {
    made.map_err(|how| Broken {
        rule: Rule::DefinitionFits,
        how,
    })
}

/// Does a Task: its result, or the failure that Step Functions sees.
async fn task(
    world: &mut World,
    call: Call,
    mishap: Option<Mishap>,
) -> Result<Result<Value, Failure>, Broken> {
    if mishap == Some(Mishap::NeverArrives) {
        world.lose(call);
        return Ok(Err(Failure::plain(TIMED_OUT)));
    }
    if let Some(Mishap::Aws { after, fault }) = mishap {
        let fault = match fault {
            AwsFault::Throttled => Fault::Refused("Throttling"),
            AwsFault::Denied => Fault::Refused("AccessDenied"),
            AwsFault::ReplyLost => Fault::ReplyLost,
            AwsFault::Unreachable => Fault::Unreachable,
        };
        world.fake.fail_after(Some((usize::from(after), fault)));
    }
    // A server that hung answers from then on: that is another world.
    let may_repeat = mishap.is_none() && !world.hangs();
    let answer = call_function(world, &call).await?;
    world.fake.fail_after(None);
    world.calls += 1;
    if let (true, Ok(answer)) = (may_repeat && world.calls.is_multiple_of(REPEATED), &answer) {
        repeat(world, &call, answer).await?;
    }
    if mishap == Some(Mishap::ReplyLost) {
        return Ok(Err(Failure::plain(TIMED_OUT)));
    }
    Ok(answer.map(|payload| json!({ "Payload": payload })))
}

/// Calls a handler once and judges what it did.
async fn call_function(world: &mut World, call: &Call) -> Result<Result<Value, Failure>, Broken> {
    let hangs = world.hangs();
    let before = aws::weights(&world.fake);
    let stood = rules::Stood::now(world);
    aws::know_executions(&world.fake, &world.executions);
    world.fake.journal();
    let called = world
        .functions
        .call(&call.function, &call.payload, world.now, hangs);
    let ended = Box::pin(called).await;
    let noted = world.fake.journal();
    for (name, input) in aws::started(&world.fake) {
        world.tell(format!("{name} is started"));
        world.add_execution(&name, input);
    }
    rules::changes(world, call, &noted, &stood)?;
    let answer = match ended {
        Ok(answer) => {
            rules::answer(world, call, &answer, &stood)?;
            Ok(answer)
        }
        Err(Ended::Failed(error, cause)) => {
            rules::error(call, &error, &cause)?;
            Err(Failure { error, cause })
        }
        Err(Ended::Broken(how)) => {
            return Err(Broken {
                rule: Rule::ErrorsAreNamed,
                how: format!("{}: {how}", call.state),
            });
        }
    };
    if hangs {
        world.wake(&call.function);
    }
    if aws::weights(&world.fake) != before {
        world.remember_weights(before);
        world.meddled = false;
    }
    world.follow().await;
    Ok(answer)
}

/// The same ask gets the same answer, and every other call finds nothing left to do.
async fn repeat(world: &mut World, call: &Call, first: &Value) -> Result<(), Broken> {
    let state = |world: &World| (world.things(), world.servers(), world.record());
    let before = state(world);
    let running = world.executions.len();
    let answer = call_function(world, call).await?;
    let after = state(world);
    demand(before == after, Rule::RepeatChangesNothing, || {
        format!("{} again: {before:?} became {after:?}", call.state)
    })?;
    demand(
        world.executions.len() == running,
        Rule::RepeatChangesNothing,
        || format!("{} again starts another execution", call.state),
    )?;
    match answer {
        Err(failure) => Err(Broken {
            rule: Rule::RepeatChangesNothing,
            how: format!("{} again fails: {failure:?}", call.state),
        }),
        Ok(answer) => demand(
            call.function != "KeepRecord" || answer == *first,
            Rule::RepeatChangesNothing,
            || format!("{} again answers {answer} after {first}", call.state),
        ),
    }
}
