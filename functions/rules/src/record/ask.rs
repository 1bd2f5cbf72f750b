//! What is asked of the record, and the facts that an answer needs besides it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Alarms, Answer, Phase, Record, Watch};
use crate::document::Document;
use crate::input::Verb;
use crate::plan::Asked;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// To begin what was planned: a deployment, a take-over, a wish.
    Claim,
    /// To go on with what another execution has handed on.
    Adopt,
    /// To be allowed to move weight.
    Switch,
    /// What follows this pass.
    Pass,
    /// To let the next execution go on.
    HandOn,
    /// To leave: what was to be done is done.
    Release,
}

/// Which ask this is. A reply may be lost and the ask be repeated: the same key gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The ARN of the execution that asks.
    pub execution: String,
    /// The state that asks.
    pub state: String,
    /// How many answers its deployment had had: that of the document, so a repeat has the same.
    pub turn: u64,
}

/// One ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// What.
    pub kind: Kind,
    /// The ARN of the execution that asks.
    pub execution: String,
    /// The state that asks.
    pub state: String,
    /// How often its execution was redriven.
    pub redrives: u64,
    /// Everything that its execution knows.
    pub document: Document,
}

impl Ask {
    /// From when on its execution has looked at everything that it knows besides the record.
    pub(super) fn looked_since(&self) -> Option<Timestamp> {
        self.document.record.as_ref().map(Answer::looks_from)
    }

    /// The ask's key.
    pub fn key(&self) -> Key {
        Key {
            execution: self.execution.clone(),
            state: self.state.clone(),
            turn: self.document.turn(),
        }
    }
}

/// What an execution is doing, as far as taking its place is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Whether it goes on by itself.
    pub running: bool,
    /// Its status as Step Functions says it, or that it is not known any more.
    pub status: String,
}

/// What an answer needs besides the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The alarms; none where none were to be looked at.
    pub alarms: Option<Alarms>,
    /// The execution that acts for another deployment; none where nobody's place is to be taken.
    pub holder: Option<Execution>,
}

/// Which facts an ask needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// The alarms to look at, and since when.
    pub alarms: Option<Watch>,
    /// The ARN of the execution to look at.
    pub holder: Option<String>,
}

/// Says which facts the answer to `ask` needs; they are to be read after the record and before the decision.
pub fn wants(record: &Record, ask: &Ask) -> Wants {
    match ask.kind {
        Kind::Claim => claim(record, ask),
        // Before the switch only what fires now counts: what has cleared says nothing of green.
        Kind::Switch => Wants {
            alarms: front_watch(record, ask).map(|watch| Watch {
                since: None,
                ..watch
            }),
            holder: None,
        },
        Kind::Pass => Wants {
            alarms: front_watch(record, ask),
            holder: None,
        },
        Kind::Adopt | Kind::HandOn | Kind::Release => Wants::default(),
    }
}

fn claim(record: &Record, ask: &Ask) -> Wants {
    let Some(plan) = &ask.document.plan else {
        return Wants::default();
    };
    let front = record.front.as_ref();
    let execution_of = |deployment: &str| {
        let front = record.front_of(deployment).map(|front| &front.owner);
        let owner = front.or(record.entry_of(deployment).map(|entry| &entry.owner));
        owner.map(|owner| owner.execution.clone())
    };
    match &plan.asked {
        Asked::Deploy(_) | Asked::Held { .. } => Wants {
            alarms: match &plan.asked {
                Asked::Deploy(deploy) => watch(&deploy.recorded.policy.alarms, None),
                _ => None,
            },
            holder: front
                .filter(|front| front.owner.execution != ask.execution)
                .filter(|front| !matches!(front.phase, Phase::Detaching { .. }))
                .map(|front| front.owner.execution.clone()),
        },
        Asked::TakeOver { .. } => Wants {
            alarms: None,
            holder: execution_of(&plan.deployment),
        },
        Asked::Wish { wish } => Wants {
            alarms: front
                .filter(|front| {
                    wish.verb == Verb::Promote && front.owner.deployment == wish.deployment
                })
                .and_then(|front| watch(&front.plan.policy.alarms, None)),
            holder: execution_of(&wish.deployment),
        },
    }
}

fn front_watch(record: &Record, ask: &Ask) -> Option<Watch> {
    let front = record.front.as_ref()?;
    let watched = matches!(front.phase, Phase::Claimed | Phase::Switched);
    if !watched || front.owner.execution != ask.execution {
        return None;
    }
    watch(&front.plan.policy.alarms, front.course.alarms_seen_at)
}

fn watch(names: &[String], since: Option<Timestamp>) -> Option<Watch> {
    (!names.is_empty()).then(|| Watch {
        names: names.to_vec(),
        since,
    })
}
