//! What CloudWatch is told of a deployment: numbers of each write of the record, in the embedded metric format.
//!
//! Owns names, units and dimensions ([`ALL`]), which dashboard and alarms stand on. Refuses what would be unbounded: no
//! session, no instance, no deployment is a dimension. Tells nothing of an ask that wrote nothing, so that one that is
//! repeated counts nothing twice; where DynamoDB wrote and its reply was lost, that one write is not told at all. Called by
//! `keep-record` after its write.

mod format;
mod look;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;

use crate::record::{Ask, Decision, Next, Outcome, OutcomeItem, Phase, Record};
use look::Look;

/// The metrics' namespace.
pub const NAMESPACE: &str = "Ebbtide";
/// For how many minutes after its own an execution's verdict is told, see [`VERDICTS`].
const MINUTES_OF_A_VERDICT: i64 = 2;

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, in CloudWatch's word.
    pub unit: &'static str,
    /// Its dimensions.
    pub dimensions: &'static [&'static str],
}

const SERVICE: &[&str] = &["Service"];
const ENVIRONMENT: &[&str] = &["Service", "Environment"];

const fn of_service(name: &'static str, unit: &'static str) -> Metric {
    Metric {
        name,
        unit,
        dimensions: SERVICE,
    }
}

const fn of_environment(name: &'static str, unit: &'static str) -> Metric {
    Metric {
        name,
        unit,
        dimensions: ENVIRONMENT,
    }
}

/// The front: 0 free, 1 superseding, 2 claimed, 3 switched, 4 rolling back, 5 detaching.
pub const PHASE: Metric = of_service("Phase", "None");
/// Green's share of the traffic, while somebody holds the front.
pub const GREEN_WEIGHT: Metric = of_service("GreenWeight", "Percent");
/// How long it has stood at a gate, or in a pause, while somebody holds the front; 0 while it goes on.
pub const WAITING_SECONDS: Metric = of_service("WaitingSeconds", "Seconds");
/// Weights that somebody else had moved, set right in this pass: 0 or 1.
pub const REPAIRS: Metric = of_service("Repairs", "Count");
/// A rollback that began.
pub const ROLL_BACKS: Metric = of_service("RollBacks", "Count");
/// An execution that is told to end in the Fail state of a verdict, `RolledBack` or `GreenRejected`: not a failure that a
/// person has to end. Told for its minute and the two that follow, because metric math cannot look at the minute before,
/// and the execution ends in one of them. CloudWatch takes stamps up to two hours ahead (EMF's specification, `Timestamp`).
pub const VERDICTS: Metric = of_service("Verdicts", "Count");
/// A deployment that ended with green serving.
pub const PROMOTED: Metric = of_service("Promoted", "Count");
/// A deployment that ended with blue serving, after green had weight.
pub const ROLLED_BACK: Metric = of_service("RolledBack", "Count");
/// A deployment that ended before any weight moved.
pub const GREEN_REJECTED: Metric = of_service("GreenRejected", "Count");
/// How long a deployment took that ended, from its claim until its last server was gone.
pub const DEPLOYMENT_SECONDS: Metric = of_service("DeploymentSeconds", "Seconds");
/// How long the server has been unknown that has been for longest; 0 when none is.
pub const UNKNOWN_SECONDS: Metric = of_service("UnknownSeconds", "Seconds");
/// How much of the time until its deadline a drain has used.
pub const DEADLINE_USED: Metric = of_service("DeadlineUsed", "Percent");
/// By how many the sessions of a settled environment have grown since the last pass: at least so many came that should not.
/// Absent where the two passes cannot be compared ([`Look::gained`]).
pub const SESSIONS_GAINED: Metric = of_service("SessionsGained", "Count");
/// Busy sessions.
pub const BUSY: Metric = of_environment("Busy", "Count");
/// Idle sessions.
pub const IDLE: Metric = of_environment("Idle", "Count");
/// Sessions closed by orders so far.
pub const CLOSED: Metric = of_environment("Closed", "Count");
/// For how long the longest busy session has been busy.
pub const OLDEST_BUSY_SECONDS: Metric = of_environment("OldestBusySeconds", "Seconds");
/// Servers that are not gone.
pub const SERVERS: Metric = of_environment("Servers", "Count");
/// Servers that acknowledged their seal in this pass.
pub const SEALED: Metric = of_environment("Sealed", "Count");
/// Servers of which nothing is known.
pub const UNKNOWN: Metric = of_environment("Unknown", "Count");
/// Instances that were ended so far.
pub const TERMINATED: Metric = of_environment("Terminated", "Count");
/// How long the environment has had no weight.
pub const DRAIN_SECONDS: Metric = of_environment("DrainSeconds", "Seconds");
/// In how many seconds no session will be left; absent where that is not foreseeable.
pub const FORECAST_SECONDS: Metric = of_environment("ForecastSeconds", "Seconds");

/// Every metric there is.
pub const ALL: &[Metric] = &[
    PHASE,
    GREEN_WEIGHT,
    WAITING_SECONDS,
    REPAIRS,
    ROLL_BACKS,
    VERDICTS,
    PROMOTED,
    ROLLED_BACK,
    GREEN_REJECTED,
    DEPLOYMENT_SECONDS,
    UNKNOWN_SECONDS,
    DEADLINE_USED,
    SESSIONS_GAINED,
    BUSY,
    IDLE,
    CLOSED,
    OLDEST_BUSY_SECONDS,
    SERVERS,
    SEALED,
    UNKNOWN,
    TERMINATED,
    DRAIN_SECONDS,
    FORECAST_SECONDS,
];

/// A metric with its value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point(Metric, f64);

/// What is told at once: of one service, of one moment, of one environment at most.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    at: Timestamp,
    environment: Option<String>,
    points: Vec<Point>,
}

/// The lines to write to standard output once the decision was written: JSON objects in the embedded metric format.
///
/// None where nothing was to be written, or where nobody knows whose service it is.
pub fn lines(before: &Record, ask: &Ask, decision: &Decision, now: Timestamp) -> Vec<String> {
    let Some(plan) = &ask.document.plan else {
        return Vec::new();
    };
    if decision.record == *before {
        return Vec::new();
    }
    let told = told(before, ask, decision, now);
    let lines = told
        .iter()
        .map(|told| format::line(&plan.service, &plan.deployment, told));
    lines.collect()
}

fn told(before: &Record, ask: &Ask, decision: &Decision, now: Timestamp) -> Vec<Told> {
    let mut first = Told {
        at: now,
        environment: None,
        points: front(before, &decision.record, now),
    };
    if let Some(look) = Look::of(before, ask, decision) {
        first.points.extend(look.points(now));
        first.environment = Some(look.environment);
    }
    if let Some(item) = &decision.outcome {
        first
            .points
            .extend(ended(item, decision.record.last.as_ref()));
        if let Some(entry) = before.entry_of(&item.deployment) {
            first.points.extend(emptied(item));
            first.environment = Some(entry.environment.name.clone());
        }
    }
    let mut told = vec![first];
    if matches!(decision.answer.next, Next::RolledBack | Next::GreenRejected) {
        told.extend(verdict(now));
    }
    told
}

fn verdict(now: Timestamp) -> impl Iterator<Item = Told> {
    (0..=MINUTES_OF_A_VERDICT).map(move |minutes| Told {
        at: now
            .saturating_add(jiff::SignedDuration::from_mins(minutes))
            .unwrap_or(now),
        environment: None,
        points: vec![Point(VERDICTS, 1.0)],
    })
}

/// Of the front, whoever holds it and whoever wrote.
fn front(before: &Record, after: &Record, now: Timestamp) -> Vec<Point> {
    let phase = after.front.as_ref().map(|front| &front.phase);
    let number = match phase {
        None => 0.0,
        Some(Phase::Superseding { .. }) => 1.0,
        Some(Phase::Claimed) => 2.0,
        Some(Phase::Switched) => 3.0,
        Some(Phase::RollingBack { .. }) => 4.0,
        Some(Phase::Detaching { .. }) => 5.0,
    };
    let mut points = vec![Point(PHASE, number)];
    if let Some(front) = &after.front
        && !matches!(front.phase, Phase::Detaching { .. })
    {
        points.push(Point(GREEN_WEIGHT, f64::from(front.weights.green)));
        let stands = front.waits.as_ref();
        let stands = stands.map_or(0.0, |waits| look::seconds(waits.since, now));
        points.push(Point(WAITING_SECONDS, stands));
    }
    let rolls_back = |record: &Record| {
        let phase = record.front.as_ref().map(|front| &front.phase);
        matches!(phase, Some(Phase::RollingBack { .. }))
    };
    if rolls_back(after) && !rolls_back(before) {
        points.push(Point(ROLL_BACKS, 1.0));
    }
    points
}

fn ended(item: &OutcomeItem, outcome: Option<&Outcome>) -> [Point; 2] {
    let counter = match outcome {
        Some(Outcome::RolledBack { .. }) => ROLLED_BACK,
        Some(Outcome::GreenRejected { .. }) => GREEN_REJECTED,
        Some(Outcome::Promoted) | None => PROMOTED,
    };
    [
        Point(counter, 1.0),
        Point(DEPLOYMENT_SECONDS, item.seconds as f64),
    ]
}

/// The last of an environment that is gone.
fn emptied(item: &OutcomeItem) -> [Point; 3] {
    [
        Point(SERVERS, 0.0),
        Point(CLOSED, item.closed as f64),
        Point(TERMINATED, item.terminated as f64),
    ]
}
