//! Every wish at every stage: before each Task of each road, and after its effect, where its reply was lost. Of a deployment that
//! waits at a gate, clears away what another left, is taken over or back, or hands its drain on, too.
//!
//! Then everybody goes on, somebody says `resume` where that is waited for, and the deployment ends well. That nothing moves
//! of what is paused is a rule that is asked about every write.

use ebbtide_rules::input::Verb;
use ebbtide_rules::plan::Gate;

use crate::event::{Case, Event, Mishap, Setup};
use crate::properties::outcome;

/// Cases that run at once.
const AT_ONCE: usize = 8;

/// The Tasks of a road, and what leads there besides a deployment.
struct Road {
    name: &'static str,
    approve: &'static [Gate],
    detached: bool,
    begins: fn() -> Vec<Event>,
    tasks: &'static [&'static str],
}

const ROADS: [Road; 10] = [
    Road {
        name: "promoted",
        approve: &[],
        detached: false,
        begins: Vec::new,
        tasks: &[
            "AttachGreen",
            "LaunchGreen",
            "TestGreen",
            "AskGreen",
            "RecordSwitch",
            "HoldRetiring",
            "SwitchTargetGroup",
            "AskService",
            "DrainIdle",
            "CheckDrained",
            "DecidePass",
            "TerminateBlue",
            "ReleaseService",
            "DetachRetired",
        ],
    },
    Road {
        name: "at a gate",
        approve: &[Gate::Switch, Gate::Seal],
        detached: false,
        begins: || vec![until("WaitBeforeSwitch"), go(1)],
        tasks: &["LaunchGreen", "TestGreen", "RecordSwitch"],
    },
    Road {
        name: "rolled back",
        approve: &[],
        detached: false,
        begins: || vec![until("DecidePass"), wish(Verb::RollBack), told(), go(1)],
        tasks: &["ResumeBlue", "SwitchBack", "LetBlueGo", "DecidePass"],
    },
    Road {
        name: "rejected",
        approve: &[],
        detached: false,
        begins: || vec![until("RecordSwitch"), wish(Verb::Abort), told(), go(1)],
        tasks: &["EndGreen", "LetBlueBe", "DetachGreen", "ReleaseFront"],
    },
    Road {
        name: "at the second gate",
        approve: &[Gate::Seal],
        detached: false,
        begins: || vec![until("DecidePass"), go(60)],
        tasks: &[
            "HoldRetiring",
            "SwitchTargetGroup",
            "AskService",
            "DrainIdle",
            "CheckDrained",
            "DecidePass",
        ],
    },
    Road {
        name: "superseding another, which is told by its name until then",
        approve: &[],
        detached: false,
        begins: || vec![until("TestGreen"), stop(), Event::Deploy],
        tasks: &[
            "PlanDeployment",
            "ClaimService",
            "EndGreen",
            "LetBlueBe",
            "DetachGreen",
            "ReleaseFront",
            "AskBlue",
        ],
    },
    Road {
        name: "taken over",
        approve: &[],
        detached: false,
        begins: || vec![until("DecidePass"), stop(), take_over(false)],
        tasks: &[
            "PlanDeployment",
            "ClaimService",
            "HoldRetiring",
            "SwitchTargetGroup",
            "DecidePass",
        ],
    },
    Road {
        name: "taken back",
        approve: &[],
        detached: false,
        begins: || vec![until("DecidePass"), stop(), take_over(true)],
        tasks: &[
            "ClaimService",
            "HoldRetiring",
            "DecidePass",
            "ResumeBlue",
            "SwitchBack",
            "LetBlueGo",
        ],
    },
    Road {
        name: "handing on",
        approve: &[],
        detached: true,
        begins: Vec::new,
        tasks: &["ContinueDrain"],
    },
    Road {
        name: "handed on",
        approve: &[],
        detached: true,
        begins: || vec![until("ContinueDrain"), go(1)],
        tasks: &["AdoptDrain", "HoldRetiring", "TerminateBlue"],
    },
];

fn stop() -> Event {
    Event::Stop {
        who: 0,
        under_way: false,
    }
}

fn take_over(roll_back: bool) -> Event {
    Event::TakeOver { whom: 0, roll_back }
}

fn until(state: &str) -> Event {
    Event::Until {
        who: 0,
        state: state.to_owned(),
    }
}

fn go(steps: u8) -> Event {
    Event::Go { who: 0, steps }
}

fn wish(verb: Verb) -> Event {
    Event::Wish { whom: 0, verb }
}

/// The execution that wishes goes on to its end.
fn told() -> Event {
    Event::Go { who: 1, steps: 4 }
}

fn case(road: &Road, task: &str, verb: Verb, after: bool) -> Case {
    let mut events = (road.begins)();
    events.push(until(task));
    if after {
        let mishap = Mishap::ReplyLost;
        events.push(Event::Step { who: 0, mishap });
    }
    // Twice, by two people.
    events.extend([wish(verb), told(), go(1), wish(verb), told(), go(7)]);
    Case {
        setup: Setup {
            blue: 1,
            scaling: false,
            steps: vec![50, 100],
            bake_seconds: 20,
            alarms: true,
            minimum_percent: 100,
            detached: road.detached,
            approve: road.approve.to_vec(),
            passes: 60,
            draining: 0,
            begun: 0,
        },
        events,
    }
}

/// Every one of a road's cases: before each Task and after its effect by turns, and all of them where more cases are asked for
/// (`EBBTIDE_CASES`, as `make prove` does). They wait as the handlers do, so they run side by side.
fn walk(road: &Road) {
    let all = std::env::var("EBBTIDE_CASES").is_ok();
    let each = |(place, task): (usize, &&'static str)| {
        let task = *task;
        Verb::ALL
            .into_iter()
            .enumerate()
            .flat_map(move |(turn, verb)| {
                let by_turns = (place + turn) % 2 == 1;
                [false, true]
                    .into_iter()
                    .filter(move |after| all || *after == by_turns)
                    .map(move |after| (task, verb, after))
            })
    };
    let cases: Vec<_> = road.tasks.iter().enumerate().flat_map(each).collect();
    std::thread::scope(|scope| {
        for some in cases.chunks(cases.len().div_ceil(AT_ONCE)) {
            scope.spawn(move || some.iter().for_each(|it| tried(road, *it)));
        }
    });
}

fn tried(road: &Road, (task, verb, after): (&str, Verb, bool)) {
    match outcome(&case(road, task, verb, after), true) {
        Ok(met) => assert!(met.contains_key(task), "{}: no {task}", road.name),
        Err((broken, story)) => {
            let when = if after { "after" } else { "before" };
            let wish = verb.field();
            let story = story.join("\n");
            panic!("{}: {wish} {when} {task}: {broken}\n{story}", road.name)
        }
    }
}

#[test]
fn every_wish_before_and_after_the_effect_of_every_task() {
    ROADS.iter().for_each(walk);
}
