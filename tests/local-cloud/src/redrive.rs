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
//! On this stand the Tasks that fail on purpose: [`Breaking`] breaks each in turn and redrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::Value;

use crate::cloud::LocalCloud;
use crate::error::{Error, Result};
use crate::execution::{Execution, Standing};
use crate::variant::{ON_PURPOSE, Variant};

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

/// A Task that has just failed on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub task: String,
    /// Whether its effect is there, and only its reply was lost.
    pub took_effect: bool,
}

/// How a deployment ended whose Tasks failed twice.
#[derive(Clone, Debug)]
pub struct Broken {
    /// How the last redrive ended.
    pub standing: Standing,
    /// The last redrive.
    pub last: Execution,
    /// The Tasks that failed once before their effect and once after it, in the order in which they were reached.
    pub tasks: Vec<String>,
    /// All executions, the first one first.
    pub executions: Vec<Execution>,
}

impl Broken {
    /// The Tasks that were entered in any of the executions: those of [`Broken::tasks`], if none was spared.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn entered(&self) -> Result<BTreeSet<String>> {
        let mut entered = BTreeSet::new();
        for execution in &self.executions {
            let tasks = tasks_entered(execution).await?.into_iter();
            entered.extend(tasks.map(|task| task.state));
        }
        Ok(entered)
    }
}

/// Makes the names of staged state machines unique.
static STAGED: AtomicU32 = AtomicU32::new(1);

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

/// One deployment in which Tasks fail twice when they are first reached: once before their effect and once after it, the
/// reply lost. Each time the execution is redriven, until it ends otherwise.
///
/// Executions that it starts itself (continuations) run unbroken.
#[derive(Debug)]
pub struct Breaking<'a> {
    cloud: &'a LocalCloud,
    whole: Variant,
    limit: Duration,
    failures: BTreeMap<String, u8>,
    pending: Option<Entry>,
    tasks: Vec<String>,
    executions: Vec<Execution>,
    last: Execution,
}

impl<'a> Breaking<'a> {
    /// Starts it; `tasks` fail, of a definition that may be a variant, such as one whose long Waits are short. `limit` is
    /// for each stretch between two failures.
    ///
    /// # Errors
    /// If Step Functions refuses, or one of `tasks` is none.
    pub async fn start(
        cloud: &'a LocalCloud,
        whole: Variant,
        tasks: &[impl AsRef<str>],
        name: Option<&str>,
        input: &Value,
        limit: Duration,
    ) -> Result<Self> {
        let tasks = tasks.iter().map(|task| (task.as_ref().to_owned(), 0));
        let failures: BTreeMap<String, u8> = tasks.collect();
        // Known as the deployed machine's from the start: executions that it starts run there, unbroken.
        let fresh = format!("fragile-{}", STAGED.fetch_add(1, Ordering::Relaxed));
        let name = name.unwrap_or(&fresh);
        let whole = whole.known_as(cloud.execution(name).arn());
        let last = cloud
            .start_variant(&broken(whole.clone(), &failures), Some(name), input)
            .await?;
        Ok(Self {
            cloud,
            whole,
            limit,
            failures,
            pending: None,
            tasks: Vec::new(),
            executions: vec![last.clone()],
            last,
        })
    }

    /// Redrives it if it has failed on purpose, and waits until it does so again: the moment to change the world. `None`
    /// once it has ended otherwise.
    ///
    /// # Errors
    /// If Step Functions refuses, or the stretch takes longer than the limit.
    pub async fn next_failure(&mut self) -> Result<Option<Failure>> {
        if let Some(Entry { state, input }) = self.pending.take() {
            self.whole = self.whole.clone().redriven_once_more();
            let variant = broken(self.whole.clone(), &self.failures).start_at(&state);
            let name = Some(self.last.name());
            self.last = self.cloud.start_variant(&variant, name, &input).await?;
            self.executions.push(self.last.clone());
        }
        let standing = self.last.ended(self.limit).await?;
        let cause = standing.cause.unwrap_or_default();
        if standing.status != ExecutionStatus::Failed || !cause.contains(ON_PURPOSE) {
            return Ok(None);
        }
        let entry = interrupted(&self.last).await?;
        let failed = self.failures.entry(entry.state.clone()).or_default();
        *failed += 1;
        let failure = Failure {
            task: entry.state.clone(),
            took_effect: *failed == 2,
        };
        if failure.took_effect {
            self.tasks.push(entry.state.clone());
        }
        self.pending = Some(entry);
        Ok(Some(failure))
    }

    /// How it stands in words, for the message of a test.
    ///
    /// # Errors
    /// If Step Functions refuses.
    pub async fn describe(&self) -> Result<String> {
        Ok(self.last.standing().await?.describe(None))
    }

    /// Redrives it as often as it fails on purpose, and says how it ended.
    ///
    /// # Errors
    /// As [`Breaking::next_failure`].
    pub async fn ended(mut self) -> Result<Broken> {
        while self.next_failure().await?.is_some() {}
        Ok(Broken {
            standing: self.last.standing().await?,
            last: self.last,
            tasks: self.tasks,
            executions: self.executions,
        })
    }
}

/// Breaks the Tasks as their counts of failures so far have it: before the effect, after it, not at all.
fn broken(whole: Variant, failures: &BTreeMap<String, u8>) -> Variant {
    failures
        .iter()
        .fold(whole, |variant, (task, failed)| match failed {
            0 => variant.fail_before(task),
            1 => variant.fail_after(task),
            _ => variant,
        })
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

    #[test]
    fn tasks_fail_before_their_effect_then_after_it_then_no_more() {
        let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "End": true}}});
        let made = |failed| {
            let variant = broken(
                Variant::of(definition.clone()),
                &BTreeMap::from([("A".to_owned(), failed)]),
            );
            variant.definition().unwrap()["States"]["A"].clone()
        };
        assert!(made(0)["Arguments"].is_string() && made(0)["Output"].is_null());
        assert!(made(1)["Arguments"].is_null() && made(1)["Output"].is_string());
        assert_eq!(made(2), definition["States"]["A"]);
    }
}
