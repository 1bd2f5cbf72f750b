//! A recorded call: which function made it, with what, and what IAM knew of the resources then.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Wrong;
use crate::template::{ACCOUNT, Stack};

/// The account of one emulator, the other's being [`ACCOUNT`]: both are one account here.
const OTHER_ACCOUNT: &str = "123456789012";

/// A line of a recording.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Stack {
        stack: String,
        table: String,
        parameters: BTreeMap<String, String>,
    },
    Call(Box<Call>),
}

/// A call of a function.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Call {
    /// The function's name; empty if it had ended before anybody looked.
    pub(crate) function: String,
    /// `service:Name`.
    pub(crate) action: String,
    pub(crate) parameters: Value,
    #[serde(default, deserialize_with = "nothing_if_null")]
    pub(crate) known: Known,
}

/// What IAM knew of resources.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    /// Why nothing is known, if that went wrong.
    pub(crate) error: Option<String>,
    /// Instances' tags.
    pub(crate) instances: BTreeMap<String, BTreeMap<String, String>>,
    /// Auto Scaling groups by name.
    pub(crate) groups: BTreeMap<String, Group>,
    /// The data of launch templates' versions.
    pub(crate) templates: BTreeMap<String, BTreeMap<String, Value>>,
}

/// An Auto Scaling group.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) arn: String,
    pub(crate) tags: BTreeMap<String, String>,
}

fn nothing_if_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Known, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The calls of one recording, each with the stack that it was made by.
///
/// # Errors
/// [`Wrong::Call`] for a line that is none, and a call whose resources nobody could look up.
pub(crate) fn read(text: &str) -> Result<Vec<(Stack, Call)>, Wrong> {
    let mut stack = Stack::default();
    let mut calls = Vec::new();
    for line in text.replace(OTHER_ACCOUNT, ACCOUNT).lines() {
        match serde_json::from_str(line)? {
            Line::Stack {
                stack: name,
                table,
                parameters,
            } => {
                stack = Stack {
                    name,
                    table,
                    parameters,
                };
            }
            Line::Call(call) => {
                if let Some(error) = call.known.error {
                    return Err(Wrong::Call(format!("{}: {error}", call.action)));
                }
                calls.push((stack.clone(), call.of_iam()));
            }
        }
    }
    Ok(calls)
}

impl Call {
    /// With the service's name as IAM has it.
    fn of_iam(mut self) -> Self {
        self.action = self.action.replace("monitoring:", "cloudwatch:");
        self
    }

    /// A parameter that the action cannot do without.
    pub(crate) fn text(&self, name: &str) -> Result<String, Wrong> {
        let value = self.parameters[name].as_str();
        value
            .map(str::to_owned)
            .ok_or_else(|| Wrong::Call(format!("{} without {name}", self.action)))
    }

    /// The tags of a list such as `Tag`, whose fields are `Tag.1.Key` and `Tag.1.Value`.
    pub(crate) fn tags(&self, list: &str) -> BTreeMap<String, String> {
        let of = |field: String| self.parameters[&field].as_str();
        (1..)
            .map_while(|number| {
                let key = of(format!("{list}.{number}.Key"))?;
                let value = of(format!("{list}.{number}.Value")).unwrap_or_default();
                Some((key.to_owned(), value.to_owned()))
            })
            .collect()
    }
}

/// The texts of a list such as `InstanceId`, whose fields are `InstanceId.1` and so on.
pub(crate) fn numbered(parameters: &Value, list: &str) -> Vec<String> {
    (1..)
        .map_while(|number| parameters[format!("{list}.{number}")].as_str())
        .map(str::to_owned)
        .collect()
}
