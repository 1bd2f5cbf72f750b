//! The Lambdas: the real handlers, called with JSON and answering JSON, as their mains wire them.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use ebbtide_aws::Cloud;
use ebbtide_aws::fake::arn;
use ebbtide_rules::settings::Defaults;
use ebbtide_runtime::Failure;
use ebbtide_sessions::{Endpoint, Limits, SessionClient};
use futures_util::FutureExt;
use jiff::Timestamp;
use plan_deployment::Settings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the handlers are built with, once per world.
pub(crate) struct Functions {
    cloud: Cloud,
    settings: Settings,
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
    pub(crate) fn new(cloud: Cloud, endpoint: &Endpoint) -> Self {
        let client = |total| {
            let limits = Limits {
                connect: total,
                total,
            };
            SessionClient::within(limits, endpoint.clone()).expect("an HTTP client")
        };
        Self {
            cloud,
            settings: Settings {
                target_groups: [arn("a"), arn("b")],
                launch_template: "lt-1".to_owned(),
                subnets: Vec::new(),
                defaults: defaults(),
            },
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
                "PlanDeployment" => {
                    told(plan_deployment::handle(cloud, &self.settings, read(payload)?).await)
                }
                "LaunchGreen" => told(launch_green::handle(cloud, read(payload)?, now).await),
                "HoldBlue" => told(hold_blue::handle(cloud, read(payload)?, now).await),
                "SwitchTargetGroup" => {
                    told(switch_target_group::handle(cloud, read(payload)?, now).await)
                }
                "TerminateBlue" => told(terminate_blue::handle(cloud, read(payload)?).await),
                "TestGreen" => {
                    let pages = test_green::Pages::default();
                    told(test_green::test_green(client, &pages, read(payload)?).await)
                }
                "DrainIdle" => told(drain_idle::drain_idle(client, clock, read(payload)?).await),
                "CheckDrained" => {
                    told(check_drained::check_drained(client, clock, read(payload)?).await)
                }
                "ResumeBlue" => told(resume_blue::resume_blue(client, clock, read(payload)?).await),
                other => panic!("the definition calls {other}, which no test knows"),
            }
        };
        let ended = AssertUnwindSafe(call).catch_unwind().await;
        ended.unwrap_or_else(|_| Err(Ended::Broken(format!("{name} panicked"))))
    }
}

/// A stack's defaults; few passes an execution, so that drains go on in others.
fn defaults() -> Defaults {
    Defaults {
        healthy_seconds: 600,
        steps: vec![100],
        step_seconds: 30,
        bake_seconds: 60,
        alarms: Vec::new(),
        settle_seconds: None,
        closures_per_second: 20,
        poll_seconds: 30,
        deadline_seconds: 86_400,
        detached: false,
        minimum_healthy_percent: 100,
        passes_per_execution: 60,
        ping_seconds: 30,
    }
}

fn read<P: DeserializeOwned>(payload: &Value) -> Result<P, Ended> {
    serde_json::from_value(payload.clone())
        .map_err(|error| Ended::Broken(format!("the payload is not read: {error}: {payload}")))
}

fn told<A: Serialize, E: Failure>(answer: Result<A, E>) -> Result<Value, Ended> {
    match answer {
        Ok(answer) => Ok(serde_json::to_value(answer).expect("an answer is JSON")),
        Err(failure) => {
            let name = failure.name().as_str().to_owned();
            Err(Ended::Failed(name, failure.to_string()))
        }
    }
}
