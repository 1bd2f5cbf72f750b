//! A path through the model as a story in words: who did what, and what is different since.

use std::fmt::Write as _;

use ebbtide_rules::record::{Front, Record, State};

use crate::action::Action;
use crate::calls::Mishap;
use crate::definition::DEFINITION;
use crate::shipped::LETTERS;
use crate::world::{Stray, World};

/// The steps of a path, one a line, and what went wrong at its end.
pub fn tell(path: &[(World, Option<Action>)], wrong: &str) -> String {
    lines(path, wrong, |world, action, after| {
        who(world, action) + &differences(world, after)
    })
}

/// The same of any model; `step` says what an action did, between two worlds.
pub(crate) fn lines<W, A: Copy>(
    path: &[(W, Option<A>)],
    wrong: &str,
    step: impl Fn(&W, A, &W) -> String,
) -> String {
    let mut story = String::new();
    for (number, (world, action)) in path.iter().enumerate() {
        let Some(action) = action else {
            continue;
        };
        let after = path.get(number + 1).map_or(world, |(after, _)| after);
        let told = step(world, *action, after);
        let _ = writeln!(story, "  {:>3}. {told}", number + 1);
    }
    let _ = writeln!(story, "       => broken: {wrong}");
    story
}

fn who(world: &World, action: Action) -> String {
    let server = |number: usize| server(world, number);
    match action {
        Action::Arrive(number) => format!("a session comes to {}", server(number)),
        Action::Straggle(number) => {
            format!(
                "a session comes to {} although all had settled",
                server(number)
            )
        }
        Action::Rest(number) => format!("a session on {} goes idle", server(number)),
        Action::Use(number) => format!("an idle session on {} is used", server(number)),
        Action::Leave(number) => format!("a busy session on {} ends", server(number)),
        Action::Close(number) => format!("an idle session on {} ends", server(number)),
        Action::Carry(number) => {
            format!(
                "a request comes to be carried for another server by {}",
                server(number)
            )
        }
        Action::Carried(number) => format!("the request carried by {} ends", server(number)),
        Action::Knock(number) => format!("a handshake with {} begins", server(number)),
        Action::ComeIn(number) => format!("it ends, with {}", server(number)),
        Action::GoAway(number) => format!("a handshake with {} comes to nothing", server(number)),
        Action::Settle => "the load balancer has settled".to_owned(),
        Action::Tick => "time passes".to_owned(),
        Action::Write(number) => format!("{} has its seal on the disk", server(number)),
        Action::Enforce(number) => {
            format!(
                "{} refuses everything for good, unless it is in use",
                server(number)
            )
        }
        Action::Falter(number) => format!("{} cannot tell whether it is in use", server(number)),
        Action::Crash(number) => format!("the process on {} dies", server(number)),
        Action::Start(number) => format!("the process on {} starts again", server(number)),
        Action::StartInUse(number) => {
            format!(
                "the process on {} starts again, and finds it in use",
                server(number)
            )
        }
        Action::Deliver(number) => format!("the late order arrives at {}", server(number)),
        Action::OpenByHand(number) => format!("an operator resumes {} by hand", server(number)),
        Action::Lose(number) => format!("an operator terminates {}, which hangs", server(number)),
        Action::Launch(number) => format!("Auto Scaling launches {}", server(number)),
        Action::Wish(whose, verb) => {
            let deployment = crate::shipped::deployment(whose);
            format!("an operator tells {deployment}: {}", verb.field())
        }
        Action::Alarm(number) => format!("{}, and an alarm fires", at(world, number)),
        Action::Reject(number) => format!("{} finds green unfit", at(world, number)),
        Action::Abandon(number) => {
            format!(
                "{} is aborted; its call goes on by itself",
                at(world, number)
            )
        }
        Action::Redrive(number) => format!("an operator redrives {}", at(world, number)),
        Action::Begin(number) => format!("{} is started, and plans", name(world, number)),
        Action::Go(number, mishap) => format!("{}{}", at(world, number), went_wrong(world, mishap)),
        Action::Stray(number) => stray(world, &world.strays[number]),
    }
}

fn went_wrong(world: &World, mishap: Mishap) -> String {
    match mishap {
        Mishap::None => String::new(),
        Mishap::Unread(number) => format!("; {} does not answer in time", server(world, number)),
        Mishap::Late(number) => {
            format!(
                "; the order to {} is on its way still",
                server(world, number)
            )
        }
        Mishap::Unheard(number) => format!("; the answer of {} is lost", server(world, number)),
        Mishap::Unanswered => "; its answer is lost, it will be done again".to_owned(),
        Mishap::GivenUp => "; the call is given up before it begins, and may begin late".to_owned(),
        Mishap::Decided => "; the call is given up after its decision, and may act late".to_owned(),
    }
}

fn stray(world: &World, stray: &Stray) -> String {
    let state = DEFINITION.name(stray.call.at);
    let whose = name(world, usize::from(stray.call.execution));
    let doing = match (stray.call.effect, stray.call.write) {
        (Some(effect), _) => format!(" does {effect:?}"),
        (_, Some(_)) => " writes what it had decided".to_owned(),
        _ => String::new(),
    };
    format!("the late call of {whose} at {state}{doing}")
}

fn name(world: &World, number: usize) -> &'static str {
    let arn = world.executions[number].arn.get();
    arn.rsplit(':').next().unwrap_or(arn)
}

fn at(world: &World, number: usize) -> String {
    let state = DEFINITION.name(world.executions[number].at);
    format!("{} at {state}", name(world, number))
}

fn server(world: &World, number: usize) -> String {
    let letter = LETTERS[usize::from(world.servers[number].group)];
    format!("{} of {letter}", world.instance(number))
}

/// What is different, in the words of each part of the world.
fn differences(before: &World, after: &World) -> String {
    let mut parts = Vec::new();
    if before.weights != after.weights {
        parts.push(format!("the action is {}", action(after)));
    }
    if record(before.record()) != record(after.record()) {
        parts.push(format!("the record says {}", record(after.record())));
    }
    for number in 0..after.servers.len() {
        let (was, is) = (told(before, number), told(after, number));
        if was != is {
            parts.push(format!("{} is {is}", server(after, number)));
        }
    }
    for number in 0..before.executions.len() {
        let (was, is) = (
            before.executions[number].status,
            after.executions[number].status,
        );
        if was != is {
            parts.push(format!("{} is {is:?}", name(after, number)));
        }
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join("; "))
    }
}

fn action(world: &World) -> String {
    let named = (0..3).filter_map(|group| {
        let weight = world.weights[group]?;
        Some(format!("{}:{weight}", LETTERS[group]))
    });
    named.collect::<Vec<_>>().join(" ")
}

/// A record in a line.
pub fn record(record: &Record) -> String {
    let front = record
        .front
        .as_ref()
        .map_or("the front is free".to_owned(), |front| {
            let Front { owner, phase, .. } = front;
            format!("{owner} holds the front ({})", phase.word())
        });
    let retiring = record.retiring.iter().map(|entry| {
        let state = match entry.state {
            State::Draining => "is drained by",
            State::Gone => "is gone, for",
        };
        format!("{} {state} {}", entry.environment.name, entry.owner)
    });
    std::iter::once(front)
        .chain(retiring)
        .collect::<Vec<_>>()
        .join(", ")
}

fn told(world: &World, number: usize) -> String {
    let server = &world.servers[number];
    let held = if server.retiring.is_some() {
        ", held"
    } else {
        ""
    };
    format!(
        "{:?}, {:?}, {} busy, {} idle, {} carried, epoch {}{}{held}",
        server.life,
        server.admission.mode,
        server.busy,
        server.idle,
        server.carried,
        server.epoch,
        if server.registered {
            ""
        } else {
            ", deregistered"
        },
    )
}
