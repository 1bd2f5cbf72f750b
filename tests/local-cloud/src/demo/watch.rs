//! Watches a deployment from outside while it runs: EC2 and the listener's weights, every server's own report, and the
//! execution's history.
//!
//! Owns the polling; what it sees goes into the record as it is. Nothing here steers the deployment.

use std::net::Ipv4Addr;
use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::observe::{Counts, Environment, Execution, Recorder, Sample, Server};
use crate::observation::{Forwarding, Observation};

/// How often every server's report is read.
const REPORTS_EVERY: Duration = Duration::from_millis(250);
/// A report that takes longer counts as none.
const REPORT_WITHIN: Duration = Duration::from_secs(1);
/// How often the execution is looked at.
const EXECUTION_EVERY: Duration = Duration::from_millis(500);
/// How many of the latest events are read while it runs; far fewer are added between two looks.
const LATEST_EVENTS: i32 = 100;

/// Notes every instance that runs now as blue; every one that appears later is green.
pub(super) fn note_blue(seen: &Observation, recorder: &Recorder) {
    recorder.note(|record| {
        for instance in seen.instances.iter().filter(|instance| instance.is_up()) {
            let server = Server {
                environment: Environment::Blue,
                terminated_at: None,
            };
            record.servers.insert(instance.id.clone(), server);
        }
    });
}

/// Notes new and terminated servers and the switch, whenever EC2 or the listener says something new. Never returns
/// while the sender lives.
pub(super) async fn cloud(
    mut seen: watch::Receiver<Observation>,
    recorder: Recorder,
    switched: watch::Sender<Option<Instant>>,
) {
    loop {
        let now = seen.borrow_and_update().clone();
        note_servers(&now, &recorder);
        if is_switched(&now.forwarding, &recorder) && switched.borrow().is_none() {
            let at = recorder.now();
            recorder.note(|record| record.switched_at = Some(at));
            switched.send_replace(Some(Instant::now()));
        }
        if seen.changed().await.is_err() {
            return;
        }
    }
}

fn note_servers(now: &Observation, recorder: &Recorder) {
    let at = recorder.now();
    recorder.note(|record| {
        for instance in &now.instances {
            let server = record.servers.entry(instance.id.clone()).or_insert(Server {
                environment: Environment::Green,
                terminated_at: None,
            });
            if instance.state == "terminated" && server.terminated_at.is_none() {
                server.terminated_at = Some(at);
                record.samples.push(Sample {
                    at,
                    instance: instance.id.clone(),
                    counts: None,
                });
            }
        }
    });
}

// All weight is on groups in which blue has no instance.
fn is_switched(forwarding: &[Forwarding], recorder: &Recorder) -> bool {
    let is_blue = |group: &Forwarding| {
        group
            .health
            .keys()
            .any(|instance| recorder.environment(instance) == Some(Environment::Blue))
    };
    let weighted: Vec<_> = forwarding.iter().filter(|group| group.weight > 0).collect();
    !weighted.is_empty()
        && weighted
            .iter()
            .all(|group| !is_blue(group) && !group.health.is_empty())
}

/// Reads every live server's report, over and over. Never returns.
pub(super) async fn reports(seen: watch::Receiver<Observation>, port: u16, recorder: Recorder) {
    let Ok(http) = reqwest::Client::builder()
        .no_proxy()
        .timeout(REPORT_WITHIN)
        .build()
    else {
        return;
    };
    let mut ticks = interval(REPORTS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let up: Vec<(String, Ipv4Addr)> = seen
            .borrow()
            .instances
            .iter()
            .filter(|instance| instance.is_up())
            .map(|instance| (instance.id.clone(), instance.ip))
            .collect();
        let reading = up.into_iter().map(|(instance, ip)| {
            let http = &http;
            async move {
                let counts = report(http, ip, port, &instance).await;
                (instance, counts)
            }
        });
        note_reports(join_all(reading).await, &recorder);
    }
}

// One time for all of a round, so that their sum is of one moment. A server that has never answered is still starting.
fn note_reports(answers: Vec<(String, Option<Counts>)>, recorder: &Recorder) {
    let at = recorder.now();
    recorder.note(|record| {
        for (instance, counts) in answers {
            let is_gone = record
                .servers
                .get(&instance)
                .is_some_and(|server| server.terminated_at.is_some());
            let has_answered = || {
                record
                    .samples
                    .iter()
                    .any(|sample| sample.instance == instance)
            };
            if !is_gone && (counts.is_some() || has_answered()) {
                record.samples.push(Sample {
                    at,
                    instance,
                    counts,
                });
            }
        }
    });
}

async fn report(http: &reqwest::Client, ip: Ipv4Addr, port: u16, instance: &str) -> Option<Counts> {
    let answer = http
        .get(format!("http://{ip}:{port}/sessions"))
        .send()
        .await
        .ok()?
        .error_for_status()
        .ok()?;
    let report: serde_json::Value = answer.json().await.ok()?;
    let count = |name: &str| report.get(name)?.as_u64();
    let text = |name: &str| report.get(name)?.as_str().map(str::to_owned);
    (text("instance")? == instance).then_some(())?;
    Some(Counts {
        admission: text("admission")?,
        busy: count("busy")?,
        idle: count("idle")?,
        closed: count("closed")?,
    })
}

/// Follows the execution until it has ended, and then reads its whole history.
///
/// # Errors
/// When Step Functions cannot be asked; one look that fails is tried again with the next.
pub(super) async fn execution(
    sfn: &aws_sdk_sfn::Client,
    arn: &str,
    recorder: &Recorder,
) -> Result<(), aws_sdk_sfn::Error> {
    let mut ticks = interval(EXECUTION_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_event = 0;
    loop {
        ticks.tick().await;
        let described = sfn.describe_execution().execution_arn(arn).send().await?;
        if *described.status() == ExecutionStatus::Running {
            last_event = latest(sfn, arn, last_event, recorder).await?;
            continue;
        }
        let events = history(sfn, arn).await?;
        note_end(&described, &events, recorder);
        return Ok(());
    }
}

async fn latest(
    sfn: &aws_sdk_sfn::Client,
    arn: &str,
    after: i64,
    recorder: &Recorder,
) -> Result<i64, aws_sdk_sfn::Error> {
    let page = sfn
        .get_execution_history()
        .execution_arn(arn)
        .reverse_order(true)
        .max_results(LATEST_EVENTS)
        .include_execution_data(false)
        .send()
        .await?;
    let mut news: Vec<&HistoryEvent> = page
        .events()
        .iter()
        .filter(|event| event.id() > after)
        .collect();
    news.sort_by_key(|event| event.id());
    recorder.note(|record| {
        record.execution.events = page
            .events()
            .iter()
            .map(|event| event.id())
            .max()
            .map_or(0, count);
    });
    for (at, state) in news.iter().filter_map(|event| entered(event, recorder)) {
        recorder.note(|record| record.execution.entered.push((at, state)));
    }
    Ok(news.last().map_or(after, |event| event.id()))
}

async fn history(
    sfn: &aws_sdk_sfn::Client,
    arn: &str,
) -> Result<Vec<HistoryEvent>, aws_sdk_sfn::Error> {
    let mut events = Vec::new();
    let mut pages = sfn
        .get_execution_history()
        .execution_arn(arn)
        .max_results(1_000)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        events.extend(page?.events().iter().cloned());
    }
    Ok(events)
}

fn note_end(
    described: &aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput,
    events: &[HistoryEvent],
    recorder: &Recorder,
) {
    let cause = [described.error(), described.cause()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(": ");
    let time = |time: &aws_sdk_sfn::primitives::DateTime| at(time, recorder);
    let execution = Execution {
        arn: described.execution_arn().to_owned(),
        status: described.status().as_str().to_owned(),
        cause: (!cause.is_empty()).then_some(cause),
        entered: events
            .iter()
            .filter_map(|event| entered(event, recorder))
            .collect(),
        started_at: Some(time(described.start_date())),
        ended_at: Some(described.stop_date().map_or_else(|| recorder.now(), time)),
        events: events.len(),
    };
    let document = events.iter().rev().find_map(switch_of);
    let promised = |name: &str| {
        let text = document.as_ref()?.get(name)?.as_str()?;
        Some(recorder.at(text.parse().ok()?))
    };
    let (settled_at, baked_at) = (promised("settledAt"), promised("bakedAt"));
    recorder.note(|record| {
        record.execution = execution;
        record.settled_at = settled_at;
        record.baked_at = baked_at;
    });
}

fn entered(event: &HistoryEvent, recorder: &Recorder) -> Option<(u64, String)> {
    let name = event.state_entered_event_details()?.name();
    Some((at(event.timestamp(), recorder), name.to_owned()))
}

// What SwitchTargetGroup said, from the document that a later state was entered with.
fn switch_of(event: &HistoryEvent) -> Option<serde_json::Value> {
    let document: serde_json::Value =
        serde_json::from_str(event.state_entered_event_details()?.input()?).ok()?;
    document
        .get("switch")
        .filter(|switch| switch.get("bakedAt").is_some())
        .cloned()
}

fn at(time: &aws_sdk_sfn::primitives::DateTime, recorder: &Recorder) -> u64 {
    let time = time
        .to_millis()
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map_or(0, |time| recorder.at(time))
}

fn count(id: i64) -> usize {
    usize::try_from(id).unwrap_or(0)
}
