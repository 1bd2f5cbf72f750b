//! One execution of the state machine: where it is, what its document says, and what follows an answer or an error.
//!
//! Interprets the definition; the Tasks themselves are done elsewhere. An error meets the first retrier that names it, and
//! one of no attempts ends the retries. Retries wait as they are told, but only twice: how often is a matter of patience,
//! and what follows them should be met often.

use ebbtide_rules::input::Verb;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::definition::{self, Scope};

/// How many retries of one error are made, where the definition allows as many.
const MOST_RETRIES: u64 = 2;
/// More Choices in a row than the definition has.
const MOST_CHOICES: usize = 50;

/// One execution.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) name: String,
    pub(crate) state: String,
    /// The document, on entry of the state.
    pub(crate) input: Value,
    pub(crate) status: Status,
    pub(crate) redrives: u32,
    /// Whether it was started to take another's place.
    pub(crate) takes_over: bool,
    /// Whether it tells a deployment something.
    pub(crate) wishes: bool,
    /// When the state goes on, if it waits.
    pub(crate) until: Option<Timestamp>,
    /// How often each retrier of this state has been used.
    retries: Vec<u32>,
    /// How many passes it makes, as the stack says.
    passes: u32,
}

/// Whether it runs, and how it ended otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    /// In a Succeed state, whose name this is, with its output.
    Succeeded(String, Value),
    /// In a Fail state, with its error: a redrive fails again at once.
    Verdict(String),
    /// In a Task, with its error.
    Failed(String),
    Stopped,
}

/// What an execution does next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// A Task: its arguments.
    Task { arguments: Value },
    /// Nothing before that moment.
    Wait(Timestamp),
    /// Nothing more.
    Ended,
}

/// What Step Functions says instead of a reply that does not come in time.
pub(crate) const TIMED_OUT: &str = "States.Timeout";

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:states:eu-west-1:123456789012:execution:ebbtide:{name}")
}

impl Execution {
    pub(crate) fn new(name: &str, input: Value, passes: u32) -> Self {
        Self {
            takes_over: input.get("takeOver").is_some(),
            wishes: Verb::ALL
                .iter()
                .any(|verb| input.get(verb.field()).is_some()),
            passes,
            name: name.to_owned(),
            state: definition::start().to_owned(),
            input,
            status: Status::Running,
            redrives: 0,
            until: None,
            retries: Vec::new(),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status == Status::Running
    }

    /// Whether the next thing that it does is that state's, whatever Choices and Passes are before it.
    pub(crate) fn is_at(&self, state: &str, now: Timestamp) -> bool {
        let mut ahead = self.clone();
        ahead.next(now).is_ok() && ahead.state == state
    }

    /// Its status as Step Functions spells it.
    pub(crate) fn words(&self) -> &'static str {
        match self.status {
            Status::Running => "RUNNING",
            Status::Succeeded(..) => "SUCCEEDED",
            Status::Verdict(_) | Status::Failed(_) => "FAILED",
            Status::Stopped => "ABORTED",
        }
    }

    /// Begins again in the Task that failed or was stopped.
    pub(crate) fn redrive(&mut self) {
        if matches!(self.status, Status::Failed(_) | Status::Stopped) {
            self.status = Status::Running;
            self.redrives += 1;
            self.retries.clear();
            self.until = None;
        }
    }

    /// Goes through Choices and Passes to the next Task, Wait or end. An error: an expression has no value.
    pub(crate) fn next(&mut self, now: Timestamp) -> Result<Next, String> {
        for _ in 0..MOST_CHOICES {
            if !self.is_running() {
                return Ok(Next::Ended);
            }
            if let Some(until) = self.until.filter(|until| *until > now) {
                return Ok(Next::Wait(until));
            }
            let state = definition::state(&self.state);
            let scope = self.scope(now, None);
            match state["Type"].as_str().unwrap_or_default() {
                "Task" => {
                    let arguments = scope.fill(&state["Arguments"])?;
                    return Ok(Next::Task { arguments });
                }
                "Choice" => self.choose(state, &scope)?,
                "Pass" => {
                    self.input = scope.fill(&state["Output"])?;
                    self.enter(text(&state["Next"]));
                }
                "Wait" if self.until.take().is_some() => self.enter(text(&state["Next"])),
                "Wait" => {
                    let seconds = scope.fill(&state["Seconds"])?;
                    let seconds = seconds.as_f64().ok_or(format!("{seconds} seconds"))?;
                    #[allow(clippy::cast_possible_truncation, reason = "a wait is days at most")]
                    let wait = SignedDuration::from_secs(seconds as i64);
                    self.until = Some(now + wait);
                }
                "Succeed" => {
                    let output = match &state["Output"] {
                        Value::Null => self.input.clone(),
                        output => scope.fill(output)?,
                    };
                    self.status = Status::Succeeded(self.state.clone(), output);
                }
                "Fail" => {
                    scope.fill(&state["Cause"])?;
                    self.status = Status::Verdict(text(&state["Error"]).to_owned());
                }
                other => panic!("{} is a {other}", self.state),
            }
        }
        panic!("Choices lead round at {}", self.state)
    }

    fn choose(&mut self, state: &Value, scope: &Scope) -> Result<(), String> {
        for choice in state["Choices"].as_array().expect("a Choice has choices") {
            if scope.holds(&choice["Condition"])? {
                if !choice["Output"].is_null() {
                    self.input = scope.fill(&choice["Output"])?;
                }
                self.enter(text(&choice["Next"]));
                return Ok(());
            }
        }
        self.enter(text(&state["Default"]));
        Ok(())
    }

    /// The Task has answered.
    pub(crate) fn answered(&mut self, result: Value, now: Timestamp) -> Result<(), String> {
        let state = definition::state(&self.state);
        self.input = self
            .scope(now, Some(("result", result)))
            .fill(&state["Output"])?;
        self.enter(text(&state["Next"]));
        Ok(())
    }

    /// The Task has failed: it is retried, caught, or the execution fails in it.
    pub(crate) fn failed(&mut self, failure: &Failure, now: Timestamp) -> Result<(), String> {
        let state = definition::state(&self.state);
        let rules = |field: &str| state[field].as_array().map_or(&[][..], Vec::as_slice);
        let meets = |rule: &Value| {
            let names = rule["ErrorEquals"].as_array();
            names.is_some_and(|names| names.iter().any(|name| is_met(text(name), &failure.error)))
        };
        if let Some(rule) = rules("Retry").iter().position(meets) {
            self.retries.resize(rules("Retry").len(), 0);
            let retrier = &rules("Retry")[rule];
            let most = retrier["MaxAttempts"].as_u64().unwrap_or(3);
            if u64::from(self.retries[rule]) < most.min(MOST_RETRIES) {
                self.retries[rule] += 1;
                let seconds = retrier["IntervalSeconds"].as_i64().unwrap_or(1);
                self.until = Some(now + SignedDuration::from_secs(seconds));
                return Ok(());
            }
        }
        if let Some(rule) = rules("Catch").iter().find(|rule| meets(rule)) {
            // A Lambda's error comes with its message in JSON.
            let cause = json!({"errorType": failure.error, "errorMessage": failure.cause});
            let output = json!({"Error": failure.error, "Cause": cause.to_string()});
            self.input = self
                .scope(now, Some(("errorOutput", output)))
                .fill(&rule["Output"])?;
            self.enter(text(&rule["Next"]));
            return Ok(());
        }
        self.status = Status::Failed(failure.error.clone());
        Ok(())
    }

    fn enter(&mut self, state: &str) {
        state.clone_into(&mut self.state);
        self.retries.clear();
        self.until = None;
    }

    fn scope(&self, now: Timestamp, more: Option<(&str, Value)>) -> Scope {
        let mut execution = json!({"Id": arn(&self.name), "Name": self.name});
        if self.redrives > 0 {
            execution["RedriveCount"] = json!(self.redrives);
        }
        let mut states = json!({
            "input": self.input,
            "context": {
                "Execution": execution,
                "State": {"Name": self.state, "RetryCount": self.retries.iter().sum::<u32>()},
                "StateMachine": {"Id": "arn:aws:states:eu-west-1:123456789012:stateMachine:ebbtide"},
            },
        });
        if let Some((name, value)) = more {
            states[name] = value;
        }
        Scope {
            states,
            now,
            passes: self.passes,
        }
    }
}

/// Whether a name of a Retry or a Catch stands for an error. `States.TaskFailed` is every error of a Task but its
/// time-out. Source: Step Functions developer guide, "Error names".
fn is_met(name: &str, error: &str) -> bool {
    name == error || (name == "States.TaskFailed" && error != TIMED_OUT)
}

/// How a Task fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: String,
    pub(crate) cause: String,
}

impl Failure {
    /// A failure that Step Functions tells without a function's words.
    pub(crate) fn plain(error: &str) -> Self {
        Self {
            error: error.to_owned(),
            cause: String::new(),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("the definition has a text here")
}
