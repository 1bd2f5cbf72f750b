//! What a deployment may ask for: the execution's input, checked as a whole before anything is touched.
//!
//! Refuses unknown fields (and proposes the one that was probably meant), wrong types, numbers out of bounds, and
//! fields of features that this version does not have. Every error is told at once. Called by `plan-deployment`.

use serde_json::{Map, Value};

use crate::settings::{
    BAKE_SECONDS, Bounds, CLOSURES_PER_SECOND, COUNT, DEADLINE_SECONDS, HEALTHY_SECONDS,
    MINIMUM_HEALTHY_PERCENT, POLL_SECONDS, SETTLE_SECONDS, STEP_SECONDS,
};
use crate::suggestion::closest;

/// A valid input: what the execution asks for, and nothing where the stack's default applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    /// `green.launchTemplateVersion`: `$Latest`, `$Default` or a number.
    pub launch_template_version: Option<String>,
    /// `green.count`.
    pub count: Option<u32>,
    /// `green.healthySeconds`.
    pub healthy_seconds: Option<u32>,
    /// `bake.seconds`.
    pub bake_seconds: Option<u32>,
    /// `drain.settleSeconds`.
    pub settle_seconds: Option<u32>,
    /// `drain.closuresPerSecond`.
    pub closures_per_second: Option<u32>,
    /// `drain.pollSeconds`.
    pub poll_seconds: Option<u32>,
    /// `drain.deadlineSeconds`.
    pub deadline_seconds: Option<u32>,
    /// `minimumHealthyPercent`.
    pub minimum_healthy_percent: Option<u32>,
    /// `dryRun`.
    pub dry_run: bool,
}

const FIELDS: &[&str] = &[
    "green",
    "traffic",
    "bake",
    "drain",
    "minimumHealthyPercent",
    "dryRun",
    "takeOver",
    "rollBack",
];
const GREEN: &[&str] = &["launchTemplateVersion", "count", "healthySeconds"];
const TRAFFIC: &[&str] = &["steps", "stepSeconds"];
const BAKE: &[&str] = &["seconds", "alarms"];
const DRAIN: &[&str] = &[
    "settleSeconds",
    "closuresPerSecond",
    "pollSeconds",
    "deadlineSeconds",
    "detached",
];
const TAKE_OVER: &[&str] = &["deployment", "then"];

impl Input {
    /// Reads the input of an execution.
    ///
    /// # Errors
    /// Everything that is wrong with it, one sentence each, beginning with the field's path.
    pub fn parse(input: &Value) -> Result<Self, Vec<String>> {
        let mut reader = Reader::default();
        let Some(root) = reader.section("", Some(input), FIELDS) else {
            return Err(reader.errors);
        };
        let green = reader.section("green", root.get("green"), GREEN);
        let traffic = reader.section("traffic", root.get("traffic"), TRAFFIC);
        let bake = reader.section("bake", root.get("bake"), BAKE);
        let drain = reader.section("drain", root.get("drain"), DRAIN);
        let parsed = Self {
            launch_template_version: green
                .and_then(|green| reader.version(green.get("launchTemplateVersion"))),
            count: reader.number(green, "green.count", COUNT),
            healthy_seconds: reader.number(green, "green.healthySeconds", HEALTHY_SECONDS),
            bake_seconds: reader.number(bake, "bake.seconds", BAKE_SECONDS),
            settle_seconds: reader.number(drain, "drain.settleSeconds", SETTLE_SECONDS),
            closures_per_second: reader.number(
                drain,
                "drain.closuresPerSecond",
                CLOSURES_PER_SECOND,
            ),
            poll_seconds: reader.number(drain, "drain.pollSeconds", POLL_SECONDS),
            deadline_seconds: reader.number(drain, "drain.deadlineSeconds", DEADLINE_SECONDS),
            minimum_healthy_percent: reader.number(
                Some(root),
                "minimumHealthyPercent",
                MINIMUM_HEALTHY_PERCENT,
            ),
            dry_run: reader.boolean(Some(root), "dryRun").unwrap_or_default(),
        };
        reader.number(traffic, "traffic.stepSeconds", STEP_SECONDS);
        reader.steps(traffic.and_then(|traffic| traffic.get("steps")));
        reader.alarms(bake.and_then(|bake| bake.get("alarms")));
        if reader.boolean(drain, "drain.detached") == Some(true) {
            reader.not_available("drain.detached: true");
        }
        reader.take_over(root.get("takeOver"));
        reader.roll_back(root.get("rollBack"));
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

    fn not_available(&mut self, what: &str) {
        self.errors
            .push(format!("{what} is not available in this version"));
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

    fn number(
        &mut self,
        section: Option<&Map<String, Value>>,
        path: &str,
        bounds: Bounds,
    ) -> Option<u32> {
        let value = field(section, path)?;
        let number = value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| bounds.admit(*number));
        if number.is_none() {
            self.wrong(path, &bounds.expected(), value);
        }
        number
    }

    fn boolean(&mut self, section: Option<&Map<String, Value>>, path: &str) -> Option<bool> {
        let value = field(section, path)?;
        if value.as_bool().is_none() {
            self.wrong(path, "true or false", value);
        }
        value.as_bool()
    }

    fn version(&mut self, value: Option<&Value>) -> Option<String> {
        let value = value?;
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let valid = ["$Latest", "$Default"].contains(&text.as_str())
            || text.parse::<u64>().is_ok_and(|number| number > 0);
        if !valid {
            self.wrong(
                "green.launchTemplateVersion",
                "\"$Latest\", \"$Default\" or a version's number",
                value,
            );
        }
        valid.then_some(text)
    }

    fn steps(&mut self, value: Option<&Value>) {
        let Some(value) = value else { return };
        let steps: Option<Vec<u64>> = value
            .as_array()
            .and_then(|steps| steps.iter().map(Value::as_u64).collect());
        match steps {
            Some(steps) if steps == [100] => {}
            Some(steps) if rise_to_100(&steps) => {
                self.not_available("traffic.steps: anything but [100]")
            }
            _ => self.wrong(
                "traffic.steps",
                "a list of rising whole numbers from 1 to 100, the last of them 100",
                value,
            ),
        }
    }

    fn alarms(&mut self, value: Option<&Value>) {
        let Some(value) = value else { return };
        match value.as_array() {
            Some(names) if names.is_empty() => {}
            Some(names)
                if names
                    .iter()
                    .all(|name| name.as_str().is_some_and(|name| !name.is_empty())) =>
            {
                self.not_available("bake.alarms: a list that is not empty");
            }
            _ => self.wrong("bake.alarms", "a list of alarms' names", value),
        }
    }

    fn take_over(&mut self, value: Option<&Value>) {
        let before = self.errors.len();
        let Some(section) = self.section("takeOver", value, TAKE_OVER) else {
            return;
        };
        let named = |field: &str| {
            section
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if named("deployment").is_empty() {
            self.wrong(
                "takeOver.deployment",
                "a deployment's name",
                section.get("deployment").unwrap_or(&Value::Null),
            );
        }
        if !["continue", "rollBack"].contains(&named("then")) {
            self.wrong(
                "takeOver.then",
                "\"continue\" or \"rollBack\"",
                section.get("then").unwrap_or(&Value::Null),
            );
        }
        if self.errors.len() == before {
            self.not_available("takeOver:");
        }
    }

    fn roll_back(&mut self, value: Option<&Value>) {
        match value {
            None => {}
            Some(Value::String(deployment)) if !deployment.is_empty() => {
                self.not_available("rollBack:")
            }
            Some(other) => self.wrong("rollBack", "a deployment's name", other),
        }
    }
}

/// The field that `path` ends with.
fn field<'a>(section: Option<&'a Map<String, Value>>, path: &str) -> Option<&'a Value> {
    section?.get(path.rsplit('.').next().unwrap_or(path))
}

fn rise_to_100(steps: &[u64]) -> bool {
    steps.first().is_some_and(|first| *first > 0)
        && steps.last() == Some(&100)
        && steps.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests;
