//! One deployment from its start through every redrive to its end, and what the operator did to it. The outcome of a
//! stage is derived from this, never from what was expected.

use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use ebbtide_local_cloud::Execution;
use ebbtide_local_cloud::execution::Standing;
use ebbtide_local_cloud::redrive::interrupted;
use ebbtide_tests::scene::Scene;
use serde_json::Value;

use crate::matrix::{Outcome, Stage};

/// How long a deployment may take from one look to its end.
pub(crate) const LIMIT: Duration = Duration::from_secs(900);

/// How a deployment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Green serves, blue is gone.
    Promoted,
    /// Blue serves again.
    RolledBack,
    /// Green never served and is gone.
    Rejected,
    /// It never began, or found that it does not own the service.
    Refused,
}

/// What the operator had to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Redrove an execution that had stopped in this state.
    Redrove(String),
    /// Terminated an instance in EC2 that the deployment had named as unknown.
    Terminated(String),
    /// Did to the Auto Scaling group, or to a member of it, what the deployment had asked for.
    Mended(String),
}

/// One deployment.
#[derive(Debug)]
pub(crate) struct Story {
    executions: Vec<Execution>,
    acts: Vec<(Stage, Act)>,
    lost: Vec<(Stage, String)>,
}

impl Story {
    /// Of a deployment that has just started.
    pub(crate) fn of(execution: Execution) -> Self {
        Self {
            executions: vec![execution],
            acts: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// The execution that works for it now.
    pub(crate) fn execution(&self) -> &Execution {
        &self.executions[self.executions.len() - 1]
    }

    /// The instances that others than the deployment ended: the fault, or the operator.
    pub(crate) fn ended_by_others(&self) -> Vec<&str> {
        let acts = self.acts.iter().filter_map(|(_, act)| match act {
            Act::Terminated(instance) | Act::Mended(instance) => Some(instance.as_str()),
            Act::Redrove(_) => None,
        });
        let lost = self.lost.iter().map(|(_, instance)| instance.as_str());
        acts.chain(lost).collect()
    }

    /// The fault: EC2 terminates an instance behind the deployment's back.
    pub(crate) async fn loses(&mut self, scene: &Scene, stage: Stage, instance: &str) {
        let ended = scene.cloud.terminate(instance).await;
        ended.expect("it is terminated");
        self.has_lost(stage, instance);
    }

    /// The fault: an instance's own group has ended it.
    pub(crate) fn has_lost(&mut self, stage: Stage, instance: &str) {
        self.lost.push((stage, instance.to_owned()));
    }

    /// The operator has done to the Auto Scaling group, or to a member of it, what the deployment had asked for.
    pub(crate) fn was_mended(&mut self, stage: Stage, what: &str) {
        let act = Act::Mended(what.to_owned());
        self.acts.push((stage, act));
    }

    /// The operator redrives what has failed or was stopped in one of the stage's states; it must have stopped there.
    pub(crate) async fn redriven(&mut self, scene: &Scene, stage: Stage) -> &Execution {
        let standing = self.execution().ended(LIMIT).await.expect("it has stopped");
        let at = interrupted(self.execution())
            .await
            .expect("it was interrupted");
        assert!(
            is_of(stage, &at.state),
            "stopped in {} and not at {stage:?}: {}",
            at.state,
            standing.describe(None)
        );
        let again = scene.redriven(self.execution()).await;
        self.executions.push(again);
        self.acts.push((stage, Act::Redrove(at.state)));
        self.execution()
    }

    /// The operator terminates an instance: only one that is named as unknown, and that still runs.
    pub(crate) async fn unblocked(&mut self, scene: &Scene, stage: Stage, instance: &str) {
        scene
            .then(&format!("{instance} to be named as unknown"), || async {
                let check = scene.last_check(self.execution()).await?;
                let named = names(&check["counts"]["unknownServers"], instance);
                Ok(if named {
                    Ok(())
                } else {
                    Err(check.to_string())
                })
            })
            .await;
        let up = scene.cloud.instances().await.expect("instances");
        let runs = up.iter().any(|one| one.id == instance && one.is_up());
        assert!(runs, "{instance} has ended while it was unknown");
        let ended = scene.cloud.terminate(instance).await;
        ended.expect("it is terminated");
        self.acts
            .push((stage, Act::Terminated(instance.to_owned())));
    }

    /// How it has ended.
    pub(crate) async fn ended(&self) -> (End, Standing) {
        let standing = self.execution().ended(LIMIT).await.expect("it ends");
        let end = end(&standing);
        let end = end.unwrap_or_else(|| panic!("no end: {}", standing.describe(None)));
        (end, standing)
    }

    /// How it met a fault at a stage, once it has ended; `without` is how it would have ended without the fault.
    pub(crate) async fn outcome(&self, stage: Stage, without: End) -> Outcome {
        let (end, _) = self.ended().await;
        if end != without {
            return match end {
                End::RolledBack => Outcome::RollBack,
                End::Rejected => Outcome::Rejected,
                End::Refused => Outcome::Refused,
                End::Promoted => panic!("it was promoted, in spite of what should roll it back"),
            };
        }
        if self.acts.iter().any(|(at, _)| *at == stage) {
            return Outcome::Block;
        }
        if self.lost.iter().any(|(at, _)| *at == stage) {
            return Outcome::Gone;
        }
        match self.tries_again(stage).await {
            true => Outcome::Retry,
            false => Outcome::NoOp,
        }
    }

    /// As [`Story::outcome`], of a fault that struck one instance: what was asked of others does not count.
    pub(crate) async fn outcome_of(&self, stage: Stage, instance: &str, without: End) -> Outcome {
        let (end, standing) = self.ended().await;
        assert_eq!(end, without, "{}", standing.describe(None));
        let ended_by = |act: &Act| match act {
            Act::Terminated(one) | Act::Mended(one) => one == instance,
            Act::Redrove(_) => false,
        };
        if self.acts.iter().any(|(_, act)| ended_by(act)) {
            return Outcome::Block;
        }
        if self
            .lost
            .iter()
            .any(|(at, lost)| *at == stage && lost == instance)
        {
            return Outcome::Gone;
        }
        for execution in &self.executions {
            let history = execution.history().await.expect("a history");
            let unheard =
                outputs(&history).any(|(state, output)| is_unheard(&state, &output, instance));
            // A test that fails names a few of the servers that it asks again.
            let tested = matches!(stage, Stage::Plan | Stage::Test) && retries(&history, stage) > 0;
            if unheard || tested {
                return Outcome::Retry;
            }
        }
        Outcome::NoOp
    }

    /// Whether it did something of a stage once more: after a failure of a Task, or of a server's answer.
    pub(crate) async fn tries_again(&self, stage: Stage) -> bool {
        for execution in &self.executions {
            let history = execution.history().await.expect("a history");
            if retries(&history, stage) > 0 || asks_again(&history, stage) {
                return true;
            }
        }
        false
    }

    /// When a Task has failed with this error, once at least, and is tried again; returns the causes so far.
    pub(crate) async fn fails_in(&self, scene: &Scene, task: &str, error: &str) -> Vec<String> {
        let seen = async || {
            let history = self.execution().history().await.expect("a history");
            failures(&history, task, error)
        };
        scene
            .then(&format!("{task} to fail with {error}"), || async {
                let failures = seen().await.len();
                Ok(if failures > 0 {
                    Ok(())
                } else {
                    Err("it has not".to_owned())
                })
            })
            .await;
        seen().await
    }

    /// How often calls of a stage's Tasks were made again.
    pub(crate) async fn retries(&self, stage: Stage) -> usize {
        let mut all = 0;
        for execution in &self.executions {
            all += retries(&execution.history().await.expect("a history"), stage);
        }
        all
    }
}

/// The end that an execution's standing says, if it is one.
fn end(standing: &Standing) -> Option<End> {
    match (&standing.status, standing.error.as_deref()) {
        (ExecutionStatus::Succeeded, _) => Some(End::Promoted),
        (_, Some("RolledBack")) => Some(End::RolledBack),
        (_, Some("GreenRejected")) => Some(End::Rejected),
        (
            _,
            Some(
                "PreflightRefused"
                | "DeploymentInProgress"
                | "Superseded"
                | "InvalidInput"
                | "NotFitYet",
            ),
        ) => Some(End::Refused),
        _ => None,
    }
}

/// Whether a state belongs to a stage: one of its Tasks, or a gate before one.
pub(crate) fn is_of(stage: Stage, state: &str) -> bool {
    let task = crate::gates::task_behind(state).unwrap_or(state);
    stage.tasks().contains(&task)
}

/// How often a call of a stage's Tasks was made again in the same visit of its state. A failure that was caught, or ended
/// the execution, is none.
fn retries(history: &[HistoryEvent], stage: Stage) -> usize {
    let mut calls = None;
    let mut again = 0;
    for event in history {
        if let Some(entered) = event.state_entered_event_details() {
            calls = is_of(stage, entered.name()).then_some(0);
        }
        if let Some(calls) = calls.as_mut()
            && is_call(event)
        {
            again += usize::from(*calls > 0);
            *calls += 1;
        }
    }
    again
}

/// The causes with which a Task failed with this error.
fn failures(history: &[HistoryEvent], task: &str, error: &str) -> Vec<String> {
    let (mut inside, mut causes) = (false, Vec::new());
    for event in history {
        if let Some(entered) = event.state_entered_event_details() {
            inside = entered.name() == task;
        }
        let failed = event.task_failed_event_details();
        let failed = failed.filter(|failed| inside && failed.error() == Some(error));
        causes.extend(failed.map(|failed| failed.cause().unwrap_or_default().to_owned()));
    }
    causes
}

/// Either integration tells each call by an event of its own.
fn is_call(event: &HistoryEvent) -> bool {
    event.task_scheduled_event_details().is_some()
        || event.lambda_function_scheduled_event_details().is_some()
}

/// Whether a stage's question was asked again because servers had not answered.
fn asks_again(history: &[HistoryEvent], stage: Stage) -> bool {
    outputs(history).any(|(state, output)| {
        is_of(stage, &state)
            && match state.as_str() {
                "CheckDrained" => names_any(&output["check"]["counts"]["unknownServers"]),
                "DrainIdle" => names_any(&output["drain"]["unknown"]),
                "ResumeBlue" => names_any(&output["resume"]["waiting"]),
                _ => false,
            }
    })
}

/// Whether a state left with the word that this instance did not answer.
fn is_unheard(state: &str, output: &Value, instance: &str) -> bool {
    let list = match state {
        "CheckDrained" => &output["check"]["counts"]["unknownServers"],
        "DrainIdle" => &output["drain"]["unknown"],
        "ResumeBlue" | "ResumeBlueAgain" => &output["resume"]["unknown"],
        _ => return false,
    };
    let list = list.as_array().into_iter().flatten();
    list.into_iter().any(|one| one["instance"] == instance)
}

/// Whether a check's list of unknown servers has this instance, and since when.
pub(crate) fn names(unknown: &Value, instance: &str) -> bool {
    let list = unknown.as_array().into_iter().flatten();
    list.into_iter()
        .any(|one| one["instance"] == instance && one["since"].is_string())
}

fn names_any(list: &Value) -> bool {
    list.as_array().is_some_and(|list| !list.is_empty())
}

/// The documents with which an execution left its states, in order.
pub(crate) fn outputs(history: &[HistoryEvent]) -> impl Iterator<Item = (String, Value)> {
    let exits = history
        .iter()
        .filter_map(HistoryEvent::state_exited_event_details);
    exits.filter_map(|exit| {
        let output = serde_json::from_str(exit.output()?).ok()?;
        Some((exit.name().to_owned(), output))
    })
}
