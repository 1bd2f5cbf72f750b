//! The alarms that are watched until the bake is over, and what they say.

use jiff::Timestamp;

/// Which alarms are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Their names, metric or composite.
    pub names: Vec<String>,
    /// Since when a firing that is over counts as well; none: only the present state counts.
    pub since: Option<Timestamp>,
}

/// What the alarms say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarms {
    /// When they were looked at.
    pub at: Timestamp,
    /// Those in state ALARM.
    pub firing: Vec<String>,
    /// Those that fired since the last look and are quiet again.
    pub fired: Vec<String>,
    /// Those that do not exist.
    pub missing: Vec<String>,
}

impl Alarms {
    /// What speaks against going on, in a sentence; none when every alarm exists and is quiet.
    pub fn against(&self) -> Option<String> {
        let part = |words: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{words}: {}", names.join(", ")))
        };
        let parts: Vec<String> = [
            part("in state ALARM", &self.firing),
            part("fired since the last look and quiet again", &self.fired),
            part("alarms that do not exist", &self.missing),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
