//! What the fake was made to change, call by call, beside the record that the caller had read by then.

use ebbtide_rules::hold::ScalingGroup;
use ebbtide_rules::observed::{Instance, Target};

use super::World;
use super::dynamodb::Attribute;

/// A call that acted: what it found and what it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The operation.
    pub operation: String,
    /// Owner and epoch of the record when it was last read; none if nobody had read it since the last question.
    pub read: Option<(Option<String>, u64)>,
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
    /// The weights of `tunnel-a` and `tunnel-b`.
    pub weights: (i32, i32),
    /// The Auto Scaling groups.
    pub scaling: Vec<ScalingGroup>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    noted: Vec<Noted>,
    read: Option<(Option<String>, u64)>,
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
        let group = |group: &super::FakeGroup| {
            let arn = group.environment.target_group_arn.clone();
            (arn, group.targets.clone())
        };
        Things {
            instances: self.instances.clone(),
            targets: self.groups.iter().map(group).collect(),
            weights: self.weights(),
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
            self.journal.read = Some(self.owner_and_epoch());
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

    fn owner_and_epoch(&self) -> (Option<String>, u64) {
        let Some(item) = &self.item else {
            let record = self.record.clone().unwrap_or_default();
            return (record.owner, record.epoch);
        };
        let text = |name: &str| match item.get(name) {
            Some(Attribute::S(text) | Attribute::N(text)) => Some(text.clone()),
            None => None,
        };
        let epoch = text("epoch").and_then(|epoch| epoch.parse().ok());
        (text("owner"), epoch.unwrap_or_default())
    }
}

fn is_read(operation: &str) -> bool {
    operation.starts_with("Describe") || operation.starts_with("Get")
}
