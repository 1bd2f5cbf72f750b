//! Redrives, staged: the emulator has no RedriveExecution.
//!
//! A staged redrive is an execution of a state machine with the same definition that starts at the state that failed, or
//! was running when the execution was stopped, with the input that the history shows. It keeps the execution's name, and
//! `$states.context.Execution.Id` is replaced by what it was, so that what it starts itself runs where it would have. What
//! differs from AWS:
//! - its ARN is another one, its history begins anew, and the execution that was redriven stays as it ended, so whoever
//!   asks for the latter's status (a deployment that finds the service owned) is not told that it runs again;
//! - `$states.context.Execution.Input`, `StartTime` and `StateMachine.Name` are the staged one's; `RedriveCount`, which
//!   the emulator lacks, is put in as a literal; retries are counted anew, as on AWS;
//! - the definition is the one that the execution ran with. So is AWS's.
//!
//! On this stand the Tasks that fail on purpose: see `breaking`.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::Value;

use crate::cloud::LocalCloud;
use crate::error::{Error, Result};
use crate::execution::Execution;
use crate::variant::Variant;

/// A state, and the input that it was entered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub state: String,
    /// The document on entry.
    pub input: Value,
}

/// A Task that an execution entered, perhaps again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEntries {
    /// Its name.
    pub state: String,
    /// The document when it was entered first.
    pub first: Value,
    /// The document when it was entered last.
    pub last: Value,
}

/// Makes the names of staged state machines unique.
pub(crate) static STAGED: AtomicU32 = AtomicU32::new(1);

impl LocalCloud {
    /// Redrives an execution that failed or was stopped, as an operator does in the console. Works on a redrive, too.
    ///
    /// # Errors
    /// [`Error::Input`] if it runs or succeeded, as on AWS; or if Step Functions refuses.
    pub async fn redrive(&self, execution: &Execution) -> Result<Execution> {
        let Entry { state, input } = interrupted(execution).await?;
        self.redrive_at(execution, &state, &input).await
    }

    /// Enters an execution's definition again at any of its states, with an input that its history shows.
    ///
    /// # Errors
    /// If Step Functions refuses, or has no such state.
    pub async fn redrive_at(
        &self,
        execution: &Execution,
        state: &str,
        input: &Value,
    ) -> Result<Execution> {
        let definition = self.definition_of(&execution.state_machine()).await?;
        let variant = Variant::of(definition)
            .known_as(execution.arn())
            .redriven_once_more()
            .start_at(state);
        self.start_variant(&variant, Some(execution.name()), input)
            .await
    }

    /// The deployed definition, with its substitutions done.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn definition(&self) -> Result<Value> {
        self.definition_of(&self.stack().state_machine_arn).await
    }

    /// Starts an execution of a variant, as a state machine of its own with the deployed one's role. What its
    /// expressions see as the state machine is the deployed one.
    ///
    /// # Errors
    /// If Step Functions refuses, or the variant is wrong.
    pub async fn start_variant(
        &self,
        variant: &Variant,
        name: Option<&str>,
        input: &Value,
    ) -> Result<Execution> {
        let sfn = &self.clients().sfn;
        let deployed = &self.stack().state_machine_arn;
        let described = sfn
            .describe_state_machine()
            .state_machine_arn(deployed)
            .send()
            .await
            .map_err(Error::aws("DescribeStateMachine"))?;
        let variant = variant.clone().part_of(deployed);
        let made = sfn
            .create_state_machine()
            .name(staged_name(described.name()))
            .role_arn(described.role_arn())
            .definition(variant.definition()?.to_string())
            .send()
            .await
            .map_err(Error::aws("CreateStateMachine"))?;
        Execution::start(sfn, made.state_machine_arn(), name, &input.to_string()).await
    }

    /// Gives the deployed state machine another definition; executions that run keep theirs.
    ///
    /// # Errors
    /// If Step Functions refuses, or the variant is none.
    pub async fn replace_definition(&self, variant: &Variant) -> Result<()> {
        self.clients()
            .sfn
            .update_state_machine()
            .state_machine_arn(&self.stack().state_machine_arn)
            .definition(variant.definition()?.to_string())
            .send()
            .await
            .map_err(Error::aws("UpdateStateMachine"))?;
        Ok(())
    }

    async fn definition_of(&self, state_machine: &str) -> Result<Value> {
        let described = self
            .clients()
            .sfn
            .describe_state_machine()
            .state_machine_arn(state_machine)
            .send()
            .await
            .map_err(Error::aws("DescribeStateMachine"))?;
        serde_json::from_str(described.definition())
            .map_err(|error| Error::Input(format!("{state_machine} has no definition: {error}")))
    }
}

/// The state at which a redrive of this execution begins.
///
/// # Errors
/// [`Error::Input`] if it runs or succeeded, or Step Functions does not answer.
pub async fn interrupted(execution: &Execution) -> Result<Entry> {
    let status = execution.standing().await?.status;
    if matches!(
        status,
        ExecutionStatus::Running | ExecutionStatus::Succeeded
    ) {
        return Err(Error::Input(format!(
            "{} is {status}: there is nothing to redrive",
            execution.name()
        )));
    }
    interrupted_in(&execution.history().await?).ok_or_else(|| {
        Error::Input(format!(
            "{} ended before it entered a state",
            execution.name()
        ))
    })
}

/// Every Task that an execution entered, in the order of the first entries.
///
/// # Errors
/// If Step Functions does not answer.
pub async fn tasks_entered(execution: &Execution) -> Result<Vec<TaskEntries>> {
    Ok(tasks_entered_in(&execution.history().await?))
}

/// The state entered last. What comes after the event that aborted the execution is not looked at: the emulator lets a
/// running Task finish and records that it did.
fn interrupted_in(history: &[HistoryEvent]) -> Option<Entry> {
    let until_stopped = history
        .iter()
        .take_while(|event| *event.r#type() != HistoryEventType::ExecutionAborted);
    until_stopped.filter_map(entry).last()
}

fn tasks_entered_in(history: &[HistoryEvent]) -> Vec<TaskEntries> {
    let mut tasks: Vec<TaskEntries> = Vec::new();
    let entries = history
        .iter()
        .filter(|event| *event.r#type() == HistoryEventType::TaskStateEntered);
    for Entry { state, input } in entries.filter_map(entry) {
        match tasks.iter_mut().find(|task| task.state == state) {
            Some(known) => known.last = input,
            None => tasks.push(TaskEntries {
                state,
                first: input.clone(),
                last: input,
            }),
        }
    }
    tasks
}

fn entry(event: &HistoryEvent) -> Option<Entry> {
    let details = event.state_entered_event_details()?;
    Some(Entry {
        state: details.name().to_owned(),
        input: serde_json::from_str(details.input()?).ok()?,
    })
}

/// At most 80 characters. https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
fn staged_name(deployed: &str) -> String {
    let number = STAGED.fetch_add(1, Ordering::Relaxed);
    let base: String = deployed.chars().take(60).collect();
    format!("{base}-staged-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::types::StateEnteredEventDetails;
    use aws_smithy_types::DateTime;
    use serde_json::json;

    fn event(id: i64, kind: HistoryEventType, entered: Option<(&str, Value)>) -> HistoryEvent {
        let details = entered.map(|(name, input)| {
            StateEnteredEventDetails::builder()
                .name(name)
                .input(input.to_string())
                .build()
                .unwrap()
        });
        HistoryEvent::builder()
            .id(id)
            .timestamp(DateTime::from_secs(id))
            .r#type(kind)
            .set_state_entered_event_details(details)
            .build()
            .unwrap()
    }

    fn history() -> Vec<HistoryEvent> {
        use HistoryEventType as Type;
        vec![
            event(1, Type::ExecutionStarted, None),
            event(2, Type::TaskStateEntered, Some(("Plan", json!({"n": 1})))),
            event(3, Type::WaitStateEntered, Some(("Pause", json!({"n": 2})))),
            event(4, Type::TaskStateEntered, Some(("Plan", json!({"n": 3})))),
            event(5, Type::TaskStateEntered, Some(("Claim", json!({"n": 4})))),
            event(6, Type::ExecutionAborted, None),
            event(7, Type::TaskStateExited, None),
            event(8, Type::TaskStateEntered, Some(("Never", json!({"n": 5})))),
        ]
    }

    #[test]
    fn a_redrive_begins_where_the_execution_was_when_it_was_stopped() {
        let found = interrupted_in(&history()).unwrap();
        assert_eq!(
            (found.state.as_str(), found.input),
            ("Claim", json!({"n": 4}))
        );
        assert_eq!(interrupted_in(&history()[..1]), None);
    }

    #[test]
    fn each_task_has_its_first_and_its_last_input() {
        let tasks = tasks_entered_in(&history()[..6]);
        let seen: Vec<_> = tasks
            .iter()
            .map(|task| (task.state.as_str(), &task.first["n"], &task.last["n"]))
            .collect();
        assert_eq!(
            seen,
            [
                ("Plan", &json!(1), &json!(3)),
                ("Claim", &json!(4), &json!(4))
            ]
        );
    }
}
