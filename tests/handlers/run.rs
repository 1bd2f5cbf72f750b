//! Runs a case: events happen to the world, executions make their steps, and the rules are asked after each.

use ebbtide_aws::fake::Fault;
use serde_json::{Value, json};
use tunnel::admission::Mode;

use crate::event::{AwsFault, Case, Event, Mishap};
use crate::execution::{Execution, Next, Status, arn};
use crate::functions::Ended;
use crate::rules::{self, Broken, Rule, demand};
use crate::world::{Call, World};

/// One call in so many is made once more at once, to see that nothing changes.
const REPEATED: usize = 3;

/// Lets a case happen to a fresh world.
pub(crate) async fn run(world: &mut World, case: &Case) -> Result<(), Broken> {
    world.deploy();
    for _ in 0..case.setup.begun {
        step(world, 0, None).await?;
    }
    for event in &case.events {
        world.tell(format!("{event:?}"));
        happen(world, event).await?;
        rules::standing(world)?;
    }
    Ok(())
}

async fn happen(world: &mut World, event: &Event) -> Result<(), Broken> {
    match event {
        Event::Go { who, steps } => {
            for _ in 0..*steps {
                step(world, *who, None).await?;
            }
        }
        Event::Step { who, mishap } => step(world, *who, Some(*mishap)).await?,
        Event::Late { call } => {
            let count = world.calls.len();
            if count > 0 {
                let late = world.calls[count - 1 - usize::from(*call) % count].clone();
                world.tell(format!("late: {}", late.state));
                let _ = call_function(world, &late).await?;
            }
        }
        Event::Redrive { who } => {
            let redriven = nth(world, *who, |it| {
                matches!(it.status, Status::Failed(_) | Status::Stopped)
            });
            if let Some(index) = redriven {
                world.executions[index].redrive();
            }
        }
        Event::Stop { who } => {
            if let Some(index) = nth(world, *who, Execution::is_running) {
                world.executions[index].status = Status::Stopped;
            }
        }
        Event::Deploy => start(world, World::deploy),
        Event::TakeOver { roll_back } => start(world, |world| take_over(world, *roll_back)),
        Event::AskToRollBack => start(world, |world| {
            if let Some(owner) = world.table.of_record("owner").map(str::to_owned) {
                world.execute(json!({ "rollBack": owner }));
            }
        }),
        Event::Alarm(fires) => world.alarm = *fires,
        Event::Pass { seconds } => world.pass(i64::from(*seconds)).await,
        Event::Arrive { at, busy, stale } => world.arrive(*at, *busy, *stale),
        other => to_server(world, other).await,
    }
    Ok(())
}

async fn to_server(world: &mut World, event: &Event) {
    match *event {
        // Neither users nor other servers know one that never had weight.
        Event::Come { at } if serves(world, at) => {
            world.with_server(at, |server| server.coming = 1);
        }
        Event::Turn { at } => world.with_server(at, |server| server.turn()),
        Event::Leave { at } => world.with_server(at, |server| server.leave()),
        Event::Carry { at } if serves(world, at) => world.with_server(at, |server| server.carry()),
        Event::Trouble {
            at,
            trouble,
            orders_only,
        } => world.with_server(at, |server| server.trouble = Some((trouble, orders_only))),
        Event::Recover => recover(world),
        Event::Crash { at } => {
            world.with_server(at, |server| server.crash());
            world.follow().await;
        }
        Event::Restart { at } => {
            restart(world, Some(at));
            world.follow().await;
        }
        Event::Ill { at } => world.fall_ill(at).await,
        Event::EndInstance { at } => {
            let mut of = None;
            world.with_server(at, |server| of = Some(server.instance.clone()));
            if let Some(id) = of.filter(|id| !is_last_of_its_group(world, id)) {
                world.end_instance(&id).await;
            }
        }
        _ => {}
    }
}

/// Whether nobody would serve in its group without it: then it is not ended for fun. One that drains or has sealed may be.
fn is_last_of_its_group(world: &World, id: &str) -> bool {
    let takes = world
        .server(id)
        .is_some_and(|server| server.admission.mode == Mode::Open);
    let things = world.things();
    let mut groups = things.targets.iter().map(|(_, targets)| targets);
    let group = groups.find(|targets| targets.iter().any(|it| it.instance == id));
    let others = group.is_some_and(|targets| {
        targets
            .iter()
            .filter(|it| it.registered && it.instance != id)
            .any(|it| world.server(&it.instance).is_some_and(|it| it.is_open()))
    });
    takes && !others
}

fn serves(world: &mut World, at: u8) -> bool {
    let mut instance = None;
    world.with_server(at, |server| instance = Some(server.instance.clone()));
    instance.is_some_and(|id| world.ledger.has_served(&id))
}

/// Every server answers well.
pub(crate) fn recover(world: &mut World) {
    for server in world.fleet.servers().by_ip.values_mut() {
        server.trouble = None;
    }
}

/// Starts one process anew, or all that are dead; those of instances that are gone stay dead.
pub(crate) fn restart(world: &mut World, at: Option<u8>) {
    let things = world.things();
    let lives = |id: &str| {
        things
            .instances
            .iter()
            .any(|it| it.id == id && it.is_live())
    };
    let mut servers = world.fleet.servers();
    let count = servers.by_ip.len().max(1);
    for (number, server) in servers.by_ip.values_mut().enumerate() {
        let asked = at.map_or(!server.up, |at| usize::from(at) % count == number);
        if asked && lives(&server.instance) {
            server.restart();
        }
    }
}

/// At most so many executions are started; there are as many addresses as they need.
fn start(world: &mut World, begin: impl FnOnce(&mut World)) {
    if world.executions.len() < 6 {
        begin(world);
    }
}

/// Starts a take-over of the owner, if there is one.
pub(crate) fn take_over(world: &mut World, roll_back: bool) {
    if let Some(owner) = world.table.of_record("owner").map(str::to_owned) {
        let then = if roll_back { "rollBack" } else { "continue" };
        world.execute(json!({"takeOver": {"deployment": owner, "then": then}}));
    }
}

fn nth(world: &World, who: u8, of: impl Fn(&Execution) -> bool) -> Option<usize> {
    let all: Vec<usize> = (0..world.executions.len())
        .filter(|index| of(&world.executions[*index]))
        .collect();
    all.get(usize::from(who) % all.len().max(1)).copied()
}

/// A running execution makes one step, or waits; nothing when none runs.
pub(crate) async fn step(world: &mut World, who: u8, mishap: Option<Mishap>) -> Result<(), Broken> {
    let Some(index) = nth(world, who, Execution::is_running) else {
        return Ok(());
    };
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
        Next::Task {
            resource,
            arguments,
        } => {
            let state = execution.state.clone();
            let told = task(world, &state, &resource, &arguments, mishap).await?;
            let words = match &told {
                Ok(_) => "done".to_owned(),
                Err(error) => error.clone(),
            };
            world.meet(state.clone());
            if told.is_err() {
                world.meet(format!("{state}: {words}"));
            }
            let mishap = mishap.map_or(String::new(), |it| format!(" ({it:?})"));
            world.tell(format!("{}: {state}{mishap}: {words}", execution.name));
            match told {
                Ok(result) => execution.answered(result, world.now),
                Err(error) => execution.failed(&error, world.now),
            }
        }
    };
    fits(done)?;
    world.executions[index] = execution;
    Ok(())
}

fn fits<T>(made: Result<T, String>) -> Result<T, Broken> {
    made.map_err(|how| Broken {
        rule: Rule::DefinitionFits,
        how,
    })
}

/// Does a Task: its result, or the error that Step Functions sees.
async fn task(
    world: &mut World,
    state: &str,
    resource: &str,
    arguments: &Value,
    mishap: Option<Mishap>,
) -> Result<Result<Value, String>, Broken> {
    let service = resource.rsplit(':').nth(1).unwrap_or_default();
    if service == "lambda" {
        return lambda(world, state, arguments, mishap).await;
    }
    // The integration's own retries hide nothing here: whatever AWS does wrong, the Task sees.
    let (acts, answers, error) = match mishap {
        None => (true, true, ""),
        Some(
            Mishap::ReplyLost
            | Mishap::Aws {
                fault: AwsFault::ReplyLost,
                ..
            },
        ) => (true, false, "States.Timeout"),
        Some(_) => (false, false, "ThrottlingException"),
    };
    let prefix = match service {
        "dynamodb" => "DynamoDb.",
        "sfn" => "Sfn.",
        _ => "CloudWatch.",
    };
    let answer = if acts {
        integration(world, resource, arguments).map_err(|error| format!("{prefix}{error}"))
    } else {
        Err(format!("{prefix}{error}"))
    };
    Ok(if acts && !answers {
        Err(error.to_owned())
    } else {
        answer
    })
}

fn integration(world: &mut World, resource: &str, arguments: &Value) -> Result<Value, String> {
    let of_name = |world: &World, name: &str| {
        world
            .executions
            .iter()
            .find(|it| it.name == name)
            .map(Execution::words)
    };
    match resource.rsplit(':').next().unwrap_or_default() {
        "getItem" => Ok(world.table.get(arguments)),
        "updateItem" => {
            let answer = world.table.update(arguments);
            world.publish_record();
            answer.ok_or_else(|| "ConditionalCheckFailedException".to_owned())
        }
        "describeAlarms" => {
            let state = if world.alarm { "ALARM" } else { "OK" };
            let alarm = json!({"AlarmName": "errors", "StateValue": state});
            Ok(json!({"MetricAlarms": [alarm], "CompositeAlarms": []}))
        }
        "describeExecution" => {
            let asked = arguments["ExecutionArn"].as_str().unwrap_or_default();
            let name = asked.rsplit(':').next().unwrap_or_default();
            let status = of_name(world, name);
            let status = status.ok_or_else(|| "ExecutionDoesNotExistException".to_owned())?;
            Ok(json!({ "Status": status }))
        }
        "startExecution" => {
            let name = arguments["Name"].as_str().expect("a name").to_owned();
            if of_name(world, &name).is_some() {
                return Err("ExecutionAlreadyExistsException".to_owned());
            }
            let input = arguments["Input"].as_str().expect("an input");
            let input = serde_json::from_str(input).expect("the input is JSON");
            let answer = json!({ "ExecutionArn": arn(&name) });
            world.executions.push(Execution::new(&name, input));
            Ok(answer)
        }
        other => panic!("the definition calls {other}, which no test knows"),
    }
}

async fn lambda(
    world: &mut World,
    state: &str,
    arguments: &Value,
    mishap: Option<Mishap>,
) -> Result<Result<Value, String>, Broken> {
    let function = arguments["FunctionName"].as_str().unwrap_or_default();
    let function = function
        .trim_start_matches("${")
        .trim_end_matches("FunctionArn}");
    let call = Call {
        function: function.to_owned(),
        state: state.to_owned(),
        payload: arguments["Payload"].clone(),
    };
    if mishap == Some(Mishap::NeverArrives) {
        return Ok(Err("Lambda.Unknown".to_owned()));
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
    world.calls.push(call.clone());
    if may_repeat && answer.is_ok() && world.calls.len().is_multiple_of(REPEATED) {
        repeat(world, &call).await?;
    }
    if mishap == Some(Mishap::ReplyLost) {
        return Ok(Err("States.Timeout".to_owned()));
    }
    Ok(answer.map(|payload| json!({ "Payload": payload })))
}

/// Calls a handler once and judges what it did.
async fn call_function(world: &mut World, call: &Call) -> Result<Result<Value, String>, Broken> {
    let hangs = world.hangs();
    let before = world.fake.world().weights();
    world.fake.journal();
    let ended = world
        .functions
        .call(&call.function, &call.payload, world.now, hangs)
        .await;
    let noted = world.fake.journal();
    rules::changes(world, call, &noted)?;
    let answer = match ended {
        Ok(answer) => {
            rules::answer(world, call, &answer)?;
            Ok(answer)
        }
        Err(Ended::Failed(error, cause)) => {
            world.tell(format!("{} failed: {error}: {cause}", call.state));
            rules::error(call, &error, &cause)?;
            Err(error)
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
    if world.fake.world().weights() != before {
        world.remember_weights(before);
    }
    world.follow().await;
    Ok(answer)
}

async fn repeat(world: &mut World, call: &Call) -> Result<(), Broken> {
    let before = (world.things(), world.servers());
    let answer = call_function(world, call).await?;
    let after = (world.things(), world.servers());
    demand(before == after, Rule::RepeatChangesNothing, || {
        format!("{} again: {before:?} became {after:?}", call.state)
    })?;
    demand(answer.is_ok(), Rule::RepeatChangesNothing, || {
        format!("{} again fails: {answer:?}", call.state)
    })
}
