//! What came of it: a line for each rule, for a person or as JSON.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

/// How trying one rule ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome", content = "seen")]
pub enum Outcome {
    /// The server did what the rule says; what was seen of it, where that is more than a yes.
    Passed(String),
    /// The server did something else: what was seen.
    Failed(String),
    /// It could not be tried, and why.
    NotTried(String),
}

/// One rule of the session endpoint, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The rule's name.
    pub rule: &'static str,
    /// What it says.
    pub says: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// In the order in which they were tried.
    pub lines: Vec<Line>,
}

impl Verdict {
    /// Whether no rule failed. Rules that were not tried prove nothing.
    pub fn conforms(&self) -> bool {
        self.failed().is_empty()
    }

    /// The names of the rules that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.named(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The names of the rules that were not tried.
    pub fn not_tried(&self) -> Vec<&'static str> {
        self.named(|outcome| matches!(outcome, Outcome::NotTried(_)))
    }

    fn named(&self, which: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        let lines = self.lines.iter().filter(|line| which(&line.outcome));
        lines.map(|line| line.rule).collect()
    }

    /// The whole as JSON.
    pub fn json(&self) -> Value {
        let (failed, not_tried) = (self.failed().len(), self.not_tried().len());
        json!({
            "conforms": self.conforms(),
            "passed": self.lines.len() - failed - not_tried, "failed": failed, "notTried": not_tried,
            "rules": self.lines,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let (word, seen) = match &line.outcome {
                Outcome::Passed(seen) => ("passed   ", seen),
                Outcome::Failed(seen) => ("FAILED   ", seen),
                Outcome::NotTried(why) => ("not tried", why),
            };
            write!(f, "{word}  {}: {}", line.rule, line.says)?;
            if seen.is_empty() {
                writeln!(f)?;
            } else {
                writeln!(f, " ({seen})")?;
            }
        }
        let (all, failed, not_tried) = (
            self.lines.len(),
            self.failed().len(),
            self.not_tried().len(),
        );
        let passed = all - failed - not_tried;
        write!(f, "{passed} passed, {failed} failed, {not_tried} not tried")
    }
}
