//! Variants of a state machine's definition: started elsewhere, or with Tasks that fail on purpose.
//!
//! Pure: takes a definition as Step Functions describes it and hands one back. Knows no state by name. Staged redrives
//! and broken Tasks are both made of it; see [`crate::redrive`].

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What the cause of a failure made by a [`Variant`] contains.
pub const ON_PURPOSE: &str = "broken on purpose";

/// Names in `ErrorEquals` that a failing expression would match, too.
const WOULD_MATCH: [&str; 3] = [
    "States.ALL",
    "States.TaskFailed",
    "States.QueryEvaluationError",
];

/// A definition that is being changed. A state that does not exist, or is of the wrong kind, shows in
/// [`Variant::definition`].
#[derive(Clone, Debug)]
pub struct Variant {
    definition: Value,
    wrong: Vec<String>,
}

impl Variant {
    /// Unchanged.
    pub fn of(definition: Value) -> Self {
        Self {
            definition,
            wrong: Vec::new(),
        }
    }

    /// Starts at this state instead.
    #[must_use]
    pub fn start_at(mut self, state: &str) -> Self {
        if self.state(state, None).is_some() {
            self.definition["StartAt"] = Value::from(state);
        }
        self
    }

    /// The Task fails whenever it is entered, before it does anything: evaluating its Arguments fails.
    #[must_use]
    pub fn fail_before(self, task: &str) -> Self {
        self.broken(task, "Arguments", "never sent")
    }

    /// The Task fails whenever it has done its work, as if the reply had been lost: evaluating its Output fails. A
    /// failure of the work itself is retried and caught as ever.
    #[must_use]
    pub fn fail_after(self, task: &str) -> Self {
        self.broken(task, "Output", "reply lost")
    }

    /// The Task fails as soon as its function has, and is not tried again, whatever its Retry says of any failure; what it
    /// says of a failure of its own kind stays.
    #[must_use]
    pub fn tried_once(mut self, task: &str) -> Self {
        if let Some(state) = self.state(task, Some("Task")) {
            forget_reactions(state, &["Retry"]);
        }
        self
    }

    /// The Wait takes this long.
    #[must_use]
    pub fn wait_seconds(mut self, wait: &str, seconds: u32) -> Self {
        if let Some(state) = self.state(wait, Some("Wait")) {
            state.remove("Timestamp");
            state.insert("Seconds".to_owned(), Value::from(seconds));
        }
        self
    }

    /// Its expressions see the execution with this ARN, whatever it really runs as: AWS keeps it through a redrive. The
    /// execution's name is the caller's to keep.
    #[must_use]
    pub fn known_as(self, execution: &str) -> Self {
        self.with_in_place_of("$states.context.Execution.Id", execution)
    }

    /// Its expressions see the state machine with this ARN, so that what it starts runs there.
    #[must_use]
    pub fn part_of(self, state_machine: &str) -> Self {
        self.with_in_place_of("$states.context.StateMachine.Id", state_machine)
    }

    /// Its expressions see one redrive more than those of the definition, which may be a redrive's already.
    #[must_use]
    pub fn redriven_once_more(mut self) -> Self {
        // A sum that each redrive adds to, because the definition's text is all that one redrive leaves to the next.
        each_text(&mut self.definition, &|text| {
            *text = text
                .replace("$sum([1", "$sum([1, 1")
                .replace("$states.context.Execution.RedriveCount", "$sum([1])");
        });
        self
    }

    fn with_in_place_of(mut self, expression: &str, arn: &str) -> Self {
        each_text(&mut self.definition, &|text| {
            if text.starts_with("{%") && text.contains(expression) {
                *text = text.replace(expression, &format!("'{arn}'"));
            }
        });
        self
    }

    /// The Tasks at its top level.
    pub fn tasks(&self) -> Vec<String> {
        let states = self.definition["States"].as_object();
        let tasks = states.into_iter().flatten();
        tasks
            .filter(|(_, state)| state["Type"] == "Task")
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The definition.
    ///
    /// # Errors
    /// [`Error::Input`] with everything that could not be changed.
    pub fn definition(&self) -> Result<&Value> {
        if self.wrong.is_empty() {
            Ok(&self.definition)
        } else {
            Err(Error::Input(self.wrong.join("; ")))
        }
    }

    fn broken(mut self, task: &str, field: &str, how: &str) -> Self {
        if let Some(state) = self.state(task, Some("Task")) {
            let expression = format!("{{% $error('{ON_PURPOSE}: {how}') %}}");
            state.insert(field.to_owned(), Value::from(expression));
            forget_reactions(state, &["Retry", "Catch"]);
        }
        self
    }

    fn state(&mut self, name: &str, kind: Option<&str>) -> Option<&mut Map<String, Value>> {
        let state = self.definition["States"].get_mut(name);
        let found = state.filter(|state| kind.is_none_or(|kind| state["Type"] == kind));
        if found.is_none() {
            let kind = kind.unwrap_or("state");
            self.wrong
                .push(format!("the definition has no {kind} {name}"));
        }
        found.and_then(Value::as_object_mut)
    }
}

/// Takes the rules out of these that would match a failing expression.
fn forget_reactions(state: &mut Map<String, Value>, reactions: &[&str]) {
    for reaction in reactions {
        if let Some(Value::Array(rules)) = state.get_mut(*reaction) {
            rules.retain_mut(|rule| !forget_what_would_match(rule));
        }
    }
}

/// Takes the names that would match a failing expression out of a rule; whether nothing is left of it.
fn forget_what_would_match(rule: &mut Value) -> bool {
    let Some(Value::Array(names)) = rule.get_mut("ErrorEquals") else {
        return false;
    };
    names.retain(|name| !WOULD_MATCH.iter().any(|matching| name == matching));
    names.is_empty()
}

fn each_text(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| each_text(field, change)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition() -> Value {
        json!({"StartAt": "Plan", "States": {
            "Plan": {"Type": "Task", "Arguments": {"by": "{% $states.context.Execution.Id & '!' %}"},
                "Retry": [{"ErrorEquals": ["Throttled", "States.ALL"]}, {"ErrorEquals": ["States.TaskFailed"]}],
                "Catch": [{"ErrorEquals": ["Rejected"], "Next": "Pause"}], "Next": "Pause"},
            "Pause": {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "Next": "Done"},
            "Done": {"Type": "Succeed"}
        }})
    }

    #[test]
    fn a_broken_task_keeps_only_the_reactions_to_its_own_errors() {
        for (variant, field, untouched) in [
            (
                Variant::of(definition()).fail_before("Plan"),
                "Arguments",
                "Output",
            ),
            (
                Variant::of(definition()).fail_after("Plan"),
                "Output",
                "Arguments",
            ),
        ] {
            let plan = &variant.definition().unwrap()["States"]["Plan"];
            assert!(plan[field].as_str().unwrap().contains(ON_PURPOSE), "{plan}");
            assert_eq!(plan[untouched], definition()["States"]["Plan"][untouched]);
            assert_eq!(plan["Retry"], json!([{"ErrorEquals": ["Throttled"]}]));
            assert_eq!(plan["Catch"], definition()["States"]["Plan"]["Catch"]);
        }
    }

    #[test]
    fn a_task_that_is_tried_once_keeps_its_catch_and_what_it_retries_by_name() {
        let variant = Variant::of(definition()).tried_once("Plan");
        let plan = &variant.definition().unwrap()["States"]["Plan"];
        assert_eq!(plan["Retry"], json!([{"ErrorEquals": ["Throttled"]}]));
        assert_eq!(plan["Catch"], definition()["States"]["Plan"]["Catch"]);
    }

    #[test]
    fn a_variant_starts_elsewhere_waits_otherwise_and_keeps_its_identity() {
        let variant = Variant::of(definition()).known_as("arn:x");
        assert_eq!(variant.tasks(), ["Plan"]);
        let variant = variant.start_at("Pause").wait_seconds("Pause", 0);
        let changed = variant.definition().unwrap();
        assert_eq!(changed["StartAt"], "Pause");
        assert_eq!(changed["States"]["Pause"]["Seconds"], 0);
        assert_eq!(
            changed["States"]["Plan"]["Arguments"]["by"],
            "{% 'arn:x' & '!' %}"
        );
    }

    #[test]
    fn every_state_that_does_not_exist_is_named() {
        let variant = Variant::of(definition())
            .start_at("Nowhere")
            .fail_after("Pause");
        let error = variant.definition().unwrap_err().to_string();
        assert!(
            error.contains("Nowhere") && error.contains("Task Pause"),
            "{error}"
        );
    }
}
