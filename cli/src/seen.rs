//! What one look saw: the record, and of each execution that acts where it stands. No AWS in it, so that it can be kept in a
//! file: `ebbtide seen` prints it, for a report of a defect, and the tests of the view read it.

use ebbtide_rules::Retiring;
use ebbtide_rules::check::{Check, Measured};
use ebbtide_rules::launch::Launched;
use ebbtide_rules::record::Record;
use ebbtide_rules::weights::Switched;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Events that are kept of an execution, of those that say something new.
const MOST_EVENTS: usize = 100;

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seen {
    /// The stack's name.
    pub(crate) stack: String,
    /// The service's.
    pub(crate) service: String,
    /// The record.
    pub(crate) record: Record,
    /// The executions that act for the front and for what retires.
    pub(crate) executions: Vec<Execution>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    /// Its ARN.
    pub(crate) arn: String,
    /// How Step Functions says that it stands; `NO LONGER KNOWN` of one that it does not know.
    pub(crate) status: String,
    /// The error that it ended with.
    pub(crate) error: Option<String>,
    /// Its cause.
    pub(crate) cause: Option<String>,
    /// When it ended.
    pub(crate) stopped_at: Option<Timestamp>,
    /// Its last events, the oldest first.
    pub(crate) events: Vec<Event>,
    /// The sums of its last checks, the oldest first.
    pub(crate) counted: Vec<Counted>,
    /// What its newest document says.
    pub(crate) document: Known,
}

impl Execution {
    /// Whether it goes on by itself.
    pub(crate) fn runs(&self) -> bool {
        ["RUNNING", "PENDING_REDRIVE"].contains(&self.status.as_str())
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        name_of(&self.arn)
    }
}

/// The name in an execution's ARN.
pub(crate) fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// Something that an execution did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Its number in the history.
    pub(crate) id: i64,
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What an execution did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum What {
    /// It entered a state.
    Entered {
        /// Which.
        state: String,
    },
    /// It left one.
    Left {
        /// Which.
        state: String,
        /// What had been decided last by then.
        decided: Option<String>,
    },
    /// A Task failed; it may be tried again.
    Failed {
        /// In which state; empty where its entry was not read.
        state: String,
        /// The error.
        error: String,
        /// Its cause.
        cause: String,
    },
    /// It was redriven.
    Redriven,
}

/// The events of an execution that say something new: the state that was entered last, every change of what was decided, every
/// failure and redrive.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// They, the oldest first.
    pub(crate) events: Vec<Event>,
    decided: Option<String>,
    state: String,
}

impl Told {
    /// Of an execution that is read from its first event on, or from somewhere: then the first decision is no change.
    pub(crate) fn new(from_start: bool) -> Self {
        Self {
            decided: from_start.then(String::new),
            ..Self::default()
        }
    }

    /// Adds what happened since.
    pub(crate) fn add(&mut self, news: Vec<Event>) {
        for mut event in news {
            match &mut event.what {
                What::Entered { state } => {
                    self.state.clone_from(state);
                    self.events
                        .retain(|it| !matches!(it.what, What::Entered { .. }));
                }
                What::Left { decided, .. } => {
                    if decided.is_none() || *decided == self.decided {
                        continue;
                    }
                    if std::mem::replace(&mut self.decided, decided.clone()).is_none() {
                        continue;
                    }
                }
                What::Failed { state, .. } => state.clone_from(&self.state),
                What::Redriven => (),
            }
            self.events.push(event);
        }
        self.events
            .drain(..self.events.len().saturating_sub(MOST_EVENTS));
    }
}

/// The sums of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counted {
    /// Whose servers.
    pub(crate) environment: String,
    /// When.
    pub(crate) at: Timestamp,
    /// Their busy sessions.
    pub(crate) busy: u64,
    /// Their idle sessions.
    pub(crate) idle: u64,
    /// How many of them did not answer.
    pub(crate) unknown: usize,
}

/// The parts of an execution's document that are drawn. One that is missing, or that another version writes otherwise, is
/// none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Known {
    /// What LaunchGreen saw.
    pub(crate) green: Option<Launched>,
    /// The list of servers that are being counted.
    pub(crate) retiring: Option<Retiring>,
    /// The weights as they were confirmed.
    pub(crate) switch: Option<Switched>,
    /// The weights that a rollback confirmed.
    pub(crate) back: Option<Switched>,
    /// What was counted.
    pub(crate) check: Option<Check>,
    /// What was decided last.
    pub(crate) record: Option<Decided>,
}

/// What keep-record answered, as far as people want it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decided {
    /// How long the execution waits before the next pass, in seconds.
    pub(crate) wait_seconds: u64,
    /// Why it does what it does.
    pub(crate) reason: String,
}

impl Known {
    /// Of a document.
    pub(crate) fn of(document: &Value) -> Self {
        fn part<T: DeserializeOwned>(document: &Value, key: &str) -> Option<T> {
            T::deserialize(document.get(key)?).ok()
        }
        Self {
            green: part(document, "green"),
            retiring: part(document, "retiring"),
            switch: part(document, "switch"),
            back: part(document, "back"),
            check: part(document, "check"),
            record: part(document, "record"),
        }
    }

    /// The name of the environment whose servers the check counted. The list of servers may be of the other one by now.
    pub(crate) fn checked(&self) -> Option<&str> {
        let measured = self.check.as_ref()?.memory.measured.as_ref();
        measured.map(Measured::environment)
    }

    /// What this document counted.
    pub(crate) fn counted(&self) -> Option<Counted> {
        let check = self.check.as_ref()?;
        Some(Counted {
            environment: self.checked()?.to_owned(),
            at: check.at,
            busy: check.counts.busy,
            idle: check.counts.idle,
            unknown: check.counts.unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: i64, what: What) -> Event {
        let at = Timestamp::UNIX_EPOCH;
        Event { id, at, what }
    }

    fn entered(id: i64, state: &str) -> Event {
        let state = state.to_owned();
        event(id, What::Entered { state })
    }

    fn left(id: i64, state: &str, decided: &str) -> Event {
        let (state, decided) = (state.to_owned(), Some(decided.to_owned()));
        event(id, What::Left { state, decided })
    }

    fn failed(id: i64) -> Event {
        let (error, cause) = ("Throttled".to_owned(), "slower".to_owned());
        let state = String::new();
        event(
            id,
            What::Failed {
                state,
                error,
                cause,
            },
        )
    }

    fn ids(events: &[Event]) -> Vec<i64> {
        events.iter().map(|event| event.id).collect()
    }

    #[test]
    fn what_says_nothing_new_is_left_out() {
        let mut told = Told::new(true);
        told.add(vec![
            entered(2, "ClaimService"),
            left(3, "ClaimService", "the front was free"),
            entered(4, "LaunchGreen"),
            failed(5),
            left(6, "LaunchGreen", "the front was free"),
            entered(7, "DecidePass"),
            left(8, "DecidePass", "the bake goes on"),
            entered(9, "Wait"),
        ]);
        assert_eq!(ids(&told.events), [3, 5, 8, 9]);
        let What::Failed { state, .. } = &told.events[1].what else {
            panic!("{told:?}");
        };
        assert_eq!(state, "LaunchGreen");
        let again = left(11, "DecidePass", "the bake goes on");
        told.add(vec![entered(10, "DecidePass"), again, failed(12)]);
        assert_eq!(ids(&told.events), [3, 5, 8, 10, 12]);
        for id in 13..300 {
            told.add(vec![failed(id)]);
        }
        assert_eq!(told.events.len(), MOST_EVENTS);
        assert_eq!(told.events.last().unwrap().id, 299);
    }

    #[test]
    fn a_decision_of_before_the_first_event_is_no_news() {
        let mut told = Told::new(false);
        told.add(vec![left(40, "SwitchTargetGroup", "the bake goes on")]);
        told.add(vec![left(73, "DecidePass", "the bake goes on")]);
        assert_eq!(ids(&told.events), [0; 0]);
        told.add(vec![left(74, "DecidePass", "the bake is over")]);
        assert_eq!(ids(&told.events), [74]);
    }
}
