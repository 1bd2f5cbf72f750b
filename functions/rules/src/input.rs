//! What a deployment may ask for: the execution's input, checked as a whole before anything is touched.
//!
//! Refuses unknown fields (and proposes the one that was probably meant), wrong types, numbers out of bounds, and
//! anything beside a request that stands alone. Every error is told at once. Called by `plan-deployment`.

pub(crate) mod lists;
mod request;

use serde_json::{Map, Value};

pub use request::{Request, TakeOver, Then, Verb, Wish};

use crate::knobs::{
    APPROVE, BAKE_ALARMS, BAKE_SECONDS, CLOSURES_PER_SECOND, COUNT, DEADLINE_SECONDS, DETACHED,
    DRY_RUN, HEALTHY_SECONDS, Knob, MINIMUM_HEALTHY_PERCENT, PAUSE_SECONDS, POLL_SECONDS,
    SETTLE_SECONDS, STEP_SECONDS, TRAFFIC_STEPS, VERSION, fields,
};
use crate::plan::Gate;
use crate::suggestion::closest;

/// What AWS's own snippets add to the input of an execution that another one starts, so that the console can link the two
/// (AWS Step Functions' developer guide, "Start workflow executions from a task state"): it asks for nothing.
const STARTED_BY: &str = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";

/// A valid input: what the execution asks for, and nothing where the stack's default applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    /// What is asked for; beside anything but a deployment there are no other fields.
    pub request: Request,
    /// `green.launchTemplateVersion`: `$Latest`, `$Default` or a number.
    pub launch_template_version: Option<String>,
    /// `green.count`.
    pub count: Option<u32>,
    /// `green.healthySeconds`.
    pub healthy_seconds: Option<u32>,
    /// `traffic.steps`: rising, the last is 100.
    pub steps: Option<Vec<u32>>,
    /// `traffic.stepSeconds`.
    pub step_seconds: Option<u32>,
    /// `bake.seconds`.
    pub bake_seconds: Option<u32>,
    /// `bake.alarms`: distinct names.
    pub alarms: Option<Vec<String>>,
    /// `drain.settleSeconds`.
    pub settle_seconds: Option<u32>,
    /// `drain.closuresPerSecond`.
    pub closures_per_second: Option<u32>,
    /// `drain.pollSeconds`.
    pub poll_seconds: Option<u32>,
    /// `drain.deadlineSeconds`.
    pub deadline_seconds: Option<u32>,
    /// `drain.detached`.
    pub detached: Option<bool>,
    /// `approve`: distinct.
    pub approve: Option<Vec<Gate>>,
    /// `pauseSeconds`.
    pub pause_seconds: Option<u32>,
    /// `minimumHealthyPercent`.
    pub minimum_healthy_percent: Option<u32>,
    /// `dryRun`.
    pub dry_run: bool,
}

impl Input {
    /// Reads the input of an execution.
    ///
    /// # Errors
    /// Everything that is wrong with it, one sentence each, beginning with the field's path.
    pub fn parse(input: &Value) -> Result<Self, Vec<String>> {
        let mut reader = Reader::default();
        let mut known = fields("");
        known.extend(request::fields());
        let mut input = input.clone();
        if let Some(fields) = input.as_object_mut() {
            fields.remove(STARTED_BY);
        }
        let Some(root) = reader.section("", Some(&input), &known) else {
            return Err(reader.errors);
        };
        for section in known.iter().filter(|it| !fields(it).is_empty()) {
            reader.section(section, root.get(*section), &fields(section));
        }
        let parsed = Self {
            request: reader.request(root),
            launch_template_version: reader.version(root),
            count: reader.number(root, &COUNT),
            healthy_seconds: reader.number(root, &HEALTHY_SECONDS),
            steps: reader.read(root, &TRAFFIC_STEPS, lists::steps_of),
            step_seconds: reader.number(root, &STEP_SECONDS),
            bake_seconds: reader.number(root, &BAKE_SECONDS),
            alarms: reader.read(root, &BAKE_ALARMS, lists::alarms_of),
            settle_seconds: reader.number(root, &SETTLE_SECONDS),
            closures_per_second: reader.number(root, &CLOSURES_PER_SECOND),
            poll_seconds: reader.number(root, &POLL_SECONDS),
            deadline_seconds: reader.number(root, &DEADLINE_SECONDS),
            detached: reader.read(root, &DETACHED, Value::as_bool),
            approve: reader.read(root, &APPROVE, lists::gates_of),
            pause_seconds: reader.number(root, &PAUSE_SECONDS),
            minimum_healthy_percent: reader.number(root, &MINIMUM_HEALTHY_PERCENT),
            dry_run: reader
                .read(root, &DRY_RUN, Value::as_bool)
                .unwrap_or_default(),
        };
        if reader.errors.is_empty() {
            Ok(parsed)
        } else {
            Err(reader.errors)
        }
    }
}

#[derive(Default)]
struct Reader {
    errors: Vec<String>,
}

impl Reader {
    fn wrong(&mut self, path: &str, expected: &str, got: &Value) {
        let shown: String = got.to_string().chars().take(60).collect();
        self.errors
            .push(format!("{path}: expected {expected}, got {shown}"));
    }

    /// An object with no fields but the known ones; nothing when it is absent or no object.
    fn section<'a>(
        &mut self,
        path: &str,
        value: Option<&'a Value>,
        known: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let value = value?;
        let Some(object) = value.as_object() else {
            self.wrong(
                if path.is_empty() { "input" } else { path },
                "an object",
                value,
            );
            return None;
        };
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}.")
        };
        for field in object
            .keys()
            .filter(|field| !known.contains(&field.as_str()))
        {
            let error = match closest(field, known) {
                Some(meant) => {
                    format!("{prefix}{field}: unknown field, did you mean {prefix}{meant}?")
                }
                None => format!(
                    "{prefix}{field}: unknown field, expected one of {}",
                    known.join(", ")
                ),
            };
            self.errors.push(error);
        }
        Some(object)
    }

    /// A knob's value, if the input has one; what `of` does not take is noted.
    fn read<T>(
        &mut self,
        root: &Map<String, Value>,
        knob: &Knob,
        of: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let path = knob.path?;
        let value = field(root, path)?;
        let read = of(value);
        if read.is_none() {
            self.wrong(path, &knob.expected(), value);
        }
        read
    }

    fn number(&mut self, root: &Map<String, Value>, knob: &Knob) -> Option<u32> {
        self.read(root, knob, |value| {
            let number = u32::try_from(value.as_u64()?).ok()?;
            knob.admits(number).then_some(number)
        })
    }

    fn version(&mut self, root: &Map<String, Value>) -> Option<String> {
        self.read(root, &VERSION, |value| {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // Rust reads "+7" as a number too, and EC2 knows no such version.
            let valid = ["$Latest", "$Default"].contains(&text.as_str())
                || (!text.starts_with('+') && text.parse::<u64>().is_ok_and(|number| number > 0));
            valid.then_some(text)
        })
    }
}

/// The field at `path`, where its section is an object.
fn field<'a>(root: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((section, field)) => root.get(section)?.as_object()?.get(field),
        None => root.get(path),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
