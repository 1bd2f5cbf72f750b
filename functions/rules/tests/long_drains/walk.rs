//! The order of the states, read from the definition that ships.
//!
//! Knows what the definition uses: a Choice compares one word of the document, a Wait has a number or takes one of it.

use serde_json::Value;

/// The definition.
pub(crate) struct Walk {
    machine: Value,
}

/// A state, as far as walking is concerned.
#[derive(Debug)]
pub(crate) enum State {
    /// A Task: what it is to do.
    Task(String),
    /// A Choice, and where it leads.
    Choice(String),
    /// A Wait, in seconds.
    Wait(u64),
    /// The end of the execution.
    End,
}

impl Walk {
    pub(crate) fn new() -> Self {
        let text = include_str!("../../../../statemachine.asl.json");
        Self {
            machine: serde_json::from_str(text).unwrap(),
        }
    }

    pub(crate) fn start(&self) -> String {
        text(&self.machine["StartAt"])
    }

    pub(crate) fn state(&self, name: &str, document: &Value) -> State {
        let state = &self.machine["States"][name];
        match state["Type"].as_str().unwrap() {
            "Task" => State::Task(text(&state["Arguments"]["Payload"]["act"])),
            "Choice" => State::Choice(choose(state, document)),
            "Wait" => State::Wait(match &state["Seconds"] {
                Value::Number(seconds) => seconds.as_u64().unwrap(),
                expression => at(document, path(expression.as_str().unwrap()))
                    .as_u64()
                    .unwrap(),
            }),
            "Succeed" | "Fail" => State::End,
            other => panic!("{name} is a {other}"),
        }
    }

    pub(crate) fn next(&self, name: &str) -> String {
        text(&self.machine["States"][name]["Next"])
    }
}

fn choose(state: &Value, document: &Value) -> String {
    for choice in state["Choices"].as_array().unwrap() {
        let condition = inner(choice["Condition"].as_str().unwrap());
        let holds = match condition.split_once(" = ") {
            Some((left, word)) => {
                at(document, path(left)).as_str() == Some(word.trim_matches('\''))
            }
            None => !at(document, path(condition)).is_null(),
        };
        if holds {
            return text(&choice["Next"]);
        }
    }
    text(&state["Default"])
}

fn inner(expression: &str) -> &str {
    let inner = expression
        .strip_prefix("{%")
        .and_then(|it| it.strip_suffix("%}"));
    inner.unwrap_or(expression).trim()
}

/// The path below `$states.input`.
fn path(expression: &str) -> &str {
    let expression = inner(expression);
    let expression = expression.strip_prefix("$exists(").unwrap_or(expression);
    let expression = expression.trim_end_matches(')');
    expression.strip_prefix("$states.input.").unwrap()
}

fn at<'a>(document: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(document, |value, key| &value[key])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
