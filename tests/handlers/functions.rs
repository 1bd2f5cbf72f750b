//! The Lambdas: the real handlers, called with JSON and answering JSON, as their mains wire them.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use ebbtide_aws::{Cloud, Ledger};
use ebbtide_runtime::Failed;
use ebbtide_sessions::{Endpoint, Limits, SessionClient};
use futures_util::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the handlers are built with, once per world.
pub(crate) struct Functions {
    cloud: Cloud,
    ledger: Ledger,
    patient: SessionClient,
    hasty: SessionClient,
}

/// How a call ends when it does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a name from the list, and a cause.
    Failed(String, String),
    /// Badly: it panicked, or would not read the payload that the definition made.
    Broken(String),
}

impl Functions {
    pub(crate) fn new(cloud: Cloud, ledger: Ledger, endpoint: &Endpoint) -> Self {
        let client = |total| {
            let limits = Limits {
                connect: total,
                total,
            };
            SessionClient::within(limits, endpoint.clone()).expect("an HTTP client")
        };
        Self {
            cloud,
            ledger,
            // A server that answers does so at once; a time-out that is not meant would make a case another one.
            patient: client(Duration::from_secs(60)),
            hasty: client(Duration::from_secs(1)),
        }
    }

    /// Calls the function that a Task of the definition names; `hangs` says that some server will not answer.
    pub(crate) async fn call(
        &self,
        name: &str,
        payload: &Value,
        now: Timestamp,
        hangs: bool,
    ) -> Result<Value, Ended> {
        let cloud = &self.cloud;
        let client = if hangs { &self.hasty } else { &self.patient };
        let clock = || now;
        let call = async {
            match name {
                "PlanDeployment" => told(plan_deployment::handle(cloud, read(payload)?).await),
                "KeepRecord" => {
                    told(keep_record::handle(&self.ledger, now, read(payload)?, |_| ()).await)
                }
                "LaunchGreen" => told(launch_green::handle(cloud, now, read(payload)?).await),
                "HoldBlue" => told(hold_blue::handle(cloud, now, read(payload)?).await),
                "SwitchTargetGroup" => {
                    let call = switch_target_group::handle(cloud, clock, read(payload)?);
                    told(Box::pin(call).await)
                }
                "TerminateBlue" => told(terminate_blue::handle(cloud, now, read(payload)?).await),
                "TestGreen" => told(test_green::handle(client, read(payload)?).await),
                "AskService" => told(ask_service::handle(&client.checks(), read(payload)?).await),
                "DrainIdle" => told(drain_idle::handle(client, clock, read(payload)?).await),
                "CheckDrained" => told(check_drained::handle(client, clock, read(payload)?).await),
                "ResumeBlue" => told(resume_blue::handle(client, clock, read(payload)?).await),
                other => panic!("the definition calls {other}, which no test knows"),
            }
        };
        let ended = Box::pin(AssertUnwindSafe(call).catch_unwind()).await;
        ended.unwrap_or_else(|_| Err(Ended::Broken(format!("{name} panicked"))))
    }
}

fn read<P: DeserializeOwned>(payload: &Value) -> Result<P, Ended> {
    serde_json::from_value(payload.clone())
        .map_err(|error| Ended::Broken(format!("the payload is not read: {error}: {payload}")))
}

fn told<A: Serialize>(answer: Result<A, impl Into<Failed>>) -> Result<Value, Ended> {
    match answer {
        Ok(answer) => Ok(serde_json::to_value(answer).expect("an answer is JSON")),
        Err(failure) => {
            let failed = failure.into();
            let name = failed.name().as_str().to_owned();
            Err(Ended::Failed(name, failed.to_string()))
        }
    }
}
