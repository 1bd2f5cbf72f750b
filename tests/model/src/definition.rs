//! The order of the states, read from `statemachine.asl.json`: what follows a Task, by the words that were answered.
//!
//! Every condition of the definition compares a path with a word, and every output adds one key, so no JSONata engine is
//! needed. Whatever it says otherwise stops the checker, because then this reader has to learn it.

use std::sync::LazyLock;

use ebbtide_rules::document::{Act, Document};
use serde_json::Value;

const TEXT: &str = include_str!("../../../statemachine.asl.json");

/// The definition that ships.
pub static DEFINITION: LazyLock<Definition> = LazyLock::new(Definition::read);

/// The states, by number.
pub struct Definition {
    states: Vec<State>,
    start: u8,
}

struct State {
    name: String,
    kind: Kind,
}

enum Kind {
    /// A Task; `act` is none for PlanDeployment, which has a payload of its own.
    Task {
        act: Option<Act>,
        output: Output,
        next: u8,
        catch: Vec<Catch>,
    },
    Choice {
        rules: Vec<(Condition, u8)>,
        default: u8,
    },
    Wait {
        seconds: Seconds,
        next: u8,
    },
    Pass {
        output: Output,
        next: u8,
    },
    End,
}

struct Catch {
    errors: Vec<String>,
    output: Output,
    next: u8,
}

enum Condition {
    Exists(String),
    Is(String, String),
}

enum Seconds {
    Fixed(u64),
    At(String),
}

/// What becomes of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// It stays.
    Same,
    /// The answer, or the error, is added under this key.
    Added(String),
    /// Only the execution's input is kept.
    Requested,
    /// The input and the plan.
    Planned,
}

/// Where an execution stands next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The Task, or the final state.
    pub at: u8,
    /// How long it waits before that, in seconds.
    pub seconds: u64,
    /// Whether a Pass on the way dropped everything but the input.
    pub anew: bool,
}

impl Definition {
    /// A state's name.
    pub fn name(&self, state: u8) -> &str {
        &self.states[usize::from(state)].name
    }

    /// What a Task asks its function to do; none for PlanDeployment and for what is no Task.
    pub fn act(&self, state: u8) -> Option<Act> {
        match &self.states[usize::from(state)].kind {
            Kind::Task { act, .. } => *act,
            _ => None,
        }
    }

    /// Whether nothing follows.
    pub fn is_end(&self, state: u8) -> bool {
        matches!(self.states[usize::from(state)].kind, Kind::End)
    }

    /// Where an execution begins.
    pub fn start(&self) -> u8 {
        self.start
    }

    /// What an answered Task makes of the document, and the state after it.
    pub fn answered(&self, state: u8) -> (&Output, u8) {
        match &self.states[usize::from(state)].kind {
            Kind::Task { output, next, .. } => (output, *next),
            _ => unreachable!("{} is no Task", self.name(state)),
        }
    }

    /// Where a Task's error leads, if it is caught.
    pub fn caught(&self, state: u8, error: &str) -> Option<(&Output, u8)> {
        let Kind::Task { catch, .. } = &self.states[usize::from(state)].kind else {
            return None;
        };
        let catch = catch
            .iter()
            .find(|it| it.errors.iter().any(|name| name == error))?;
        Some((&catch.output, catch.next))
    }

    /// The Task or the end that follows from a state on.
    pub fn stand(&self, from: u8, document: &Document) -> Stand {
        let mut stand = Stand {
            at: from,
            seconds: 0,
            anew: false,
        };
        let value = || serde_json::to_value(document).unwrap_or_default();
        loop {
            stand.at = match &self.states[usize::from(stand.at)].kind {
                Kind::Task { .. } | Kind::End => return stand,
                Kind::Choice { rules, default } => {
                    let value = value();
                    let met = rules.iter().find(|(condition, _)| condition.is_met(&value));
                    met.map_or(*default, |(_, next)| *next)
                }
                Kind::Wait { seconds, next } => {
                    stand.seconds += match seconds {
                        Seconds::Fixed(seconds) => *seconds,
                        Seconds::At(path) => {
                            at(&value(), path).and_then(Value::as_u64).unwrap_or(0)
                        }
                    };
                    *next
                }
                Kind::Pass { output, next } => {
                    stand.anew |= *output == Output::Requested;
                    *next
                }
            };
        }
    }

    fn read() -> Self {
        let Ok(read) = serde_json::from_str::<Value>(TEXT) else {
            unreachable!("the definition is JSON");
        };
        let Some(states) = read["States"].as_object() else {
            unreachable!("the definition has states");
        };
        let names: Vec<&String> = states.keys().collect();
        let number = |name: &Value| {
            let found = names
                .iter()
                .position(|it| Some(it.as_str()) == name.as_str());
            match found.map(u8::try_from) {
                Some(Ok(found)) => found,
                _ => unreachable!("no state {name}"),
            }
        };
        Self {
            start: number(&read["StartAt"]),
            states: states
                .iter()
                .map(|(name, state)| State {
                    name: name.clone(),
                    kind: kind(state, &number),
                })
                .collect(),
        }
    }
}

impl Condition {
    fn is_met(&self, document: &Value) -> bool {
        match self {
            Self::Exists(path) => at(document, path).is_some_and(|found| !found.is_null()),
            Self::Is(path, word) => at(document, path).and_then(Value::as_str) == Some(word),
        }
    }

    fn read(text: &str) -> Self {
        let inner = inner(text);
        let exists = inner
            .strip_prefix("$exists(")
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some(found) = exists.and_then(path) {
            return Self::Exists(found);
        }
        let parts = inner.split_once(" = ");
        let parts = parts.and_then(|(left, word)| {
            let word = word.strip_prefix('\'')?.strip_suffix('\'')?;
            Some(Self::Is(path(left)?, word.to_owned()))
        });
        parts.unwrap_or_else(|| unreachable!("a condition that this reader does not know: {text}"))
    }
}

impl Output {
    fn read(value: &Value) -> Self {
        let Some(text) = value.as_str().map(inner) else {
            return Self::Same;
        };
        if text == "$states.input" {
            return Self::Same;
        }
        if text == "$states.input.requested" {
            return Self::Requested;
        }
        if text.starts_with("{\"requested\": $states.input") {
            return Self::Planned;
        }
        let added = text
            .strip_prefix("$merge([$states.input, {\"")
            .and_then(|rest| rest.split_once('"'));
        match added {
            Some((key, ": $states.result.Payload}])" | ": $states.errorOutput}])")) => {
                Self::Added(key.to_owned())
            }
            _ => unreachable!("an output that this reader does not know: {text}"),
        }
    }
}

fn kind(state: &Value, number: &impl Fn(&Value) -> u8) -> Kind {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match state["Type"].as_str().unwrap_or_default() {
        "Task" => Kind::Task {
            act: serde_json::from_value(state["Arguments"]["Payload"]["act"].clone()).ok(),
            output: Output::read(&state["Output"]),
            next: number(&state["Next"]),
            catch: list(&state["Catch"])
                .iter()
                .map(|catch| Catch {
                    errors: list(&catch["ErrorEquals"])
                        .iter()
                        .filter_map(|error| error.as_str().map(str::to_owned))
                        .collect(),
                    output: Output::read(&catch["Output"]),
                    next: number(&catch["Next"]),
                })
                .collect(),
        },
        "Choice" => Kind::Choice {
            rules: list(&state["Choices"])
                .iter()
                .map(|rule| {
                    let condition = rule["Condition"].as_str().unwrap_or_default();
                    (Condition::read(condition), number(&rule["Next"]))
                })
                .collect(),
            default: number(&state["Default"]),
        },
        "Wait" => Kind::Wait {
            seconds: match (state["Seconds"].as_u64(), state["Seconds"].as_str()) {
                (Some(seconds), _) => Seconds::Fixed(seconds),
                (None, Some(text)) => Seconds::At(path(inner(text)).unwrap_or_default()),
                (None, None) => unreachable!("a Wait without Seconds"),
            },
            next: number(&state["Next"]),
        },
        "Pass" => Kind::Pass {
            output: Output::read(&state["Output"]),
            next: number(&state["Next"]),
        },
        "Succeed" | "Fail" => Kind::End,
        other => unreachable!("a state of type {other}"),
    }
}

fn inner(text: &str) -> &str {
    text.trim_start_matches("{%").trim_end_matches("%}").trim()
}

fn path(text: &str) -> Option<String> {
    text.strip_prefix("$states.input.").map(str::to_owned)
}

fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(document, |value, key| value.get(key))
}
