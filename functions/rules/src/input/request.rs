//! The requests that stand alone: to roll another execution's deployment back, and to take a deployment over.
//!
//! Neither plans anything, so a field beside it would be ignored: it is refused instead.

use serde_json::{Map, Value};

use super::Reader;

/// What an execution asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Request {
    /// Deploy is when nothing else is asked for.
    #[default]
    Deploy,
    /// RollBack is when a running deployment, named here, is to be told to roll back.
    RollBack(String),
    /// TakeOver is when this execution is to go on with a deployment whose own has ended.
    TakeOver(TakeOver),
}

/// Which deployment is taken over, and to what end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeOver {
    /// The deployment that is to be taken over.
    pub deployment: String,
    /// What to do with it.
    pub then: Then,
}

/// What becomes of a deployment that is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Then {
    /// Continue is when it goes on from where its record says it stands.
    Continue,
    /// RollBack is when blue gets its traffic back, which is possible before the first seal only.
    RollBack,
}

/// The requests that bear no other field beside them.
pub(super) const ALONE: [&str; 2] = ["takeOver", "rollBack"];
const TAKE_OVER: &[&str] = &["deployment", "then"];

impl Reader {
    /// What the input asks for; what is wrong with it is noted.
    pub(super) fn request(&mut self, root: &Map<String, Value>) -> Request {
        for alone in ALONE.into_iter().filter(|field| root.contains_key(*field)) {
            let beside: Vec<&str> = root
                .keys()
                .map(String::as_str)
                .filter(|field| *field != alone)
                .collect();
            if !beside.is_empty() {
                self.errors.push(format!(
                    "{alone}: stands alone, remove {}",
                    beside.join(", ")
                ));
            }
        }
        let take_over = self.take_over(root.get("takeOver"));
        let roll_back = self.roll_back(root.get("rollBack"));
        take_over
            .map(Request::TakeOver)
            .or(roll_back.map(Request::RollBack))
            .unwrap_or_default()
    }

    fn take_over(&mut self, value: Option<&Value>) -> Option<TakeOver> {
        let section = self.section("takeOver", value, TAKE_OVER)?;
        let field = |name: &str| section.get(name).unwrap_or(&Value::Null);
        let deployment = named(field("deployment"));
        if deployment.is_none() {
            self.wrong(
                "takeOver.deployment",
                "a deployment's name",
                field("deployment"),
            );
        }
        let then = match field("then").as_str() {
            Some("continue") => Some(Then::Continue),
            Some("rollBack") => Some(Then::RollBack),
            _ => None,
        };
        if then.is_none() {
            self.wrong(
                "takeOver.then",
                "\"continue\" or \"rollBack\"",
                field("then"),
            );
        }
        Some(TakeOver {
            deployment: deployment?,
            then: then?,
        })
    }

    fn roll_back(&mut self, value: Option<&Value>) -> Option<String> {
        let value = value?;
        let deployment = named(value);
        if deployment.is_none() {
            self.wrong("rollBack", "a deployment's name", value);
        }
        deployment
    }
}

fn named(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}
