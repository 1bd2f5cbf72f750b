//! Executions: where one stands, what it did last, its verdict; starting one, and redriving one.

use std::time::Duration;

use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::HistoryEvent;
use jiff::Timestamp;
use serde_json::Value;

use super::Aws;
use crate::failed::Failed;
use crate::seen::{Counted, Event, Execution, Known, What};

/// How often an execution that ends within seconds is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// GetExecutionHistory answers at most so many of the events with their documents at once; a document may have 200 KB.
const PAGE: i32 = 100;

/// An execution's end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    /// Its status.
    pub(crate) status: String,
    /// The error that it failed with.
    pub(crate) error: Option<String>,
    /// Its cause.
    pub(crate) cause: Option<String>,
    /// Its output.
    pub(crate) output: Value,
}

impl Ended {
    /// Why it did not succeed.
    pub(crate) fn why(&self) -> String {
        let parts = [&self.error, &self.cause];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() {
            self.status.clone()
        } else {
            parts.join(": ")
        }
    }
}

/// The events of an execution that are new, the oldest first, and what the newest document says.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The number of the newest event.
    pub(crate) newest: i64,
    pub(crate) events: Vec<Event>,
    pub(crate) counted: Vec<Counted>,
    pub(crate) document: Option<Known>,
}

impl Aws {
    /// How an execution stands, without its events. One that Step Functions does not know any more does not run: it keeps
    /// closed ones for 90 days, and one that was named and never started is not known at all.
    ///
    /// # Errors
    /// When AWS does not answer.
    pub(crate) async fn execution(&self, arn: &str) -> Result<Execution, Failed> {
        let answer = self.describe(arn).await?;
        let mut execution = Execution {
            arn: arn.to_owned(),
            status: "NO LONGER KNOWN".to_owned(),
            error: None,
            cause: None,
            stopped_at: None,
            events: Vec::new(),
            counted: Vec::new(),
            document: Known::default(),
        };
        if let Some(answer) = answer {
            answer.status().as_str().clone_into(&mut execution.status);
            execution.error = answer.error().map(str::to_owned);
            execution.cause = answer.cause().map(readable);
            execution.stopped_at = answer.stop_date().map(moment);
        }
        Ok(execution)
    }

    /// What an execution did after the event `known`, `most` events at most. Events are numbered, so each is read once.
    ///
    /// # Errors
    /// When AWS does not answer.
    pub(crate) async fn news(&self, arn: &str, known: i64, most: i64) -> Result<News, Failed> {
        let (newest, _) = self.history(arn, 1, false, None).await?;
        let newest = newest.first().map_or(known, HistoryEvent::id);
        let (mut news, mut token) = (News::default(), None);
        news.newest = known;
        let (mut read, mut reached) = (0, newest <= known);
        while !reached && read < most {
            // More may have come since: the next page begins where this one ends.
            let page = i32::try_from(newest - known).unwrap_or(PAGE).min(PAGE);
            let (events, next) = self.history(arn, page, true, token).await?;
            if news.document.is_none() {
                news.document = events.iter().find_map(document).map(|it| Known::of(&it));
            }
            for fresh in events.iter().filter(|event| event.id() > known) {
                news.newest = news.newest.max(fresh.id());
                news.events.extend(event(fresh));
                news.counted.extend(counted(fresh));
            }
            read += i64::from(page);
            reached = next.is_none() || events.iter().any(|event| event.id() <= known + 1);
            token = next;
        }
        news.events.reverse();
        news.counted.reverse();
        Ok(news)
    }

    /// A page of an execution's events, the newest first, and how to ask for the next one.
    async fn history(
        &self,
        arn: &str,
        page: i32,
        with_documents: bool,
        token: Option<String>,
    ) -> Result<(Vec<HistoryEvent>, Option<String>), Failed> {
        let answer = self
            .sfn
            .get_execution_history()
            .execution_arn(arn)
            .reverse_order(true)
            .max_results(page)
            .include_execution_data(with_documents)
            .set_next_token(token)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok((answer.events, answer.next_token)),
            Err(error) if is_missing(&error) => Ok((Vec::new(), None)),
            Err(error) => Err(Failed::call("GetExecutionHistory", &error)),
        }
    }

    /// Starts an execution. The name makes it the same one when the SDK has to ask twice.
    ///
    /// # Errors
    /// When AWS does not take it.
    pub(crate) async fn start(&self, name: &str, input: &Value) -> Result<String, Failed> {
        let answer = self
            .sfn
            .start_execution()
            .state_machine_arn(&self.machine)
            .name(name)
            .input(input.to_string())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.execution_arn),
            Err(error) if error.code() == Some("ExecutionAlreadyExists") => Err(Failed::Usage(
                format!("an execution is called {name} already: take another name"),
            )),
            Err(error) => Err(Failed::call("StartExecution", &error)),
        }
    }

    /// Redrives an execution: the state that did not succeed is run again.
    ///
    /// # Errors
    /// When AWS does not take it, such as 14 days after its end.
    pub(crate) async fn redrive(&self, arn: &str) -> Result<(), Failed> {
        let answer = self.sfn.redrive_execution().execution_arn(arn).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("ExecutionNotRedrivable") => {
                let why = error.message().unwrap_or_default();
                Err(Failed::NotDone(format!("it cannot be redriven: {why}")))
            }
            Err(error) => Err(Failed::call("RedriveExecution", &error)),
        }
    }

    /// How an execution ended; none while it runs.
    ///
    /// # Errors
    /// When AWS does not answer, or does not know it.
    pub(crate) async fn end(&self, arn: &str) -> Result<Option<Ended>, Failed> {
        let answer = self.describe(arn).await?;
        let answer =
            answer.ok_or_else(|| Failed::Unknown(format!("there is no execution {arn}")))?;
        let status = answer.status().as_str();
        if ["RUNNING", "PENDING_REDRIVE"].contains(&status) {
            return Ok(None);
        }
        let output = answer.output().unwrap_or_default();
        Ok(Some(Ended {
            status: status.to_owned(),
            error: answer.error().map(str::to_owned),
            cause: answer.cause().map(readable),
            output: serde_json::from_str(output).unwrap_or_default(),
        }))
    }

    /// Waits for the end of an execution that takes seconds.
    ///
    /// # Errors
    /// As [`Self::end`], and when it takes longer than `limit`.
    pub(crate) async fn verdict(&self, arn: &str, limit: Duration) -> Result<Ended, Failed> {
        let ended = async {
            loop {
                if let Some(ended) = self.end(arn).await? {
                    return Ok(ended);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let ended = tokio::time::timeout(limit, ended).await;
        ended.unwrap_or_else(|_| {
            let limit = limit.as_secs();
            Err(Failed::NotDone(format!(
                "no verdict within {limit} s; it may still come: look at the execution {arn}"
            )))
        })
    }

    async fn describe(
        &self,
        arn: &str,
    ) -> Result<Option<aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput>, Failed>
    {
        match self
            .sfn
            .describe_execution()
            .execution_arn(arn)
            .send()
            .await
        {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(Failed::call("DescribeExecution", &error)),
        }
    }
}

fn is_missing(error: &impl ProvideErrorMetadata) -> bool {
    error
        .code()
        .is_some_and(|code| code.starts_with("ExecutionDoesNotExist"))
}

/// The document that an event carries.
fn document(event: &HistoryEvent) -> Option<Value> {
    let left = event
        .state_exited_event_details()
        .and_then(|it| it.output());
    let entered = event
        .state_entered_event_details()
        .and_then(|it| it.input());
    serde_json::from_str(left.or(entered)?).ok()
}

fn event(event: &HistoryEvent) -> Option<Event> {
    Some(Event {
        id: event.id(),
        at: moment(event.timestamp()),
        what: what(event)?,
    })
}

/// What a check counted.
fn counted(event: &HistoryEvent) -> Option<Counted> {
    let left = event.state_exited_event_details()?;
    let is_check = left.name() == "CheckDrained";
    is_check.then(|| Known::of(&document(event)?).counted())?
}

fn what(event: &HistoryEvent) -> Option<What> {
    if let Some(entered) = event.state_entered_event_details() {
        let state = entered.name().to_owned();
        return Some(What::Entered { state });
    }
    if let Some(left) = event.state_exited_event_details() {
        let document = document(event).unwrap_or_default();
        let reason = document["record"]["reason"].as_str();
        return Some(What::Left {
            state: left.name().to_owned(),
            decided: reason.map(str::to_owned),
        });
    }
    if event.execution_redriven_event_details().is_some() {
        return Some(What::Redriven);
    }
    let task = event.task_failed_event_details();
    let late = event.task_timed_out_event_details();
    let task = task.map(|it| (it.error(), it.cause()));
    let (error, cause) = task.or(late.map(|it| (it.error(), it.cause())))?;
    Some(What::Failed {
        state: String::new(),
        error: error.unwrap_or("States.TaskFailed").to_owned(),
        cause: readable(cause.unwrap_or_default()),
    })
}

/// Step Functions gives a function's error as JSON; a person wants its message.
fn readable(cause: &str) -> String {
    let error: Value = serde_json::from_str(cause).unwrap_or_default();
    error["errorMessage"].as_str().unwrap_or(cause).to_owned()
}

fn moment(moment: &DateTime) -> Timestamp {
    let nanos = i32::try_from(moment.subsec_nanos()).unwrap_or_default();
    Timestamp::new(moment.secs(), nanos).unwrap_or_default()
}
