//! A path through the agent's model in words.

use super::closing::Doing;
use super::gate::Step;
use super::orders::Thread;
use super::world::{Element, Frame, Line, World};
use super::{Action, Agents};
use crate::checked::Way;
use crate::story::lines;

/// The steps of a path, one a line, and what went wrong at its end.
pub(super) fn tell(path: &Way<Agents>, wrong: &str) -> String {
    lines(path, wrong, |world, action, after| {
        who(world, action) + &differences(world, after)
    })
}

fn who(world: &World, action: Action) -> String {
    let client = |number: usize| format!("client {}", number + 1);
    match action {
        Action::Come(number) => format!("the SYN of {} passes the rules", client(number)),
        Action::Land(number, true) => {
            format!("{} is sent a cookie, and nothing is kept", client(number))
        }
        Action::Land(number, false) => format!("a packet of {} arrives", client(number)),
        Action::Complete(number) => format!("{} ends its handshake", client(number)),
        Action::GiveUp(number) => format!("the handshake of {} comes to nothing", client(number)),
        Action::Accept(number) => format!("the server accepts {}", client(number)),
        Action::Say(number) => format!("{} says something to its kernel", client(number)),
        Action::Send(number) => format!("what {} said passes the rules", client(number)),
        Action::Read(number) => format!("the server reads what {} said", client(number)),
        Action::Reply(number) => format!("the server replies to {}", client(number)),
        Action::Leave(number) => format!("{} leaves", client(number)),
        Action::Notice(number) => {
            format!("the server finds the end of what {} sends", client(number))
        }
        Action::Close(number) => format!("the server closes the session of {}", client(number)),
        Action::OlderFreeze(number) => format!("time passes for the freeze of {}", client(number)),
        Action::OlderDrop => "time passes for the drop".to_owned(),
        Action::LapseRefusal => "the refusal of new connections lapses".to_owned(),
        Action::Flush(what) => format!("somebody flushes the rules: {what:?}"),
        Action::Kill => "the agent is killed".to_owned(),
        Action::Start => "the agent is started".to_owned(),
        Action::Order(kind) => format!("the agent is ordered: {kind:?}"),
        Action::Report => "the agent is asked for a report".to_owned(),
        Action::KeepUp => "the agent looks after its rules".to_owned(),
        Action::Choose(number) => format!("the agent chooses {}, which is idle", client(number)),
        Action::Go(thread) => format!("the agent {}", step(world, thread)),
    }
}

fn step(world: &World, thread: Thread) -> &'static str {
    let agent = world.agent.as_ref();
    let run = match thread {
        Thread::Order => agent.and_then(|agent| agent.order),
        Thread::KeepUp => agent.and_then(|agent| agent.keeping),
        Thread::Closing => {
            let closing = agent.and_then(|agent| agent.closing);
            return closing.map_or("", |closing| closes(closing.doing));
        }
    };
    run.map_or("", |run| does(run.step))
}

fn does(step: Step) -> &'static str {
    match step {
        Step::Look => "looks whether anything is in use",
        Step::Drop => "drops every packet",
        Step::Bar | Step::BarAgain => "begins a barrier",
        Step::Await | Step::AwaitAgain => "has waited for the packets under way",
        Step::Count | Step::CountAgain => "counts",
        Step::Judge | Step::JudgeAgain => {
            "finds the rules untouched, or not, and judges by the count"
        }
        Step::Lift(_) | Step::LiftOld => "ends a drop",
        Step::Write => "writes its seal",
        Step::Install => "puts its table there",
        Step::Accept => "takes new connections",
        Step::Refuse => "refuses new connections",
        Step::Written => "has written, and finds the rules untouched, or not",
        Step::Bolt => "refuses everything for good, if the drop stands",
        Step::Unbolt => "takes the refusal back, because of the count",
        Step::Later(_) => "will enforce the seal later",
        Step::AnswerRules => "compares the rules for its answer",
        Step::AnswerSockets => "counts for its answer",
        Step::Over(None) => "has done it",
        Step::Over(Some(_)) => "has failed",
    }
}

fn closes(doing: Doing) -> &'static str {
    match doing {
        Doing::Freeze => "freezes the session",
        Doing::Bar => "begins a barrier",
        Doing::Await => "has waited for its packet under way",
        Doing::Rules => "finds the rules untouched, or not",
        Doing::Look => "looks whether anything has passed since",
        Doing::Clock => "looks at the clock",
        Doing::ShutDown => "shuts the server's side down",
        Doing::Thaw => "leaves it alone, and thaws",
    }
}

fn differences(before: &World, after: &World) -> String {
    let mut parts = Vec::new();
    if before.table != after.table {
        parts.push(format!("the rules are {}", rules(after)));
    }
    for (number, (was, is)) in before.clients.iter().zip(&after.clients).enumerate() {
        if was.frozen != is.frozen {
            parts.push(format!(
                "the freeze of client {} is {:?}",
                number + 1,
                is.frozen
            ));
        }
        if was.line != is.line {
            parts.push(format!("client {} is {}", number + 1, line(is.line)));
        }
    }
    if before.disk != after.disk {
        parts.push("the disk says sealed".to_owned());
    }
    if before.promised != after.promised && after.promised {
        parts.push("it answers that it is sealed".to_owned());
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join("; "))
    }
}

fn rules(world: &World) -> String {
    let table = &world.table;
    match table.frame {
        Frame::Missing => return "gone".to_owned(),
        Frame::Emptied => return "asked by nobody".to_owned(),
        Frame::Whole => {}
    }
    let mut sets = Vec::new();
    if table.dropped != Element::Off {
        sets.push(format!("drop everything ({:?})", table.dropped));
    }
    if table.refused {
        sets.push("refuse new connections".to_owned());
    }
    if table.sealed {
        sets.push("refuse everything for good".to_owned());
    }
    if sets.is_empty() {
        "there, and refuse nothing".to_owned()
    } else {
        sets.join(", ")
    }
}

fn line(line: Line) -> String {
    match line {
        Line::Open(session) => {
            let accepted = if session.accepted {
                "accepted"
            } else {
                "not accepted"
            };
            let data = session.data;
            format!(
                "connected, {accepted}, said: {data:?}, end: {:?}",
                session.ending
            )
        }
        other => format!("{other:?}"),
    }
}
