//! The figures of a demo, computed from what was seen: `report.json`.
//!
//! Owns the definition of every figure; each is written at its field. Pure: the demo computes it once at the end, and
//! the tests compute it from observations made by hand, with cuts in them.

use serde::Serialize;

use super::counts::{Peaks, peak};
use super::observe::{Environment, Kind, Millis, Observation};
use super::stages;
use super::timeline::{self, Ending, Session};

/// At most this many cuts and this many failed requests are quoted; the counts are complete.
const QUOTED_FAILURES: usize = 8;

/// What `target/demo/report.json` holds.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// What was deployed.
    pub service: String,
    /// Tunnels that a server took at least once.
    pub sessions_opened: usize,
    /// Sessions open on blue when the listener was first seen with all its weight on green, that had a request in
    /// flight or one that had ended less than `--idle-after` before, as their clients saw it.
    pub busy_at_switch: usize,
    /// The other sessions open on blue at that moment.
    pub idle_at_switch: usize,
    /// Sessions on blue, at any time, whose connection ended other than by close code 1012, or by 1012 while the client
    /// saw them busy. Sessions that the demo closed itself are not among them.
    pub busy_cut: usize,
    /// The same on green, which is not retiring: none of its connections should end at all.
    pub cut_on_green: usize,
    /// Sessions open on blue at the switch that blue closed with 1012 while their client saw them idle, those that had
    /// been busy at the switch included.
    pub idle_closed_gracefully: usize,
    /// Sessions open on blue at the switch that their own client ended.
    pub left_by_themselves: usize,
    /// Sessions among `idleClosedGracefully` whose client was on green afterwards.
    pub reconnected_to_green: usize,
    /// Tunnels open when observing stopped.
    pub open_at_end: usize,
    /// Those among them on a green server.
    pub open_at_end_on_green: usize,
    /// Requests sent to the listener and ended, well or not.
    pub requests_total: usize,
    /// Requests that failed, were answered with another status than 200, or whose body differed by a byte.
    pub requests_failed: usize,
    /// Requests that their client had to say again on another connection, the first one having ended before they were
    /// answered.
    pub requests_repeated: usize,
    /// Requests by kind.
    pub requests_by_kind: ByKind,
    /// Well-answered requests by the environment that held the client.
    pub requests_on_blue: usize,
    /// The same for green.
    pub requests_on_green: usize,
    /// How long quick requests took, their application's own 20 to 400 ms included. Those that waited for a client that
    /// was being moved are among the slowest.
    pub quick_request_millis: Percentiles,
    /// From the close by blue to the next connection on green.
    pub reconnect_millis: Percentiles,
    /// Blue servers that EC2 was seen calling `terminated`.
    pub blue_terminated: usize,
    /// From the end of the last busy time on blue (its idle term included) or of the bake, whichever is later, until
    /// EC2 was seen calling the last blue server `terminated`. Read every quarter of a second. Absent if it never was.
    pub drain_overhead_seconds: Option<f64>,
    /// The execution's status.
    pub execution_status: String,
    /// Why the execution failed, when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_cause: Option<String>,
    /// Events in its history.
    pub history_events: usize,
    /// The whole demo, from the command's start until everything had been seen.
    pub wall_seconds: f64,
    /// The execution's ARN.
    pub execution_arn: String,
    /// Seconds from the execution's start to its end.
    pub execution_seconds: Option<f64>,
    /// When the listener was first seen with all its weight on green, in seconds after the first client was opened,
    /// as are all `…AtSeconds` and the stages' times.
    pub switched_at_seconds: Option<f64>,
    /// End of the settle time.
    pub settled_at_seconds: Option<f64>,
    /// End of the bake.
    pub baked_at_seconds: Option<f64>,
    /// End of the last busy time on blue.
    pub last_busy_on_blue_ended_at_seconds: Option<f64>,
    /// When the last blue server was gone.
    pub blue_gone_at_seconds: Option<f64>,
    /// The execution's stages.
    pub stages: Vec<StageTimes>,
    /// Highest sums of the servers' own reports.
    pub peaks: Peaks,
    /// The first failures in words: cuts and failed requests.
    pub failures: Vec<String>,
}

/// Requests by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ByKind {
    /// Answered within a fraction of a second.
    pub quick: usize,
    /// Answered after seconds.
    pub slow: usize,
    /// Streamed there and back.
    pub stream: usize,
}

/// Nearest-rank percentiles in milliseconds; absent without a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Percentiles {
    /// Half are at most this.
    pub p50: Option<Millis>,
    /// 99 of 100 are at most this.
    pub p99: Option<Millis>,
}

/// When a stage began and how long it took.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StageTimes {
    /// Its name.
    pub name: &'static str,
    /// Its start.
    pub at_seconds: f64,
    /// Its length.
    pub seconds: f64,
}

/// Computes the report.
pub(super) fn compute(seen: &Observation) -> Report {
    let lives: Vec<Vec<Session>> = seen
        .clients
        .iter()
        .map(|client| timeline::sessions(client, seen))
        .collect();
    let mut report = Report {
        service: seen.service.clone(),
        wall_seconds: round(seen.wall_seconds),
        ..Report::default()
    };
    count_sessions(&mut report, seen, &lives);
    report.failures.truncate(QUOTED_FAILURES);
    count_moves(&mut report, seen, &lives);
    count_requests(&mut report, seen);
    report.failures.truncate(2 * QUOTED_FAILURES);
    time_the_drain(&mut report, seen, &lives);
    describe_execution(&mut report, seen);
    report.peaks = Peaks {
        blue: peak(seen, Environment::Blue),
        green: peak(seen, Environment::Green),
    };
    report
}

fn count_sessions(report: &mut Report, seen: &Observation, lives: &[Vec<Session>]) {
    report.sessions_opened = lives.iter().filter(|sessions| !sessions.is_empty()).count();
    for (client, sessions) in seen.clients.iter().zip(lives) {
        for session in sessions {
            let Some((at, reason)) = session.cut() else {
                continue;
            };
            // A session on a server nobody can place counts against us.
            match session.environment {
                Some(Environment::Green) => report.cut_on_green += 1,
                Some(Environment::Blue) | None => report.busy_cut += 1,
            }
            report.failures.push(format!(
                "client {} was cut {}: {reason}",
                client.name,
                when(seen, at)
            ));
        }
        if let Some(open) = sessions.last().filter(|session| session.ended.is_none()) {
            report.open_at_end += 1;
            report.open_at_end_on_green +=
                usize::from(open.environment == Some(Environment::Green));
        }
    }
}

fn count_moves(report: &mut Report, seen: &Observation, lives: &[Vec<Session>]) {
    let Some(switch) = seen.switched_at else {
        return;
    };
    let mut reconnects = Vec::new();
    for sessions in lives {
        let on_blue = |session: &Session| {
            session.environment == Some(Environment::Blue) && session.is_open(switch)
        };
        let Some(place) = sessions.iter().position(on_blue) else {
            continue;
        };
        let session = &sessions[place];
        if session.is_busy(switch) {
            report.busy_at_switch += 1;
        } else {
            report.idle_at_switch += 1;
        }
        report.left_by_themselves += usize::from(matches!(session.ended, Some((_, Ending::Left))));
        let Some(closed) = session.closed_gracefully() else {
            continue;
        };
        report.idle_closed_gracefully += 1;
        let later = &sessions[place + 1..];
        if let Some(green) = later
            .iter()
            .find(|session| session.environment == Some(Environment::Green))
        {
            report.reconnected_to_green += 1;
            reconnects.push(green.opened.saturating_sub(closed));
        }
    }
    report.reconnect_millis = percentiles(&mut reconnects);
}

fn count_requests(report: &mut Report, seen: &Observation) {
    let quick = seen
        .requests
        .iter()
        .filter(|request| request.kind == Kind::Quick);
    let mut took: Vec<Millis> = quick
        .map(|request| request.ended.saturating_sub(request.started))
        .collect();
    report.quick_request_millis = percentiles(&mut took);
    for request in &seen.requests {
        report.requests_total += 1;
        report.requests_repeated += usize::from(request.repeats > 0);
        match request.kind {
            Kind::Quick => report.requests_by_kind.quick += 1,
            Kind::Slow => report.requests_by_kind.slow += 1,
            Kind::Stream => report.requests_by_kind.stream += 1,
        }
        match &request.outcome {
            Ok(server) => match seen.servers.get(server).map(|known| known.environment) {
                Some(Environment::Blue) => report.requests_on_blue += 1,
                Some(Environment::Green) => report.requests_on_green += 1,
                None => {}
            },
            Err(error) => {
                report.requests_failed += 1;
                report.failures.push(format!(
                    "{:?} request through {} failed {}: {error}",
                    request.kind,
                    request.client,
                    when(seen, request.ended)
                ));
            }
        }
    }
}

fn time_the_drain(report: &mut Report, seen: &Observation, lives: &[Vec<Session>]) {
    let blue = seen
        .servers
        .values()
        .filter(|server| server.environment == Environment::Blue);
    let gone: Vec<Option<Millis>> = blue.map(|server| server.terminated_at).collect();
    report.blue_terminated = gone.iter().flatten().count();
    let last_gone = if gone.iter().all(Option::is_some) {
        gone.into_iter().flatten().max()
    } else {
        None
    };
    let on_blue = lives
        .iter()
        .flatten()
        .filter(|session| session.environment == Some(Environment::Blue));
    let last_busy = on_blue
        .flat_map(|session| &session.busy)
        .map(|(_, to)| *to)
        .max();
    report.last_busy_on_blue_ended_at_seconds = last_busy.map(seconds);
    report.blue_gone_at_seconds = last_gone.map(seconds);
    if let (Some(gone), Some(_), Some(from)) =
        (last_gone, seen.switched_at, last_busy.max(seen.baked_at))
    {
        report.drain_overhead_seconds = Some(seconds(gone.saturating_sub(from)));
    }
}

fn describe_execution(report: &mut Report, seen: &Observation) {
    let execution = &seen.execution;
    report.execution_status.clone_from(&execution.status);
    report.execution_cause.clone_from(&execution.cause);
    report.execution_arn.clone_from(&execution.arn);
    report.history_events = execution.events;
    report.execution_seconds = match (execution.started_at, execution.ended_at) {
        (Some(from), Some(to)) => Some(seconds(to.saturating_sub(from))),
        _ => None,
    };
    report.switched_at_seconds = seen.switched_at.map(seconds);
    report.settled_at_seconds = seen.settled_at.map(seconds);
    report.baked_at_seconds = seen.baked_at.map(seconds);
    report.stages = stages::stages(execution, seen.ended_at)
        .into_iter()
        .map(|stage| StageTimes {
            name: stage.name,
            at_seconds: seconds(stage.from),
            seconds: seconds(stage.to - stage.from),
        })
        .collect();
}

// A time as a person reads it beside the page's charts.
fn when(seen: &Observation, at: Millis) -> String {
    match seen.switched_at {
        Some(switch) if at >= switch => format!("{:.1} s after the switch", seconds(at - switch)),
        Some(switch) => format!("{:.1} s before the switch", seconds(switch - at)),
        None => format!("{:.1} s after the first client", seconds(at)),
    }
}

fn percentiles(values: &mut [Millis]) -> Percentiles {
    values.sort_unstable();
    let rank = |percent: usize| {
        values
            .get((values.len() * percent).div_ceil(100).saturating_sub(1))
            .copied()
    };
    Percentiles {
        p50: rank(50),
        p99: rank(99),
    }
}

/// Milliseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a demo's milliseconds are far below 2^52"
)]
pub(super) fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1000.0
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
