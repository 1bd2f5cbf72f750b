//! The requests that are no deployment: an operator's wishes about another execution's, and to take one over.
//!
//! None of them plans anything, so a field beside it that it does not know would be ignored: it is refused instead.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Reader;
use crate::plan::Halt;

/// What an execution asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Request {
    /// Deploy is when nothing else is asked for.
    #[default]
    Deploy,
    /// Wish is when a running deployment is to be told something.
    Wish(Wish),
    /// TakeOver is when this execution is to go on with a deployment whose own has ended.
    TakeOver(TakeOver),
}

/// What an operator wishes of a running deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// The deployment.
    pub deployment: String,
    /// What it is to do.
    pub verb: Verb,
    /// Who wishes it, as they call themselves; none: the execution that asks stands for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether it is promoted although alarms fire.
    #[serde(default)]
    pub force: bool,
    /// Where it waits that is to go on; none: wherever it waits by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Halt>,
}

/// What a deployment can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Nothing moves further: not the next step, not the switch, not the first seal.
    Pause,
    /// To go on: a pause ends, and the gate that is waited at opens.
    Resume,
    /// The rest of steps and bake is skipped.
    Promote,
    /// Blue gets its traffic back.
    RollBack,
    /// To give up: blue gets its traffic back, green is rejected where it never had any.
    Abort,
}

impl Wish {
    /// A wish without more words.
    pub fn new(verb: Verb, deployment: impl Into<String>) -> Self {
        Self {
            deployment: deployment.into(),
            verb,
            who: None,
            why: None,
            force: false,
            at: None,
        }
    }
}

impl Verb {
    /// Every one, in the order of the docs.
    pub const ALL: [Self; 5] = [
        Self::Pause,
        Self::Resume,
        Self::Promote,
        Self::RollBack,
        Self::Abort,
    ];

    /// The field of the input that asks for it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote => "promote",
            Self::RollBack => "rollBack",
            Self::Abort => "abort",
        }
    }

    /// The fields that may stand beside it.
    fn beside(self) -> &'static [&'static str] {
        match self {
            Self::Promote => &["who", "why", "force"],
            Self::Resume => &["who", "why", "at"],
            _ => &["who", "why"],
        }
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Then {
    /// Continue is when it goes on from where its record says it stands.
    Continue,
    /// RollBack is when blue gets its traffic back, which is possible before the first seal only.
    RollBack,
}

/// The longest `who` or `why`, in characters: both travel in the record.
const LONGEST: usize = 256;
const TAKE_OVER: &[&str] = &["deployment", "then"];
/// All that may stand beside one wish or another.
const BESIDE: [&str; 4] = ["who", "why", "force", "at"];

/// The fields of requests that are no deployment.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    ["takeOver"]
        .into_iter()
        .chain(Verb::ALL.map(Verb::field))
        .chain(BESIDE)
}

impl Reader {
    /// What the input asks for; what is wrong with it is noted.
    pub(super) fn request(&mut self, root: &Map<String, Value>) -> Request {
        let take_over = self.take_over(root);
        let wishes = Verb::ALL.map(|verb| self.wish(root, verb));
        if take_over.is_none() && wishes.iter().all(Option::is_none) {
            self.refuse_stray(root);
        }
        let wish = wishes.into_iter().flatten().next();
        take_over
            .map(Request::TakeOver)
            .or(wish.map(Request::Wish))
            .unwrap_or_default()
    }

    fn stands_alone(&mut self, root: &Map<String, Value>, field: &str, allowed: &[&str]) {
        let beside: Vec<&str> = root
            .keys()
            .map(String::as_str)
            .filter(|it| *it != field && !allowed.contains(it))
            .collect();
        if !beside.is_empty() {
            self.errors.push(format!(
                "{field}: stands alone, remove {}",
                beside.join(", ")
            ));
        }
    }

    /// What belongs beside a wish means nothing where there is none.
    fn refuse_stray(&mut self, root: &Map<String, Value>) {
        let asked = ["takeOver"].into_iter().chain(Verb::ALL.map(Verb::field));
        if asked.into_iter().any(|field| root.contains_key(field)) {
            return;
        }
        for field in BESIDE.into_iter().filter(|it| root.contains_key(*it)) {
            let verbs = Verb::ALL.into_iter();
            let verbs = verbs.filter(|verb| verb.beside().contains(&field));
            let verbs: Vec<&str> = verbs.map(Verb::field).collect();
            let verbs = verbs.join(" or ");
            self.errors
                .push(format!("{field}: stands beside {verbs} only"));
        }
    }

    fn take_over(&mut self, root: &Map<String, Value>) -> Option<TakeOver> {
        let value = root.get("takeOver")?;
        self.stands_alone(root, "takeOver", &[]);
        let section = self.section("takeOver", Some(value), TAKE_OVER)?;
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

    fn wish(&mut self, root: &Map<String, Value>, verb: Verb) -> Option<Wish> {
        let value = root.get(verb.field())?;
        self.stands_alone(root, verb.field(), verb.beside());
        let deployment = named(value);
        if deployment.is_none() {
            self.wrong(verb.field(), "a deployment's name", value);
        }
        let (who, why) = (self.words(root, "who"), self.words(root, "why"));
        let force = root.get("force").filter(|_| verb == Verb::Promote);
        if let Some(wrong) = force.filter(|force| !force.is_boolean()) {
            self.wrong("force", "true or false", wrong);
        }
        let at = root.get("at").filter(|_| verb == Verb::Resume);
        let halt = at.and_then(Value::as_str).and_then(Halt::named);
        if let Some(wrong) = at.filter(|_| halt.is_none()) {
            self.wrong("at", "\"switch\", \"seal\" or \"pause\"", wrong);
        }
        Some(Wish {
            deployment: deployment?,
            verb,
            who,
            why,
            force: force.and_then(Value::as_bool).unwrap_or_default(),
            at: halt,
        })
    }

    fn words(&mut self, root: &Map<String, Value>, field: &str) -> Option<String> {
        let value = root.get(field)?;
        let words = named(value).filter(|words| words.chars().count() <= LONGEST);
        if words.is_none() {
            let expected = format!("a text of 1 to {LONGEST} characters");
            self.wrong(field, &expected, value);
        }
        words
    }
}

fn named(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}
