//! What the fake was made to change, call by call, beside the record that the caller had read by then.

use std::collections::BTreeMap;

use ebbtide_rules::observed::{Instance, Target};
use ebbtide_rules::record::Record;
use ebbtide_rules::scaling::ScalingGroup;

use super::World;

/// A call that acted: what it found and what it left.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// The operation.
    pub operation: String,
    /// The record when it was last read; none if nobody had read it since the last question.
    pub read: Option<Record>,
    /// What there was before.
    pub before: Things,
    /// What there was after it.
    pub after: Things,
}

/// Everything that a deployment may change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Things {
    /// The instances.
    pub instances: Vec<Instance>,
    /// The targets of every group, by its ARN.
    pub targets: Vec<(String, Vec<Target>)>,
    /// What the action names, with its weight, by the ARN of the group.
    pub weights: BTreeMap<String, i32>,
    /// The Auto Scaling groups.
    pub scaling: Vec<ScalingGroup>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    noted: Vec<Noted>,
    read: Option<Record>,
    before: Things,
}

impl Journal {
    pub(super) fn take(&mut self) -> Vec<Noted> {
        self.read = None;
        std::mem::take(&mut self.noted)
    }
}

impl World {
    /// Everything that a deployment may change, as it is.
    pub fn things(&self) -> Things {
        let group = |group: &super::FakeGroup| (group.arn.clone(), group.targets.clone());
        Things {
            instances: self.instances.clone(),
            targets: self.groups.iter().map(group).collect(),
            weights: self.action(),
            scaling: self.scaling.clone(),
        }
    }

    /// A call is about to act.
    pub(super) fn begin(&mut self, operation: &str) {
        if !is_read(operation) {
            self.journal.before = self.things();
        }
    }

    /// It has acted; whether its caller was answered makes a difference for what was read.
    pub(super) fn end(&mut self, operation: &str, answered: bool) {
        if operation == "GetItem" && answered {
            self.journal.read = Some(self.record.clone().unwrap_or_default());
        }
        if is_read(operation) {
            return;
        }
        let after = self.things();
        let before = std::mem::take(&mut self.journal.before);
        if before != after {
            let noted = Noted {
                operation: operation.to_owned(),
                read: self.journal.read.clone(),
                before,
                after,
            };
            self.journal.noted.push(noted);
        }
    }
}

fn is_read(operation: &str) -> bool {
    operation.starts_with("Describe") || operation.starts_with("Get")
}
