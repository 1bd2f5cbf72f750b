//! The state machine that ships, and its expressions.
//!
//! Reads `statemachine.asl.json` as it is and evaluates its JSONata, so that what the handlers are called with is what
//! the definition makes and not what somebody believes it to make. Time is the world's: `$now` and `$millis` answer it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::OnceLock;

use jiff::Timestamp;
use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator};
use jsonata_core::parser::parse;
use jsonata_core::value::JValue;
use serde_json::{Map, Value};

use crate::stack;

/// The whole definition.
fn machine() -> &'static Value {
    static MACHINE: OnceLock<Value> = OnceLock::new();
    MACHINE.get_or_init(|| {
        serde_json::from_str(include_str!("../../statemachine.asl.json"))
            .expect("the definition is JSON")
    })
}

/// Where an execution starts.
pub(crate) fn start() -> &'static str {
    machine()["StartAt"].as_str().expect("StartAt is a name")
}

/// One state.
pub(crate) fn state(name: &str) -> &'static Value {
    let state = &machine()["States"][name];
    assert!(state.is_object(), "the definition has no state {name}");
    state
}

/// The states that do something or end an execution.
pub(crate) fn tasks_and_ends() -> impl Iterator<Item = &'static str> {
    let states = machine()["States"].as_object().expect("States");
    let lasts =
        |state: &Value| state["Type"] == "Task" || state["End"] == true || state["Next"].is_null();
    let shown = states
        .iter()
        .filter(move |(_, state)| lasts(state) && state["Type"] != "Choice");
    shown.map(|(name, _)| name.as_str())
}

/// What an expression sees as `$states`, at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) states: Value,
    pub(crate) now: Timestamp,
    /// How many passes an execution makes, as the stack says.
    pub(crate) passes: u32,
}

impl Scope {
    /// A template with its expressions' values in it. None where an expression has no value: Step Functions fails then.
    pub(crate) fn fill(&self, template: &Value) -> Result<Value, String> {
        match template {
            Value::String(text) => match expression(text) {
                Some(expression) => self.evaluate(expression),
                None => Ok(Value::String(self.substituted(text))),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => {
                let filled = fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), self.fill(value)?)));
                filled
                    .collect::<Result<Map<_, _>, String>>()
                    .map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }

    /// Whether a Choice's condition holds.
    pub(crate) fn holds(&self, condition: &Value) -> Result<bool, String> {
        match self.fill(condition)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(format!("{condition} is {other} and no boolean")),
        }
    }

    /// A text with what the stack puts into the definition; functions keep their names.
    fn substituted(&self, text: &str) -> String {
        let Some(name) = text.strip_prefix("${").and_then(|it| it.strip_suffix('}')) else {
            return text.to_owned();
        };
        match name.strip_suffix("FunctionArn") {
            Some(function) => function.to_owned(),
            None if name == "PassesPerExecution" => self.passes.to_string(),
            None => stack::substitution(name),
        }
    }

    fn evaluate(&self, text: &str) -> Result<Value, String> {
        let mut context = Context::new();
        context.bind("states".to_owned(), JValue::from(self.states.clone()));
        let mut evaluator = Evaluator::with_context(context);
        let (now, millis) = (format!("{:.3}", self.now), self.now.as_millisecond());
        let fixed = [("now", JValue::from(now)), ("millis", JValue::from(millis))];
        for (name, value) in fixed {
            evaluator
                .register_fn_override(name, move |_: &[JValue]| Ok(value.clone()))
                .map_err(|error| format!("${name}: {error}"))?;
        }
        let value = evaluator
            .evaluate(&parsed(text), &JValue::Null)
            .map_err(|error| format!("{text}: {error}"))?;
        if value.is_undefined() {
            return Err(format!("{text} has no value"));
        }
        // By way of its text: there a whole number has no fraction, as Step Functions passes it on.
        let text = value.to_json_string().map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("{text}: {error}"))
    }
}

/// What stands between `{%` and `%}`.
fn expression(text: &str) -> Option<&str> {
    Some(text.strip_prefix("{%")?.strip_suffix("%}")?.trim())
}

/// The expression, parsed once: parsing takes longer than evaluating.
fn parsed(text: &str) -> Rc<AstNode> {
    thread_local! {
        static PARSED: RefCell<HashMap<String, Rc<AstNode>>> = RefCell::default();
    }
    PARSED.with_borrow_mut(|parsed| {
        let node = parsed.entry(text.to_owned()).or_insert_with(|| {
            Rc::new(parse(text).unwrap_or_else(|error| panic!("{text}: {error}")))
        });
        Rc::clone(node)
    })
}
