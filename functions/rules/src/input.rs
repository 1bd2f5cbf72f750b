//! What a deployment may ask for: the execution's input, checked as a whole before anything is touched.
//!
//! Refuses unknown fields (and proposes the one that was probably meant), wrong types, numbers out of bounds, and
//! anything beside a request that stands alone. Every error is told at once. Called by `plan-deployment`.

pub(crate) mod lists;
mod request;

use serde_json::{Map, Value};

pub use request::{Request, TakeOver, Then};

use crate::settings::{
    BAKE_SECONDS, Bounds, CLOSURES_PER_SECOND, COUNT, DEADLINE_SECONDS, HEALTHY_SECONDS,
    MINIMUM_HEALTHY_PERCENT, POLL_SECONDS, SETTLE_SECONDS, STEP_SECONDS,
};
use crate::suggestion::closest;

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
            request: reader.request(root),
            launch_template_version: green
                .and_then(|green| reader.version(green.get("launchTemplateVersion"))),
            count: reader.number(green, "green.count", COUNT),
            healthy_seconds: reader.number(green, "green.healthySeconds", HEALTHY_SECONDS),
            steps: reader.steps(traffic.and_then(|traffic| traffic.get("steps"))),
            step_seconds: reader.number(traffic, "traffic.stepSeconds", STEP_SECONDS),
            bake_seconds: reader.number(bake, "bake.seconds", BAKE_SECONDS),
            alarms: reader.alarms(bake.and_then(|bake| bake.get("alarms"))),
            settle_seconds: reader.number(drain, "drain.settleSeconds", SETTLE_SECONDS),
            closures_per_second: reader.number(
                drain,
                "drain.closuresPerSecond",
                CLOSURES_PER_SECOND,
            ),
            poll_seconds: reader.number(drain, "drain.pollSeconds", POLL_SECONDS),
            deadline_seconds: reader.number(drain, "drain.deadlineSeconds", DEADLINE_SECONDS),
            detached: reader.boolean(drain, "drain.detached"),
            minimum_healthy_percent: reader.number(
                Some(root),
                "minimumHealthyPercent",
                MINIMUM_HEALTHY_PERCENT,
            ),
            dry_run: reader.boolean(Some(root), "dryRun").unwrap_or_default(),
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
        // Rust reads "+7" as a number too, and EC2 knows no such version.
        let valid = ["$Latest", "$Default"].contains(&text.as_str())
            || (!text.starts_with('+') && text.parse::<u64>().is_ok_and(|number| number > 0));
        if !valid {
            self.wrong(
                "green.launchTemplateVersion",
                "\"$Latest\", \"$Default\" or a version's number",
                value,
            );
        }
        valid.then_some(text)
    }

    fn steps(&mut self, value: Option<&Value>) -> Option<Vec<u32>> {
        let value = value?;
        let steps = lists::steps_of(value);
        if steps.is_none() {
            self.wrong("traffic.steps", lists::STEPS, value);
        }
        steps
    }

    fn alarms(&mut self, value: Option<&Value>) -> Option<Vec<String>> {
        let value = value?;
        let names = lists::alarms_of(value);
        if names.is_none() {
            self.wrong("bake.alarms", lists::ALARMS, value);
        }
        names
    }
}

/// The field that `path` ends with.
fn field<'a>(section: Option<&'a Map<String, Value>>, path: &str) -> Option<&'a Value> {
    section?.get(path.rsplit('.').next().unwrap_or(path))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
