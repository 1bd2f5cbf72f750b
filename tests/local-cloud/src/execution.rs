//! One execution of the deployed state machine, as a person follows it.

use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};

use crate::error::{Error, Result};
use crate::wait::{Seen, until};

/// An execution that was started.
#[derive(Clone, Debug)]
pub struct Execution {
    arn: String,
    sfn: aws_sdk_sfn::Client,
}

/// How an execution stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, …
    pub status: ExecutionStatus,
    /// The error's name, if it failed.
    pub error: Option<String>,
    /// What it says, and what to do.
    pub cause: Option<String>,
    /// Its output, if it succeeded.
    pub output: Option<serde_json::Value>,
}

impl Execution {
    /// Starts one; without a name, AWS gives it one.
    ///
    /// # Errors
    /// If Step Functions refuses, such as a name that was used before.
    pub async fn start(
        sfn: &aws_sdk_sfn::Client,
        state_machine_arn: &str,
        name: Option<&str>,
        input: &str,
    ) -> Result<Self> {
        let started = sfn
            .start_execution()
            .state_machine_arn(state_machine_arn)
            .set_name(name.map(ToOwned::to_owned))
            .input(input)
            .send()
            .await
            .map_err(Error::aws("StartExecution"))?;
        Ok(Self::of(sfn, started.execution_arn()))
    }

    /// The execution with this ARN.
    pub fn of(sfn: &aws_sdk_sfn::Client, arn: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            sfn: sfn.clone(),
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Its name, which is the deployment's.
    pub fn name(&self) -> &str {
        self.arn.rsplit(':').next().unwrap_or_default()
    }

    /// The ARN of its state machine.
    pub fn state_machine(&self) -> String {
        let of = self.arn.rsplit_once(':').map_or("", |(before, _)| before);
        of.replacen(":execution:", ":stateMachine:", 1)
    }

    /// How it stands now.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn standing(&self) -> Result<Standing> {
        let described = self
            .sfn
            .describe_execution()
            .execution_arn(&self.arn)
            .send()
            .await
            .map_err(Error::aws("DescribeExecution"))?;
        Ok(Standing {
            status: described.status().clone(),
            error: described.error().map(ToOwned::to_owned),
            cause: described.cause().map(ToOwned::to_owned),
            output: described
                .output()
                .and_then(|output| serde_json::from_str(output).ok()),
        })
    }

    /// All its events so far, in order, with the documents that went in and out.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn history(&self) -> Result<Vec<HistoryEvent>> {
        self.events(true).await
    }

    async fn events(&self, with_data: bool) -> Result<Vec<HistoryEvent>> {
        let mut events = Vec::new();
        let mut pages = self
            .sfn
            .get_execution_history()
            .execution_arn(&self.arn)
            .max_results(1000)
            .include_execution_data(with_data)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            events.extend(
                page.map_err(Error::aws("GetExecutionHistory"))?
                    .events()
                    .iter()
                    .cloned(),
            );
        }
        Ok(events)
    }

    /// The state that it entered last.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn last_state(&self) -> Result<Option<String>> {
        let latest = self
            .sfn
            .get_execution_history()
            .execution_arn(&self.arn)
            .reverse_order(true)
            .max_results(50)
            .include_execution_data(false);
        let page = latest
            .send()
            .await
            .map_err(Error::aws("GetExecutionHistory"))?;
        Ok(page.events().iter().find_map(entered))
    }

    /// The state that it entered last, with the document that it was entered with.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn last_entry(&self) -> Result<Option<(String, serde_json::Value)>> {
        let latest = self
            .sfn
            .get_execution_history()
            .execution_arn(&self.arn)
            .reverse_order(true)
            .max_results(10)
            .include_execution_data(true);
        let page = latest
            .send()
            .await
            .map_err(Error::aws("GetExecutionHistory"))?;
        Ok(page.events().iter().find_map(|event| {
            let details = event.state_entered_event_details()?;
            let input = serde_json::from_str(details.input()?).ok()?;
            Some((details.name().to_owned(), input))
        }))
    }

    /// The states that it has entered, in order; a state in a loop comes again and again. Asked for ten times a second,
    /// so without the documents: they would be most of the emulator's work.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn states(&self) -> Result<Vec<String>> {
        Ok(self
            .events(false)
            .await?
            .iter()
            .filter_map(entered)
            .collect())
    }

    /// Waits until it has entered `state`.
    ///
    /// # Errors
    /// [`Error::TimedOut`], or [`Error::Input`] at once if it ended without.
    pub async fn entered(&self, state: &str, limit: Duration) -> Result<()> {
        until(
            &format!("{} to enter {state}", self.name()),
            limit,
            || async {
                let (standing, states) = (self.standing().await?, self.states().await?);
                if states.iter().any(|entered| entered == state) {
                    return Ok(Seen::Done(()));
                }
                let last = standing.describe(states.last().map(String::as_str));
                if standing.status == ExecutionStatus::Running {
                    Ok(Seen::NotYet(last))
                } else {
                    Err(Error::Input(format!("it never entered {state}: {last}")))
                }
            },
        )
        .await
    }

    /// Waits until it has ended, however it did.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the state that it is in.
    pub async fn ended(&self, limit: Duration) -> Result<Standing> {
        until(&format!("{} to end", self.name()), limit, || async {
            let standing = self.standing().await?;
            if standing.status != ExecutionStatus::Running {
                return Ok(Seen::Done(standing));
            }
            Ok(Seen::NotYet(
                standing.describe(self.last_state().await?.as_deref()),
            ))
        })
        .await
    }

    /// Stops it, as an operator does in the console.
    ///
    /// # Errors
    /// If Step Functions does not answer.
    pub async fn stop(&self) -> Result<()> {
        self.sfn
            .stop_execution()
            .execution_arn(&self.arn)
            .send()
            .await
            .map_err(Error::aws("StopExecution"))?;
        Ok(())
    }
}

impl Standing {
    /// In one line.
    pub fn describe(&self, state: Option<&str>) -> String {
        let mut text = format!(
            "{} in {}",
            self.status.as_str(),
            state.unwrap_or("no state yet")
        );
        for part in [&self.error, &self.cause].into_iter().flatten() {
            text.push_str(": ");
            text.push_str(part);
        }
        text
    }
}

fn entered(event: &HistoryEvent) -> Option<String> {
    event
        .state_entered_event_details()
        .map(|details| details.name().to_owned())
}
