//! `ebbtide-local deployment`: runs one deployment on the kept cloud and follows it at the terminal.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_sdk_sfn::types::ExecutionStatus;
use ebbtide_local_cloud::clients::Clients;
use ebbtide_local_cloud::kept::{CloudFile, Kept};
use ebbtide_local_cloud::moto::Moto;
use ebbtide_local_cloud::observation::{Instance, Observation};
use ebbtide_local_cloud::report::{self, Report};
use ebbtide_local_cloud::{Error, Execution, Result, Standing, places};

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Choices are questions and waits say so: neither is a stage.
const NO_STAGES: [&str; 7] = ["Is", "What", "Where", "How", "May", "Does", "Wait"];

pub(crate) async fn deployment(input: &str) -> Result<ExitCode> {
    let kept = Kept::of(&places::repository()?)?;
    let input = if input.trim().is_empty() { "{}" } else { input };
    if let Err(error) = serde_json::from_str::<serde_json::Value>(input) {
        return Err(Error::Input(format!("INPUT is no JSON: {error}")));
    }
    let cloud = match (kept.hold()?, kept.read()) {
        (None, Some(cloud)) => cloud,
        _ => {
            return Err(Error::Input(
                "the local cloud is not up: make up".to_owned(),
            ));
        }
    };
    let clients = Clients::new(&cloud.ministack, &cloud.moto);
    let execution = Execution::start(&clients.sfn, &cloud.state_machine_arn, None, input).await?;
    println!("deployment {}", execution.name());
    let view = View::new(cloud)?;
    tokio::select! {
        standing = view.follow(&execution) => Ok(conclude(&standing?)),
        _ = tokio::signal::ctrl_c() => {
            println!("\nno longer following: the deployment goes on (make down ends everything)");
            Ok(ExitCode::from(130))
        }
    }
}

fn conclude(standing: &Standing) -> ExitCode {
    println!("{}", standing.status.as_str());
    if let Some(error) = &standing.error {
        println!("error: {error}");
    }
    if let Some(cause) = &standing.cause {
        println!("cause: {}", readable(cause));
    }
    if standing.status == ExecutionStatus::Succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Step Functions gives a function's error as JSON text; a person wants its message.
fn readable(cause: &str) -> String {
    let error = serde_json::from_str::<serde_json::Value>(cause).unwrap_or_default();
    let message = error
        .get("errorMessage")
        .and_then(|message| message.as_str());
    message.unwrap_or(cause).to_owned()
}

/// What the progress line is made from.
struct View {
    cloud: CloudFile,
    moto: Moto,
    http: reqwest::Client,
    is_terminal: bool,
}

impl View {
    fn new(cloud: CloudFile) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build();
        Ok(Self {
            moto: Moto::at(&cloud.moto)?,
            cloud,
            http: http.map_err(|error| Error::Missing(format!("no HTTP client: {error}")))?,
            is_terminal: std::io::stdout().is_terminal(),
        })
    }

    /// One line per stage, rewritten in place while the stage lasts; where there is no terminal, one per change.
    async fn follow(&self, execution: &Execution) -> Result<Standing> {
        let started = Instant::now();
        let (mut stages, mut last) = (Vec::new(), String::new());
        loop {
            let standing = execution.standing().await?;
            let states = execution.states().await?;
            let stage = states.iter().rev().find(|state| is_stage(state));
            let stage = stage.map_or("starting", String::as_str);
            // The drain is a loop: a stage that comes again is no news.
            let is_new = !stages.iter().any(|seen| seen == stage);
            if is_new {
                stages.push(stage.to_owned());
            }
            let environments = self.environments().await?;
            if is_new || environments != last || self.is_terminal {
                let elapsed = started.elapsed().as_secs();
                self.show(
                    &format!("{elapsed:>4} s  {stage:<18} {environments}"),
                    is_new,
                );
            }
            last = environments;
            if standing.status != ExecutionStatus::Running {
                if self.is_terminal {
                    println!();
                }
                return Ok(standing);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn show(&self, line: &str, is_new_stage: bool) {
        if !self.is_terminal {
            println!("{line}");
            return;
        }
        let end_of_last = if is_new_stage { "\n" } else { "\r\x1b[2K" };
        print!("{end_of_last}{line}");
        let _ = std::io::stdout().flush();
    }

    async fn environments(&self) -> Result<String> {
        let listener = std::slice::from_ref(&self.cloud.listener_arn);
        let now = Observation::make(&self.moto, listener).await?;
        let mut parts = Vec::new();
        for (name, arn) in &self.cloud.target_groups {
            let up: Vec<&Instance> = now
                .instances
                .iter()
                .filter(|instance| instance.is_up() && instance.environment() == Some(name))
                .collect();
            let reading = up.iter().map(|instance| {
                let at = (instance.ip, self.cloud.session_port);
                report::read(&self.http, at, &[], report::GLANCE)
            });
            let reports: Vec<Report> = futures_util::future::join_all(reading)
                .await
                .into_iter()
                .flatten()
                .collect();
            parts.push(environment(name, now.weight(arn), up.len(), &reports));
        }
        Ok(parts.join("  |  "))
    }
}

fn environment(name: &str, weight: Option<u32>, servers: usize, reports: &[Report]) -> String {
    let sum = |count: fn(&Report) -> u64| reports.iter().map(count).sum::<u64>();
    let admissions = ["open", "draining", "sealed"].map(|admission| {
        let servers = reports
            .iter()
            .filter(|report| report.admission == admission)
            .count();
        (servers > 0).then(|| format!("{servers} {admission}"))
    });
    let mut admissions: Vec<String> = admissions.into_iter().flatten().collect();
    if servers > reports.len() {
        admissions.push(format!("{} silent", servers - reports.len()));
    }
    let admissions = if admissions.is_empty() {
        "no servers".to_owned()
    } else {
        admissions.join(", ")
    };
    let weight = weight.map_or_else(|| "-".to_owned(), |weight| weight.to_string());
    format!(
        "{name} weight {weight}: {admissions}; {} busy, {} idle",
        sum(|report| report.busy),
        sum(|report| report.idle)
    )
}

fn is_stage(state: &str) -> bool {
    !NO_STAGES.iter().any(|prefix| {
        state
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(char::is_uppercase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_waits_are_no_stages() {
        assert!(
            !is_stage("IsEmpty") && !is_stage("WaitBeforeNextPass") && !is_stage("WhatFollows")
        );
        assert!(is_stage("CheckDrained") && is_stage("HoldRetiring"));
        assert!(is_stage("Issue"), "a word that only begins so");
    }

    #[test]
    fn a_server_that_does_not_answer_is_counted() {
        let report = Report {
            version: 1,
            instance: "i-1".to_owned(),
            admission: "draining".to_owned(),
            epoch: 1,
            busy: 2,
            idle: 3,
            closed: 0,
            oldest_busy_seconds: 4,
        };
        let line = environment("tunnel-a", Some(0), 3, &[report]);
        assert_eq!(
            line,
            "tunnel-a weight 0: 1 draining, 2 silent; 2 busy, 3 idle"
        );
        assert_eq!(
            environment("tunnel-b", None, 0, &[]),
            "tunnel-b weight -: no servers; 0 busy, 0 idle"
        );
    }

    #[test]
    fn a_functions_error_is_shown_by_its_message() {
        let cause = r#"{"errorType": "InvalidInput", "errorMessage": "the input is wrong"}"#;
        assert_eq!(readable(cause), "the input is wrong");
        assert_eq!(
            readable("Service tunnel is owned"),
            "Service tunnel is owned"
        );
    }
}
