//! A path through the model as a story in words.

use std::fmt::Write as _;

use crate::action::Action;
use crate::calls::Mishap;
use crate::server::{Life, Order};
use crate::shipped::instance;
use crate::world::{At, Call, Mark, Task, Turn, World};

/// The steps of a path, one a line, and what went wrong at its end.
pub fn tell(path: &[(World, Option<Action>)], wrong: &str) -> String {
    let mut story = String::new();
    for (number, (world, action)) in path.iter().enumerate() {
        let Some(action) = action else {
            continue;
        };
        let after = path.get(number + 1).map_or(world, |(after, _)| after);
        let _ = writeln!(
            story,
            "  {:>3}. {}",
            number + 1,
            sentence(world, *action, after)
        );
    }
    let _ = writeln!(story, "       => broken: {wrong}");
    story
}

fn name(world: &World, number: usize) -> String {
    let colour = if world.servers[number].group == world.record.blue {
        "blue"
    } else {
        "green"
    };
    format!("{colour} {}", instance(number))
}

fn holds(world: &World, number: usize) -> String {
    let server = &world.servers[number];
    format!(
        "{} has {} busy, {} idle, {} carried",
        name(world, number),
        server.busy,
        server.idle,
        server.carried
    )
}

fn sentence(world: &World, action: Action, after: &World) -> String {
    let of = |number| name(world, number);
    let has = |number| holds(after, number);
    match action {
        Action::Arrive(number) if has(number) == holds(world, number) => {
            format!(
                "{} refuses a new session, which the load balancer may still send",
                of(number)
            )
        }
        Action::Arrive(number) => format!("a session comes: {}", has(number)),
        Action::Straggle(number) => {
            format!("a session comes although all had settled: {}", has(number))
        }
        Action::Rest(number) => format!("a session goes idle: {}", has(number)),
        Action::Use(number) => format!("an idle session is used: {}", has(number)),
        Action::Leave(number) => format!("a busy session ends: {}", has(number)),
        Action::Close(number) => format!("an idle session ends: {}", has(number)),
        Action::Carry(number) => format!(
            "a request comes to be carried for another server: {}",
            has(number)
        ),
        Action::Carried(number) => format!("a carried request ends: {}", has(number)),
        Action::Settle => "the load balancer has settled".to_owned(),
        Action::Tick => "time passes (settling, then half of the bake each)".to_owned(),
        Action::Write(number) => format!("{} has its seal on the disk", of(number)),
        Action::Crash(number) => format!("the process on {} dies", of(number)),
        Action::Start(number) => {
            let mode = after.servers[number].admission.mode;
            format!("the process on {} starts again, {mode:?}", of(number))
        }
        Action::Deliver(number) => {
            let late = world.servers[number]
                .late
                .map(|sent| (sent.order, sent.epoch));
            let mode = after.servers[number].admission.mode;
            match late {
                Some((order, epoch)) => format!(
                    "the late order to {} of epoch {epoch} arrives at {}, now {mode:?}",
                    ordered(order),
                    of(number)
                ),
                None => String::new(),
            }
        }
        Action::OpenByHand(number) => {
            let mode = after.servers[number].admission.mode;
            format!("an operator resumes {} by hand, now {mode:?}", of(number))
        }
        Action::Lose(number) => format!("an operator terminates {}, which hangs", of(number)),
        Action::Launch(number) => format!("Auto Scaling launches {}", of(number)),
        Action::Wish => "an operator asks to roll back".to_owned(),
        Action::Alarm(number) => format!("an alarm fires, {} rolls back", execution(number)),
        Action::Reject(number) => format!("{} rejects green", execution(number)),
        Action::Abandon(number) => format!(
            "{} is aborted at {:?}; its call goes on by itself",
            execution(number),
            world.executions[number].at
        ),
        Action::Redrive(number) => format!(
            "an operator redrives {} at {:?}",
            execution(number),
            world.executions[number].at
        ),
        Action::Begin(number, roll_back) => format!(
            "{} is started{}",
            execution(number),
            if roll_back {
                " to take over and roll back"
            } else {
                ""
            }
        ),
        Action::Go(number, mishap) => went(world, number, mishap, after),
        Action::Stray(number) => {
            let call = &world.strays[number];
            format!("the late call does {}", done(world, call, after))
        }
    }
}

fn execution(number: usize) -> String {
    format!("execution {}", number + 1)
}

fn ordered(order: Order) -> &'static str {
    match order {
        Order::Drain => "drain",
        Order::Resume => "resume",
        Order::Seal => "seal",
    }
}

fn went(world: &World, number: usize, mishap: Mishap, after: &World) -> String {
    let execution = &world.executions[number];
    let detail = match execution.call {
        Some(call) => done(world, &call, after),
        None => began(world, number, after),
    };
    let mishap = match mishap {
        Mishap::None => String::new(),
        Mishap::Unread(server) => format!("; {} does not answer in time", name(world, server)),
        Mishap::Late(server) => {
            format!("; the order to {} is on its way still", name(world, server))
        }
        Mishap::Unheard(server) => format!("; the answer of {} is lost", name(world, server)),
        Mishap::Unanswered => "; its answer is lost, it will be done again".to_owned(),
    };
    format!("{:?}{detail}{mishap}", execution.at)
}

fn began(world: &World, number: usize, after: &World) -> String {
    let (before, now) = (&world.executions[number], &after.executions[number]);
    match before.at {
        At::SwitchTargetGroup | At::SwitchBack | At::ConfirmSwitch | At::ConfirmWeights => {
            format!(
                ": weights are {}/{}",
                after.weights[usize::from(before.blue)],
                after.weights[usize::from(1 - before.blue)]
            )
        }
        At::DrainIdle => {
            let modes: Vec<String> = after
                .of(before.retiring.servers)
                .map(|server| {
                    format!(
                        "{} is {:?}",
                        name(after, server),
                        after.servers[server].admission.mode
                    )
                })
                .collect();
            format!(": {}", modes.join(", "))
        }
        At::CheckDrained => match &now.call {
            Some(call) => {
                let asked: Vec<String> = call
                    .marks
                    .iter()
                    .flatten()
                    .enumerate()
                    .filter(|(_, mark)| **mark == Mark::ToAsk)
                    .map(|(server, _)| name(world, server))
                    .collect();
                format!(
                    " reads; {} counts nothing and will be asked to seal",
                    asked.join(", ")
                )
            }
            None => checked(world, now.sealed),
        },
        At::TerminateBlue | At::RejectGreen | At::ClearGreen => {
            match now.call.and_then(|call| call.ending) {
                Some((chosen, _)) => format!(
                    " reads the record and decides to end {}",
                    names(world, chosen)
                ),
                None => " ends nobody".to_owned(),
            }
        }
        At::RollBack => format!(
            " raises the epoch from {} to {}",
            world.record.epoch, after.record.epoch
        ),
        At::HoldBlue | At::HoldBlueAgain | At::HoldGreen | At::ListBlue => {
            format!(" lists {}", names(world, now.retiring.servers))
        }
        _ => String::new(),
    }
}

fn checked(world: &World, sealed: u8) -> String {
    if sealed == 0 {
        " reads; nobody may be ended".to_owned()
    } else {
        format!(" concludes: {} may be ended", names(world, sealed))
    }
}

fn names(world: &World, servers: u8) -> String {
    let names: Vec<String> = world
        .of(servers)
        .map(|server| name(world, server))
        .collect();
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(", ")
    }
}

fn done(world: &World, call: &Call, after: &World) -> String {
    match (call.ending, call.marks) {
        (Some((chosen, Turn::Deregister)), _) => format!(
            " deregisters {}{}",
            names(world, chosen),
            cut(world, chosen)
        ),
        (Some((_, Turn::Read)), _) => " reads the record once more".to_owned(),
        (Some((chosen, Turn::End)), _) => {
            let first = chosen & chosen.wrapping_neg();
            format!(" ends {}{}", names(world, first), cut(world, first))
        }
        (None, Some(marks)) => {
            if let Some(asked) = marks.iter().position(|mark| *mark == Mark::Asked) {
                format!(" hears from {}", name(world, asked))
            } else if let Some(next) = marks.iter().position(|mark| *mark == Mark::ToAsk) {
                let mode = after.servers[next].admission.mode;
                format!(" asks {} to seal, now {mode:?}", name(world, next))
            } else {
                String::new()
            }
        }
        (None, None) => match call.task {
            Task::Switch(green) => format!(
                " switch-target-group of epoch {} ({}/{green}): weights are {}/{}",
                call.epoch,
                100 - green,
                after.weights[usize::from(call.blue)],
                after.weights[usize::from(1 - call.blue)]
            ),
            task => format!(" {task:?} of epoch {}", call.epoch),
        },
    }
}

fn cut(world: &World, servers: u8) -> String {
    let holding = world
        .of(servers)
        .filter(|server| world.servers[*server].holds() && world.servers[*server].life == Life::Up);
    holding
        .map(|server| format!(", and cuts it: {}", holds(world, server)))
        .collect()
}
