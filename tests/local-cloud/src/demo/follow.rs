//! Follows the execution of a deployment: its stages while it runs, its whole history once it ended.
//!
//! Owns the reading; what it reads goes into the record as it is.

use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use tokio::time::{MissedTickBehavior, interval};

use super::observe::{Execution, Millis, Recorder};
use crate::error::{Error, Result};
use crate::execution::Standing;

/// How often the execution is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many of the latest events are read while it runs; far fewer are added between two looks.
const LATEST_EVENTS: i32 = 100;

/// Follows the execution until it has ended.
///
/// # Errors
/// When Step Functions does not answer.
pub(super) async fn follow(
    sfn: &aws_sdk_sfn::Client,
    deployment: &crate::Execution,
    recorder: &Recorder,
) -> Result<()> {
    recorder.note(|seen| {
        deployment.arn().clone_into(&mut seen.execution.arn);
        ExecutionStatus::Running
            .as_str()
            .clone_into(&mut seen.execution.status);
    });
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_event = 0;
    loop {
        looks.tick().await;
        let standing = deployment.standing().await?;
        if standing.status != ExecutionStatus::Running {
            let events = deployment.history().await?;
            note_end(deployment.arn(), standing, &events, recorder);
            return Ok(());
        }
        last_event = note_latest(sfn, deployment.arn(), last_event, recorder).await?;
    }
}

// Notes the states entered since the event `after`; returns the number of the last event.
async fn note_latest(
    sfn: &aws_sdk_sfn::Client,
    arn: &str,
    after: i64,
    recorder: &Recorder,
) -> Result<i64> {
    let page = sfn
        .get_execution_history()
        .execution_arn(arn)
        .reverse_order(true)
        .max_results(LATEST_EVENTS)
        .include_execution_data(false)
        .send()
        .await
        .map_err(Error::aws("GetExecutionHistory"))?;
    let mut news: Vec<&HistoryEvent> = page
        .events()
        .iter()
        .filter(|event| event.id() > after)
        .collect();
    news.sort_by_key(|event| event.id());
    let last = news.last().map_or(after, |event| event.id());
    recorder.note(|seen| {
        seen.execution.events = usize::try_from(last).unwrap_or(0);
        seen.execution
            .entered
            .extend(news.iter().filter_map(|event| entered(event, recorder)));
    });
    Ok(last)
}

fn note_end(arn: &str, standing: Standing, events: &[HistoryEvent], recorder: &Recorder) {
    let why = [standing.error, standing.cause]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(": ");
    let execution = Execution {
        arn: arn.to_owned(),
        status: standing.status.as_str().to_owned(),
        cause: (!why.is_empty()).then_some(why),
        entered: events
            .iter()
            .filter_map(|event| entered(event, recorder))
            .collect(),
        started_at: events.first().map(|event| at(event, recorder)),
        ended_at: Some(
            events
                .last()
                .map_or_else(|| recorder.now(), |event| at(event, recorder)),
        ),
        events: events.len(),
    };
    let switch = events.iter().rev().find_map(switch_of);
    let promised = |name: &str| {
        let time: jiff::Timestamp = switch.as_ref()?.get(name)?.as_str()?.parse().ok()?;
        Some(recorder.at(time))
    };
    let (settled_at, baked_at) = (promised("settledAt"), promised("bakedAt"));
    recorder.note(|seen| {
        seen.execution = execution;
        seen.settled_at = settled_at;
        seen.baked_at = baked_at;
    });
}

fn entered(event: &HistoryEvent, recorder: &Recorder) -> Option<(Millis, String)> {
    let name = event.state_entered_event_details()?.name();
    Some((at(event, recorder), name.to_owned()))
}

// What SwitchTargetGroup said, from the document that a later state was entered with.
fn switch_of(event: &HistoryEvent) -> Option<serde_json::Value> {
    let input = event.state_entered_event_details()?.input()?;
    let document: serde_json::Value = serde_json::from_str(input).ok()?;
    document
        .get("switch")
        .filter(|switch| switch.get("bakedAt").is_some())
        .cloned()
}

fn at(event: &HistoryEvent, recorder: &Recorder) -> Millis {
    let millis = event.timestamp().to_millis().ok();
    let time = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map_or(0, |time| recorder.at(time))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::primitives::DateTime;
    use aws_sdk_sfn::types::{HistoryEventType, StateEnteredEventDetails};

    use super::*;

    fn event(id: i64, state: &str, document: &serde_json::Value) -> HistoryEvent {
        let details = StateEnteredEventDetails::builder()
            .name(state)
            .input(document.to_string())
            .build();
        HistoryEvent::builder()
            .id(id)
            .r#type(HistoryEventType::TaskStateEntered)
            .timestamp(DateTime::from_millis(1_000 * id))
            .state_entered_event_details(details.unwrap())
            .build()
            .unwrap()
    }

    #[test]
    fn the_end_brings_the_status_the_states_and_the_promised_times() {
        let recorder = Recorder::new(2_000);
        let now = jiff::Timestamp::now();
        let later = |seconds| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
        let switch =
            serde_json::json!({ "switch": { "settledAt": later(2), "bakedAt": later(10) } });
        let events = [
            event(1, "PlanDeployment", &serde_json::json!({})),
            event(2, "DrainIdle", &switch),
            event(3, "ReleaseService", &serde_json::json!({})),
        ];
        let standing = Standing {
            status: ExecutionStatus::Failed,
            error: Some("Superseded".into()),
            cause: Some("by another".into()),
            output: None,
        };
        note_end("arn", standing, &events, &recorder);
        let seen = recorder.observation();
        assert_eq!(
            seen.execution.cause.as_deref(),
            Some("Superseded: by another")
        );
        assert_eq!(
            (seen.execution.status.as_str(), seen.execution.events),
            ("FAILED", 3)
        );
        let names: Vec<_> = seen
            .execution
            .entered
            .iter()
            .map(|(_, name)| name.as_str())
            .collect();
        assert_eq!(names, ["PlanDeployment", "DrainIdle", "ReleaseService"]);
        let (settled, baked) = (seen.settled_at.unwrap(), seen.baked_at.unwrap());
        assert!(
            (1_900..=2_100).contains(&settled) && (9_900..=10_100).contains(&baked),
            "{settled} {baked}"
        );
    }
}
