//! What a pass saw of the environment that retires, compared with the pass before it.

use jiff::Timestamp;

use super::{
    BUSY, CLOSED, DEADLINE_USED, DRAIN_SECONDS, FORECAST_SECONDS, IDLE, OLDEST_BUSY_SECONDS, Point,
    REPAIRS, SEALED, SERVERS, SESSIONS_GAINED, TERMINATED, UNKNOWN, UNKNOWN_SECONDS,
};
use crate::check::Counts;
use crate::record::{Ask, Course, Decision, Kind, Phase, Progress, Record};
use crate::weights::Moments;

/// A pass that was counted.
pub(super) struct Look<'a> {
    /// The environment's name.
    pub(super) environment: String,
    /// What this pass saw; none where no server was asked.
    seen: Option<&'a Progress>,
    /// What the pass before it saw of the same deployment.
    before: Option<&'a Progress>,
    /// When the sessions end, as far as that can be told.
    ends_at: Option<Timestamp>,
    /// Of the weights that the environment lost.
    moments: Option<Moments>,
    /// Repairs in this pass; none where nobody watches the weights.
    repairs: Option<u32>,
}

impl<'a> Look<'a> {
    /// What the deployment that asked has seen in this pass, if it is one.
    pub(super) fn of(before: &'a Record, ask: &Ask, decision: &'a Decision) -> Option<Self> {
        let deployment = ask.document.plan.as_ref()?.deployment.as_str();
        if ask.kind != Kind::Pass {
            return None;
        }
        let (was, is) = (
            course(before, deployment)?,
            course(&decision.record, deployment)?,
        );
        let seen = is.progress.as_ref();
        let seen = seen.filter(|seen| was.progress.as_ref().is_none_or(|was| was.at != seen.at));
        let check = ask.document.check.as_ref();
        let in_front = before.front_of(deployment).is_some();
        Some(Self {
            environment: environment(before, deployment)?,
            seen,
            before: was.progress.as_ref(),
            ends_at: check.and_then(|check| check.outlook.forecast.ends_at),
            moments: moments(before, &decision.record, ask, deployment),
            repairs: in_front.then(|| is.repairs.saturating_sub(was.repairs)),
        })
    }

    pub(super) fn points(&self, now: Timestamp) -> Vec<Point> {
        let mut points = Vec::new();
        points.extend(self.repairs.map(|count| Point(REPAIRS, f64::from(count))));
        let Some(seen) = self.seen else {
            return points;
        };
        let longest = unknown_seconds(&seen.counts, now);
        points.push(Point(UNKNOWN_SECONDS, longest));
        points.extend(self.gained(seen).map(|count| Point(SESSIONS_GAINED, count)));
        points.extend(counts(seen));
        points.extend(self.clocks(seen.counts.servers, now));
        points
    }

    /// The deadline is about servers: none is left that it could call anybody for.
    fn clocks(&self, servers: usize, now: Timestamp) -> Vec<Point> {
        let mut points = Vec::new();
        if let Some(ends_at) = self.ends_at {
            points.push(Point(FORECAST_SECONDS, seconds(now, ends_at)));
        }
        let Some(moments) = self.moments.filter(|it| it.deadline_at.is_some()) else {
            return points;
        };
        points.push(Point(DRAIN_SECONDS, seconds(moments.at, now)));
        if let Some(deadline) = moments.deadline_at.filter(|_| servers > 0) {
            let term = seconds(moments.at, deadline).max(1.0);
            let used = 100.0 * seconds(moments.at, now) / term;
            points.push(Point(DEADLINE_USED, used));
        }
        points
    }

    /// By how many sessions the environment has grown since the pass before, where that proves that some came: both passes
    /// after the load balancer settled, with no server unknown (one that is heard again brings the sessions that it had)
    /// and none that joined. Sessions that ended meanwhile hide as many that came.
    fn gained(&self, seen: &Progress) -> Option<f64> {
        let before = self.before?;
        let settled_at = self.moments?.settled_at?;
        let (was, is) = (&before.counts, &seen.counts);
        let comparable =
            before.at >= settled_at && was.unknown + is.unknown == 0 && is.servers <= was.servers;
        comparable.then(|| count((is.busy + is.idle).saturating_sub(was.busy + was.idle)))
    }
}

/// The deployment's way, wherever it is.
fn course<'a>(record: &'a Record, deployment: &str) -> Option<&'a Course> {
    let front = record.front_of(deployment).map(|front| &front.course);
    front.or(record.entry_of(deployment).map(|entry| &entry.course))
}

/// Whose servers were counted: those of the one that retires, as the record had it when the pass began.
fn environment(record: &Record, deployment: &str) -> Option<String> {
    let retires = match record.front_of(deployment) {
        Some(front) if matches!(front.phase, Phase::RollingBack { .. }) => {
            &front.plan.green.environment
        }
        Some(front) => &front.plan.blue.environment,
        None => &record.entry_of(deployment)?.environment,
    };
    Some(retires.name.clone())
}

/// The moments of what retires; a redrive that grants the deadline anew is in the entry already.
fn moments(before: &Record, after: &Record, ask: &Ask, deployment: &str) -> Option<Moments> {
    let entry = after.entry_of(deployment).map(|entry| entry.moments);
    let front = before.front_of(deployment);
    let back = front.is_some_and(|front| matches!(front.phase, Phase::RollingBack { .. }));
    let confirmed = if back {
        &ask.document.back
    } else {
        &ask.document.switch
    };
    entry.or(confirmed.as_ref().map(|confirmed| confirmed.moments))
}

fn counts(seen: &Progress) -> [Point; 8] {
    let counts = &seen.counts;
    [
        Point(BUSY, count(counts.busy)),
        Point(IDLE, count(counts.idle)),
        Point(CLOSED, count(counts.closed)),
        Point(OLDEST_BUSY_SECONDS, count(counts.oldest_busy_seconds)),
        Point(SERVERS, size(counts.servers)),
        Point(SEALED, size(counts.sealed)),
        Point(UNKNOWN, size(counts.unknown)),
        Point(TERMINATED, size(seen.terminated)),
    ]
}

/// The list is in the order of silence, the longest first.
fn unknown_seconds(counts: &Counts, now: Timestamp) -> f64 {
    let longest = counts.unknown_servers.first();
    longest.map_or(0.0, |unheard| seconds(unheard.since, now))
}

pub(super) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs().max(0) as f64
}

fn count(count: u64) -> f64 {
    count as f64
}

fn size(size: usize) -> f64 {
    size as f64
}
