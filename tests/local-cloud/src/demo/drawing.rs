//! What the page's script is given to draw: sessions over time, each server's admission, marks, stages, rows.
//!
//! Owns how much is drawn when there is more than a screen can show. Pure: called by [`super::page`].

use serde::Serialize;

use super::counts::counts_over_time;
use super::observe::{Environment, Millis, Observation};
use super::report::Report;
use super::rows::{Row, rows};
use super::stages;
use super::strips::{Strip, strips};

/// More points than a screen has columns say nothing more.
const MOST_POINTS: usize = 1_500;
/// What the page's script draws.
#[derive(Debug, Serialize)]
pub(super) struct Drawing<'a> {
    /// Time that the axis calls 0.
    zero: Millis,
    /// End of the time drawn.
    end: Millis,
    /// What `zero` is.
    zero_is: &'static str,
    /// Name, start, end.
    stages: Vec<(&'static str, Millis, Millis)>,
    /// Time and label.
    marks: Vec<(Millis, &'static str)>,
    /// Time, busy, idle.
    blue: Vec<(Millis, u64, u64)>,
    green: Vec<(Millis, u64, u64)>,
    servers: Vec<Strip<'a>>,
    rows: Vec<Row<'a>>,
    sessions: usize,
}

/// Collects it.
pub(super) fn drawing<'a>(seen: &'a Observation, report: &Report) -> Drawing<'a> {
    let (zero, zero_is) = match (seen.switched_at, seen.execution.started_at) {
        (Some(at), _) => (at, "the switch"),
        (None, Some(at)) => (at, "the execution’s start"),
        (None, None) => (0, "the first client"),
    };
    Drawing {
        zero,
        end: seen.ended_at.max(1),
        zero_is,
        stages: stages::stages(&seen.execution, seen.ended_at)
            .into_iter()
            .map(|stage| (stage.name, stage.from, stage.to))
            .collect(),
        marks: marks(seen, report),
        blue: thinned(counts_over_time(seen, Environment::Blue)),
        green: thinned(counts_over_time(seen, Environment::Green)),
        servers: strips(seen),
        rows: rows(seen),
        sessions: seen.clients.len(),
    }
}

fn marks(seen: &Observation, report: &Report) -> Vec<(Millis, &'static str)> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of a demo, never negative"
    )]
    let millis = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 1000.0) as Millis);
    let mut marks: Vec<_> = [
        (seen.switched_at, "switch"),
        (seen.settled_at, "settled"),
        (seen.baked_at, "bake over"),
        (
            millis(report.last_busy_on_blue_ended_at_seconds),
            "blue’s last busy session ends",
        ),
        (millis(report.blue_gone_at_seconds), "blue gone"),
    ]
    .into_iter()
    .filter_map(|(at, label)| at.filter(|at| *at <= seen.ended_at).map(|at| (at, label)))
    .collect();
    marks.sort_by_key(|(at, _)| *at);
    marks
}

// Keeps the ends and drops points between, evenly.
fn thinned(points: Vec<(Millis, u64, u64)>) -> Vec<(Millis, u64, u64)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points
        .into_iter()
        .enumerate()
        .filter(|(at, _)| at % step == 0 || *at == last)
        .map(|(_, point)| point)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_are_thinned_and_keep_their_ends() {
        let points: Vec<_> = (0..100_000).map(|at| (at, at, 0)).collect();
        let thinned = thinned(points);
        assert!(thinned.len() <= MOST_POINTS + 1);
        assert_eq!(
            (thinned.first().copied(), thinned.last().copied()),
            (Some((0, 0, 0)), Some((99_999, 99_999, 0)))
        );
    }
}
