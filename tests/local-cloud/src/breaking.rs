//! Tasks that fail on purpose, each before its effect and after it, and the redrive that follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;

use crate::cloud::LocalCloud;
use crate::error::Result;
use crate::execution::{Execution, Standing};
use crate::redrive::{Entry, STAGED, interrupted, tasks_entered};
use crate::variant::{ON_PURPOSE, Variant};

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
